"""The argument parser: jsonargparse's, with layers in a fixed order and errors in one or two lines."""

import re
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

import jsonargparse._typehints as typehints
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from plcnn.architectures import architectures
from plcnn.data.augment import augmentations
from plcnn.data.sources import sources
from plcnn.optim import optimizers, schedules
from plcnn.registry import NAMES_MODULE, Registry, did_you_mean

CHOICES: dict[str, Registry[Any]] = {
    "model.arch": architectures,
    "model.optimizer": optimizers,
    "model.schedule": schedules,
    "data.source": sources,
    "data.augment": augmentations,
}
"""The keys whose values are registered names."""


def _forget_arguments_of_another_class(parser_or_action: Any, previous: Any, value: Any) -> None:
    """Drop the arguments given to one class when a later layer names another.

    jsonargparse keeps those of the same name, defaults included: `--model.optimizer sgd` would take Adam's default
    learning rate.
    """
    if previous and "init_args" in previous and previous["class_path"] != value["class_path"]:
        previous["init_args"] = Namespace()


typehints.discard_init_args_on_class_path_change = _forget_arguments_of_another_class


def in_layers(arguments: list[str]) -> list[str]:
    """Put a command's arguments in the order of the layers: configs, then names, then single values.

    So a flag beats a config file, and a name's arguments may stand before the name.

    Args:
        arguments: what follows the subcommand.

    Returns:
        The same arguments; those of the same layer keep their order.
    """
    groups: list[list[str]] = []
    for argument in arguments:
        if argument.startswith("-") and not _is_number(argument) or not groups:
            groups.append([argument])
        else:
            groups[-1].append(argument)

    def layer(group: list[str]) -> int:
        flag = group[0].split("=")[0].lstrip("-")
        return 0 if flag in ("config", "c") else 1 if flag in CHOICES or flag == "trainer" else 2

    return [argument for group in sorted(groups, key=layer) for argument in group]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class Parser(LightningArgumentParser):
    """jsonargparse's parser whose errors say in one or two lines what was typed, what is allowed, and how to mend it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print the error and exit with code 2."""
        print(f"error: {in_words(message, sorted(self._flags()))}", file=sys.stderr)
        sys.exit(2)

    def _flags(self) -> set[str]:
        """Keys of all options, those of the subcommands included."""
        keys: set[str] = set()
        for action in self._actions:
            keys.update(option.removeprefix("--") for option in action.option_strings if option.startswith("--"))
            if isinstance(action.choices, dict):
                for parser in action.choices.values():
                    keys |= parser._flags()
        return keys

    def dump(self, *args: Any, **kwargs: Any) -> str:
        """The configuration as YAML, with registered names in place of import paths."""
        return short_names(super().dump(*args, **kwargs))

    def format_help(self) -> str:
        """The help, with registered names in place of import paths."""
        return re.sub(r"\bplcnn\.[\w.]+\.(?=[A-Z])", "", short_names(super().format_help()))


def short_names(text: str) -> str:
    """Registered names in place of the import paths under which jsonargparse knows them."""
    return re.sub(rf"\b{re.escape(NAMES_MODULE)}\.\w+\.", "", text)


def in_words(message: str, flags: Iterable[str]) -> str:
    """What a parser's message means to the person who typed the command.

    Args:
        message: jsonargparse's message, of several indented lines.
        flags: keys of all options, for near matches.

    Returns:
        One or two lines.
    """
    message = short_names(message)
    keys = re.findall(r'[Pp]arser key "([^"]+)"', message)
    key = _join(keys)
    if found := re.search(r"Expected a dot import path string: (\S+)|Import path (\S+) |class_path'? ?:? '?(\w+)' n", message):
        name = next(g for g in found.groups() if g)
        if key in CHOICES:
            return f"--{key}: {CHOICES[key].unknown(name)}"
        return f"--{key}: there is no class {name!r}; give its import path, as package.module.Class."
    if found := re.search(r"Option '([^']+)' is not accepted", message):
        return _unknown_argument(key, found.group(1), message)
    if found := re.search(r"[Uu]nrecognized arguments: (.+)|Key '([^']+)' is not expected|Group '[^']+' does not accept nested key '([^']+)'|Group '[^']+' does not accept option '([^']+)'", message):
        typed = next(g for g in found.groups() if g).split()[0].split("=")[0].lstrip("-")
        return f"there is no option --{typed}. {did_you_mean(typed, flags)}" if _near(typed, flags) else (
            f"there is no option --{typed}. `plcnn COMMAND --help` lists all."
        )
    detail = " ".join(line.strip() for line in message.splitlines() if not re.match(r"\s*(Parser|Problem with)", line))
    detail = re.sub(r"<class '([\w.]+)'>", lambda m: m.group(1).rsplit(".", 1)[-1], detail)
    return f"--{key}: {detail[:300]}" if key else message.splitlines()[0] + (f" {detail[:300]}" if detail not in message.splitlines()[0] else "")


def _join(keys: list[str]) -> str:
    """The full key of nested parsers' messages, each of which names its own part."""
    joined: list[str] = []
    for key in keys:
        if not joined or not key.startswith(".".join(joined)):
            joined.append(key)
        else:
            joined = [key]
    return ".".join(joined)


def _near(word: str, known: Iterable[str]) -> list[str]:
    from plcnn.registry import near

    return near(word, known)


def _unknown_argument(key: str, argument: str, message: str) -> str:
    registry = CHOICES.get(key)
    named = re.search(r"class_path '([^']+)'", message)
    if registry is None or named is None or named.group(1) not in registry:
        return f"--{key}: there is no argument {argument!r}."
    name = named.group(1)
    known = registry[name].signature.parameters
    listed = f"It takes: {', '.join(known)}." if known else "It takes no arguments."
    hint = f" {did_you_mean(argument, known)}" if _near(argument, known) else ""
    return f"--{key}.{argument}: {registry.kind} {name!r} has no argument {argument!r}.{hint} {listed}"
