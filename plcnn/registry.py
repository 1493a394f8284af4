"""Names for builders: what command line, YAML, checkpoints and Python call an architecture, a source or an optimizer.

A `Registry` maps names to builders (classes or functions). Choosing a name with arguments gives a `Choice`: plain data
until `build` is called with what only the program knows (the number of classes, say). Each registered name is also a
subclass of its registry's `Choice` type, with the builder's signature, so that jsonargparse parses
`--model.arch NAME --model.arch.ARG VALUE` from the builder's own annotations and docstring.
"""

import importlib
import inspect
import pkgutil
import re
import sys
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from plcnn import plugins
from plcnn.choice import Choice, Models
from plcnn.errors import UserError
from plcnn.suggestions import did_you_mean

if TYPE_CHECKING:
    from plcnn.pretrained import LibraryWeights

C = TypeVar("C", bound=Choice)
B = TypeVar("B", bound=Callable[..., Any])

NAMES_MODULE = "plcnn.names"
"""Package of the modules under which jsonargparse finds the registered names; shortened away in all that users see."""

sys.modules.setdefault(NAMES_MODULE, types.ModuleType(NAMES_MODULE))

MOST_NAMED = 20
"""Known names that fit into a message."""


class Registry(Generic[C]):
    """Builders by name.

    Args:
        choice: the type of this registry's choices; its class name, lower-case, is the kind that messages speak of.
        given: names of the builders' parameters that the program fills in and that users therefore never type.
        needs: those of `given` that every builder must have.
        package: import name of a package whose modules register builders when imported; imported, with what installed
            packages declare as entry points of the same group, before the first look-up and before others register.
        listed_by: the command that lists the names.
    """

    def __init__(
        self,
        choice: type[C],
        given: tuple[str, ...] = (),
        needs: tuple[str, ...] = (),
        package: str | None = None,
        listed_by: str = "",
    ) -> None:
        self.choice, self.given, self.needs, self.package = choice, given, needs, package
        self.listed_by = listed_by
        self.kind = choice.__name__.lower()
        self.origins: dict[str, str] = {}
        self._choices: dict[str, type[C]] = {}
        self._loaded = package is None
        choice.registry = self
        self._module = types.ModuleType(f"{NAMES_MODULE}.{self.kind}")
        sys.modules[self._module.__name__] = self._module
        setattr(sys.modules[NAMES_MODULE], self.kind, self._module)

    def __reduce__(self) -> tuple[Any, ...]:
        return _find_registry, (self.choice,)

    @overload
    def register(
        self,
        builder: B,
        *,
        name: str | None = None,
        models: Models | None = None,
        weights: "LibraryWeights | None" = None,
    ) -> B: ...

    @overload
    def register(
        self, *, name: str | None = None, models: Models | None = None, weights: "LibraryWeights | None" = None
    ) -> Callable[[B], B]: ...

    def register(
        self,
        builder: Any = None,
        *,
        name: str | None = None,
        models: Models | None = None,
        weights: "LibraryWeights | None" = None,
    ) -> Any:
        """Register a class or function under a name; used as a decorator, with or without parentheses.

        Args:
            builder: the class or function; every parameter has a name of its own (no `*args`, `**kwargs`).
            name: the name; by default the function's name, or the class's in snake case.
            models: lists what the builder's argument `model` may be, where it stands for a library of models.
            weights: loads weights that others trained for what the builder makes.

        Returns:
            The builder itself, unchanged.

        Raises:
            UserError: if the name is taken or no identifier, or the signature lacks a needed parameter or hides some.
        """
        if builder is None:
            return lambda b: self.register(b, name=name, models=models, weights=weights)
        if not builder.__module__.startswith(f"{self.package}."):
            self._load_packages()
        name = name or _snake_case(builder.__name__)
        where = _where(builder)
        if not name.isidentifier():
            raise UserError(f"{where}: {name!r} cannot name an {self.kind}: letters, digits and _ only.", 2)
        taken = self._choices.get(name)
        if taken and not taken.builder.__module__ == builder.__module__ == "__main__":  # a notebook's cell is run again
            if where == self.origins[name]:
                return builder
            raise UserError(
                f"The {self.kind} name {name!r} is taken: {self.origins[name]} and {where} both register it. "
                f"Rename one, e.g. @register(name={'my_' + name!r}).",
                exit_code=2,
            )
        parameters = _typed_parameters(builder, where)
        for key in self.needs:
            if key not in parameters:
                raise UserError(f"{where}: {self.kind} {name!r} must have a parameter {key!r}.", 2)
        for parameter in parameters.values():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                raise UserError(
                    f"{where}: {self.kind} {name!r} takes {parameter}, which would swallow misspelt options. "
                    "Name each argument.",
                    exit_code=2,
                )
        self.origins[name] = where
        self._choices[name] = self._make_choice(name, builder, parameters)
        if models is not None:
            self._choices[name].models = staticmethod(models)
        self._choices[name].weights = weights
        return builder

    def _make_choice(self, name: str, builder: Callable[..., Any], parameters: Mapping[str, Any]) -> type[C]:
        own = [
            p.replace(kind=p.KEYWORD_ONLY, annotation=Any if p.annotation is p.empty else p.annotation)
            for p in parameters.values()
            if p.name not in self.given
        ]

        def __init__(self: Choice, **arguments: Any) -> None:
            Choice.__init__(self, **arguments)

        this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        __init__.__signature__ = inspect.Signature([this, *own])  # type: ignore[attr-defined]
        __init__.__doc__ = (builder.__init__ if isinstance(builder, type) else builder).__doc__  # type: ignore[misc]
        attributes = {
            "__init__": __init__,
            "__doc__": builder.__doc__ or f"The {self.kind} {name}.",
            "__module__": self._module.__name__,
            "__qualname__": name,
            "name": name,
            "builder": staticmethod(builder),
            "signature": inspect.Signature(own),
        }
        choice = type(name, (self.choice,), attributes)
        setattr(self._module, name, choice)
        return choice

    def names(self) -> list[str]:
        """All registered names, sorted: the package's own, installed packages', and plugin files'."""
        self._load_packages()
        plugins.load()
        return sorted(self._choices)

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> type[C]:
        """The choice type of a name.

        Raises:
            UserError: if the name is not registered; the message has the nearest names.
        """
        if name not in self.names():
            raise UserError(self.unknown(name))
        return self._choices[name]

    def unknown(self, name: str) -> str:
        """What to say of a name that is not registered."""
        known = self.names()
        listing = f"`{self.listed_by}` lists all {len(known)}; a file of your own is named by --plugins."
        hint = did_you_mean(name, known, listing if self.listed_by and len(known) > MOST_NAMED else None)
        loaded = f" Plugin files loaded: {', '.join(plugins.loaded())}." if plugins.loaded() else ""
        return f"Unknown {self.kind} {name!r}. {hint}{loaded}"

    def choose(self, value: "C | str | Mapping[str, Any]", **arguments: Any) -> C:
        """Make a choice from a name, from a choice's plain data, or from a choice (returned as it is).

        Raises:
            UserError: if the name or one of the arguments is unknown.
        """
        if isinstance(value, self.choice):
            return value
        if isinstance(value, Mapping):
            name, arguments = str(value.get("class_path")), {**(value.get("init_args") or {}), **arguments}
        else:
            name = str(value)
        return self[name.removeprefix(f"{self._module.__name__}.")](**arguments)

    def build(self, name: str, **arguments: Any) -> Any:
        """Build what is registered under `name`, with given and own arguments alike by keyword."""
        own = {k: v for k, v in arguments.items() if k not in self.given}
        return self.choose(name, **own).build(**{k: v for k, v in arguments.items() if k in self.given})

    def _load_packages(self) -> None:
        if not self._loaded and self.package:
            self._loaded = True
            for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__):
                importlib.import_module(f"{self.package}.{module.name}")
            plugins.load_installed(self.package)


def _find_registry(choice: type[C]) -> "Registry[C]":
    return choice.registry


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _where(builder: Callable[..., Any]) -> str:
    code = inspect.unwrap(builder)
    try:
        return f"{inspect.getsourcefile(code)}:{inspect.getsourcelines(code)[1]}"
    except (OSError, TypeError):
        return f"{builder.__module__}.{builder.__qualname__}"


def _typed_parameters(builder: Callable[..., Any], where: str) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(builder, eval_str=True).parameters
    except NameError as error:
        raise UserError(f"{where}: an annotation cannot be resolved: {error}.", 2) from error
