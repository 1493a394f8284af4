"""What the commands share that list registered names and explain one: `plcnn archs` and `plcnn datasets`."""

import inspect
import json
import sys
from fnmatch import fnmatchcase
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from docstring_parser import parse

from plcnn import plugins
from plcnn.choice import Choice
from plcnn.errors import UserError, WrongCommandLine
from plcnn.registry import Registry
from plcnn.run import short


def source(builder: Any) -> str:
    """Where a registered builder comes from: `plcnn`, the installed package's name, or the plugin file."""
    module = builder.__module__
    if module.startswith(f"{plugins.__name__}."):
        return str(sys.modules[module].__file__)
    top = module.split(".")[0]
    return top if top == "plcnn" else next(iter(packages_distributions().get(top, [])), module)


def short_source(named: str) -> str:
    """A source as it is shown: a plugin file by its path from the working directory."""
    return short(Path(named)) if named.endswith(".py") else named


def shown_origin(about: dict[str, Any]) -> str:
    """Where a choice comes from, as it is shown: the package, unless it is a plugin file, and the line of code."""
    package = "" if about["source"].endswith(".py") else f"{about['source']}, "
    return f"{package}{short(Path(about['origin']))}"


def matches(pattern: str, *names: str) -> bool:
    """Whether one of some names fits a pattern, or holds it where it has no wildcards."""
    pattern = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
    return any(fnmatchcase(name, pattern) for name in names)


def own_flags(arguments: list[str], key: str) -> tuple[list[str], list[str]]:
    """Part a choice's own arguments, `--KEY.ARG VALUE`, from all others.

    Args:
        arguments: of the command.
        key: the option that takes the name, such as `model.arch`.
    """
    flags: list[str] = []
    rest: list[str] = []
    value_follows = False
    for argument in arguments:
        is_flag = argument.startswith(f"--{key}.")
        (flags if is_flag or value_follows else rest).append(argument)
        value_follows = is_flag and "=" not in argument
    return flags, rest


def choose(command: str, registry: Registry[Any], key: str, name: str, flags: list[str]) -> Any:
    """The choice of a name with the arguments that were typed as `--KEY.ARG VALUE`.

    Raises:
        UserError: if one of them is unknown or of another type, or a required one is missing.
    """
    if not flags and not any(p.default is p.empty for p in registry[name].signature.parameters.values()):
        return registry.choose(name)
    from plcnn.parser import Parser

    parser = Parser(prog=f"plcnn {command}")
    parser.add_argument(f"--{key}", type=registry.choice)
    try:
        chosen = parser.instantiate(parser.parse_args([f"--{key}", name, *flags]))
    except WrongCommandLine as error:
        raise UserError(str(error), exit_code=2) from error
    for part in key.split("."):
        chosen = chosen[part]
    return chosen


def about(choice: Choice) -> dict[str, Any]:
    """Where a choice comes from, what its docstring says, and its arguments, as plain data."""
    documented = parse(inspect.getdoc(choice.builder) or "")
    return {
        "name": choice.name,
        "summary": documented.short_description or "",
        "description": documented.long_description or "",
        "about_the_family": inspect.cleandoc(sys.modules[choice.builder.__module__].__doc__ or ""),
        "source": source(choice.builder),
        "origin": choice.registry.origins[choice.name],
        "arguments": _arguments(choice, {p.arg_name: p.description or "" for p in documented.params}),
    }


def _arguments(choice: Choice, texts: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": parameter.name,
            "type": _type_name(parameter.annotation),
            "default": None if parameter.default is parameter.empty else parameter.default,
            "required": parameter.default is parameter.empty,
            "value": choice.arguments[parameter.name],
            "help": " ".join(texts.get(parameter.name, "").split()),
        }
        for parameter in choice.signature.parameters.values()
    ]


def typed_choice(choice: Choice, key: str) -> str:
    """A choice as it is typed: its name, its plugin file, and the arguments set; the first one where none is."""
    plugin = [path for path in plugins.loaded() if path == source(choice.builder)]
    chosen = {k: v for k, v in choice.arguments.items() if v != choice.signature.parameters[k].default}
    shown = chosen or dict(list(choice.arguments.items())[:1])
    values = "".join(f" --{key}.{name} {typed(value)}" for name, value in shown.items() if value is not None)
    return f"--{key} {choice.name}{plugins.option(short(Path(path)) for path in plugin)}{values}"


def argument_lines(arguments: list[dict[str, Any]], key: str) -> list[str]:
    """The arguments of `about` as lines for the terminal."""
    lines = ["arguments" if arguments else "It takes no arguments."]
    for argument in arguments:
        default = "required" if argument["required"] else f"default {typed(argument['default'])}"
        lines += [f"  --{key}.{argument['name']}  {argument['type']}, {default}", f"      {argument['help']}"]
    return lines


def indented(text: str) -> list[str]:
    """The lines of a text, set in by two spaces."""
    return [f"  {line}".rstrip() for line in text.splitlines()]


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(map(str, get_args(annotation)))
    plain = isinstance(annotation, type) and not hasattr(annotation, "__args__")
    return (annotation.__name__ if plain else str(annotation)).replace("typing.", "")


def typed(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, str):
        return value
    text = json.dumps(value)
    return text if not isinstance(value, (list, tuple, dict)) else f"'{text}'"
