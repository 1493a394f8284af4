"""A command's arguments before they are parsed: their layers, and the config and plugin files that they name."""

from collections.abc import Collection, Container, Iterator
from pathlib import Path
from typing import Any

import yaml

from plcnn import plugins, strict_yaml
from plcnn.errors import UserError
from plcnn.paths import expanded
from plcnn.suggestions import did_you_mean

SECTIONS = ("trainer", "model", "data")
"""Keys of a config that hold keys and values."""


def in_layers(arguments: list[str], names: Container[str]) -> list[str]:
    """Put a command's arguments in the order of the layers: configs, then names, then single values.

    So a flag beats a config file, and a name's arguments may stand before the name.

    Args:
        arguments: what follows the command.
        names: the keys whose values are registered names.

    Returns:
        The same arguments; those of the same layer keep their order.
    """
    groups: list[list[str]] = []
    for argument in arguments:
        if _is_flag(argument) or not groups:
            groups.append([argument])
        else:
            groups[-1].append(argument)

    def layer(group: list[str]) -> int:
        flag = group[0].split("=")[0].lstrip("-")
        return 0 if flag in ("config", "c") else 1 if flag in names else 2

    return [argument for group in sorted(groups, key=layer) for argument in group]


def _is_flag(argument: str) -> bool:
    """Whether an argument is an option's name; "-" is the standard input, -1 a value."""
    try:
        float(argument)
    except ValueError:
        return argument.startswith("-") and argument != "-"
    return False


def without_option(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Part what belongs to an option from what stands by itself: every option takes one value.

    Args:
        arguments: what follows the command; after `--` nothing is an option.

    Returns:
        The options with their values, and the rest, each in order.
    """
    options: list[str] = []
    alone: list[str] = []
    awaits_value = False
    for place, argument in enumerate(arguments):
        if argument == "--":
            return options, alone + arguments[place + 1 :]
        (options if _is_flag(argument) or awaits_value else alone).append(argument)
        awaits_value = _is_flag(argument) and "=" not in argument
    return options, alone


def typed(arguments: list[str]) -> dict[str, list[str]]:
    """The values typed for each flag, before any parsing."""
    values: dict[str, list[str]] = {}
    flag = ""
    for argument in arguments:
        if _is_flag(argument):
            flag, _, value = argument.lstrip("-").partition("=")
            flag = "config" if flag == "c" else flag
            values.setdefault(flag, []).extend([value] if value else [])
            flag = "" if value else flag
        else:
            values.setdefault(flag, []).append(argument)
            flag = ""  # what follows belongs to no flag; the parser will say so
    return values


def asks_for_help(arguments: list[str]) -> bool:
    """Whether the command is to be explained, not to be run."""
    return any(a in ("-h", "--help") or a.split("=")[0].endswith(".help") for a in arguments)


def load_plugins(arguments: list[str]) -> None:
    """Import the plugin files that a command line and its configs name, before the parser is built.

    Raises:
        UserError: if a config or a plugin file cannot be read.
    """
    values = typed(arguments)
    paths: list[str] = []
    for config in values.get("config", []):
        paths += _as_list(read_yaml(config).get("plugins"))
    for given in values.get("plugins", []):
        paths += _as_list(_list(given) if given.startswith("[") else given)
    plugins.load(paths)


def _list(text: str) -> Any:
    try:
        return strict_yaml.load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--plugins {text}: no list: {_in_a_line(error)}", exit_code=2) from error


def _as_list(value: Any) -> list[str]:
    return [] if value is None else [str(v) for v in value] if isinstance(value, list) else [str(value)]


def read_yaml(path: str) -> dict[str, Any]:
    """Read a config file.

    Raises:
        UserError: if it cannot be read, is no YAML, or does not hold keys and values where it must.
    """
    try:
        content = strict_yaml.load(expanded(path).read_text(encoding="utf-8"))
    except OSError as error:
        there = [p.name for p in expanded(path).parent.glob("[!.]*.yaml")]
        hint = f" {did_you_mean(Path(path).name, there)}" if there else ""
        raise UserError(f"--config {path}: {error.strerror}.{hint}", exit_code=2) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--config {path}: no valid YAML: {_in_a_line(error)}", exit_code=2) from error
    except ValueError as error:  # a path with a zero byte
        raise UserError(f"--config {path!r}: {error}.", exit_code=2) from error
    if content is None:
        raise UserError(f"--config {path}: is empty; it must hold keys and values.", exit_code=2)
    if not isinstance(content, dict):
        raise UserError(f"--config {path}: must hold keys and values, got {type(content).__name__}.", exit_code=2)
    for key in SECTIONS:
        if not isinstance(content.get(key, {}), dict):
            raise UserError(f"--config {path}: {key} must hold keys and values, got {content[key]!r}.", exit_code=2)
    return content


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def refuse_empty(path: str, flags: Collection[str]) -> None:
    """Refuse a key that holds {} and is no section's; jsonargparse passes over it, whatever its name.

    Args:
        path: the config file.
        flags: keys of all options.

    Raises:
        UserError: if there is one; it names the nearest options.
    """
    options = {flag for flag in flags if not flag.endswith(".help")}
    sections = {flag.rsplit(".", depth)[0] for flag in options for depth in range(1, flag.count(".") + 1)}
    for key in _empty_keys(read_yaml(path)):
        if key in options - sections:
            raise UserError(f"--config {path}: --{key}: expected a value, got {{}}.", exit_code=2)
        within = any(key.startswith(f"{option}.") for option in options - sections)
        if not within and key not in sections:
            hint = did_you_mean(f"--{key}", [f"--{known}" for known in options | sections], "")
            raise UserError(f"--config {path}: there is no option --{key}. {hint}".rstrip(), exit_code=2)


def _empty_keys(values: dict[str, Any], place: str = "") -> Iterator[str]:
    for key, value in values.items():
        if value == {}:
            yield f"{place}{key}"
        elif isinstance(value, dict):
            yield from _empty_keys(value, f"{place}{key}.")
