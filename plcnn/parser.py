"""The argument parser: jsonargparse's, with layers in a fixed order and errors in one or two lines."""

import re
import sys
from typing import Any, NoReturn

import jsonargparse._typehints as typehints
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser

from plcnn.architectures import architectures
from plcnn.data.augmentations import augmentations
from plcnn.data.sources import sources
from plcnn.messages import in_words, short_names
from plcnn.optim import optimizers
from plcnn.registry import Registry
from plcnn.schedules import schedules

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


class Parser(LightningArgumentParser):
    """jsonargparse's parser whose errors say in one or two lines what was typed, what is allowed, what to do."""

    def __init__(self, *args: Any, allow_abbrev: bool = False, **kwargs: Any) -> None:
        for registry in CHOICES.values():
            registry.names()  # jsonargparse knows the names that exist when it parses
        super().__init__(*args, allow_abbrev=allow_abbrev, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print the error and exit with code 2; a nested parser's error goes to the parser around it."""
        if not self.exit_on_error:
            super().error(message, ex)
        print(f"error: {in_words(message, self._flags(), CHOICES)}", file=sys.stderr)
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
        """The configuration as YAML, with registered names in place of import paths, and no empty `init_args`."""
        return re.sub(r"^ *init_args: \{\}\n", "", short_names(super().dump(*args, **kwargs)), flags=re.MULTILINE)

    def format_help(self, *args: Any) -> str:
        """The help, with registered names in place of import paths."""
        return re.sub(r"\bplcnn\.[\w.]+\.(?=[A-Z])", "", short_names(super().format_help(*args)))
