"""A registered name together with its arguments: plain data until it is built."""

import inspect
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from plcnn.errors import UserError, first_line
from plcnn.suggestions import did_you_mean

if TYPE_CHECKING:
    from plcnn.pretrained import LibraryWeights
    from plcnn.registry import Registry

Models = Callable[[], list[str]]


class Choice:
    """A registered name together with its arguments, as plain data.

    Args:
        arguments: the builder's arguments by name; those left out take the builder's defaults.

    Raises:
        UserError: if an argument is not the builder's, or a required one is missing.
    """

    registry: ClassVar["Registry[Any]"]
    name: ClassVar[str] = ""
    builder: ClassVar[Callable[..., Any]]
    models: ClassVar[Models | None] = None
    weights: ClassVar["LibraryWeights | None"] = None
    signature: ClassVar[inspect.Signature]

    def __init__(self, **arguments: Any) -> None:
        parameters = self.signature.parameters
        for key in arguments:
            if key not in parameters:
                raise UserError(f"{self.kind} {self.name!r} has no argument {key!r}. {did_you_mean(key, parameters)}")
        missing = [k for k, p in parameters.items() if p.default is p.empty and k not in arguments]
        if missing:
            raise UserError(f"{self.kind} {self.name!r} needs a value for {', '.join(missing)}.")
        self.arguments = {k: arguments.get(k, p.default) for k, p in parameters.items()}

    @property
    def kind(self) -> str:
        """What is being chosen, in a word: architecture, source, optimizer ..."""
        return self.registry.kind

    def build(self, *given_first: Any, **given: Any) -> Any:
        """Call the builder with the arguments and with those of `given` that it asks for.

        Raises:
            UserError: if the builder raises; the message says what it said, and where.
        """
        accepted = inspect.signature(self.builder).parameters
        asked = {k: v for k, v in given.items() if k in accepted}
        try:
            return type(self).builder(*given_first, **self.arguments, **asked)
        except UserError as error:
            raise UserError(f"{self.kind} {self.name!r}: {error}", exit_code=2) from error
        except Exception as error:
            own = [f for f in traceback.extract_tb(error.__traceback__)[1:] if "site-packages" not in f.filename]
            where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
            raise UserError(
                f"{self.kind} {self!r} cannot be built: {type(error).__name__}: {first_line(error)}{where}", exit_code=2
            ) from error

    def call(self, function: Callable[..., Any], **given: Any) -> Any:
        """Call a function with those of the builder's arguments, and of `given`, that it names."""
        accepted = inspect.signature(function).parameters
        return function(**{k: v for k, v in {**self.arguments, **given}.items() if k in accepted})

    def as_dict(self) -> dict[str, Any]:
        """The choice as plain data, as it stands in YAML and in checkpoints."""
        return {"class_path": self.name, "init_args": dict(self.arguments)}

    def short(self) -> str:
        """The name, with the arguments that are not at their defaults."""
        changed = {k: v for k, v in self.arguments.items() if v != self.signature.parameters[k].default}
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in changed.items())})" if changed else self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and self.kind == other.kind and self.as_dict() == other.as_dict()

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.arguments.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.registry, self.as_dict())


def _restore(registry: "Registry[Any]", plain: dict[str, Any]) -> Choice:
    choice: Choice = registry.choose(plain)
    return choice
