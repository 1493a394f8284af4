"""The argument parser: jsonargparse's, with layers in a fixed order and errors in one or two lines."""

import re
from typing import Any, NoReturn, get_args

import jsonargparse._typehints as typehints
import yaml
from jsonargparse import Namespace, set_loader, set_parsing_settings
from jsonargparse._actions import _ActionConfigLoad
from jsonargparse._common import lenient_check
from jsonargparse._loaders_dumpers import yaml_load
from jsonargparse._typehints import ActionTypeHint
from lightning.pytorch.cli import LightningArgumentParser

from plcnn import strict_yaml
from plcnn.architectures import architectures
from plcnn.data.augmentations import augmentations
from plcnn.data.sources import sources
from plcnn.errors import WrongCommandLine
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


def _load_yaml(text: str) -> Any:
    strict_yaml.check(text)
    return yaml_load(text)


set_loader("yaml", _load_yaml, exceptions=(yaml.YAMLError, ValueError))
set_parsing_settings(config_read_mode_fsspec_enabled=False)  # Lightning would have configs read from addresses


class _Absent:
    """What stands for a key that is not there."""


_ABSENT = _Absent()


def _takes_null(action: ActionTypeHint) -> bool:
    return action.default is None or action._typehint is Any or type(None) in get_args(action._typehint)


def _typed(value: Any) -> str:
    return "null" if value is None else str(value)


class Parser(LightningArgumentParser):
    """jsonargparse's parser whose errors say in one or two lines what was typed, what is allowed, what to do."""

    def __init__(self, *args: Any, allow_abbrev: bool = False, **kwargs: Any) -> None:
        for registry in CHOICES.values():
            registry.names()  # jsonargparse knows the names that exist when it parses
        super().__init__(*args, allow_abbrev=allow_abbrev, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End the parsing with the error; a nested parser's goes to the parser around it.

        Raises:
            WrongCommandLine: always.
        """
        if not self.exit_on_error:
            super().error(message, ex)
        raise WrongCommandLine(in_words(message, self.flags(), CHOICES))

    def add_class_arguments(self, *args: Any, **kwargs: Any) -> Any:
        """Add a class's arguments; a value is never taken for a file that happens to be called like it."""
        return super().add_class_arguments(*args, **{**kwargs, "sub_configs": False})

    def validate(self, namespace: Namespace, *args: Any, **kwargs: Any) -> None:
        """Check a configuration; besides what jsonargparse checks, a null or a value where keys and values must stand.

        Raises:
            TypeError: if a value is not of its option's type.
        """
        super().validate(namespace, *args, **kwargs)
        if not lenient_check.get():
            self._refuse_what_slips_through(namespace)

    def _refuse_what_slips_through(self, namespace: Namespace) -> None:
        for action in self._actions:
            if isinstance(action.choices, dict):
                for name, parser in action.choices.items():
                    if isinstance(parser, Parser) and isinstance(namespace.get(name), Namespace):
                        parser._refuse_what_slips_through(namespace[name])
            value = namespace.get(action.dest, _ABSENT)
            if isinstance(action, _ActionConfigLoad) and not isinstance(value, Namespace | dict | _Absent):
                raise TypeError(f'Parser key "{action.dest}":\n  Expected keys and values. Got value: {_typed(value)}')
            if value is None and isinstance(action, ActionTypeHint) and not _takes_null(action):
                raise TypeError(f'Parser key "{action.dest}":\n  Expected a {action._typehint}. Got value: null')

    def flags(self) -> set[str]:
        """Keys of all options, those of the subcommands included."""
        keys: set[str] = set()
        for action in self._actions:
            keys.update(option.removeprefix("--") for option in action.option_strings if option.startswith("--"))
            if isinstance(action.choices, dict):
                for parser in action.choices.values():
                    keys |= parser.flags()
        return keys

    def dump(self, *args: Any, **kwargs: Any) -> str:
        """The configuration as YAML, with registered names in place of import paths, and no empty `init_args`."""
        return re.sub(r"^ *init_args: \{\}\n", "", short_names(super().dump(*args, **kwargs)), flags=re.MULTILINE)

    def format_help(self, *args: Any) -> str:
        """The help, with registered names in place of import paths.

        First what all commands share and the command's own options, then those of its parts, last Lightning's.
        """
        groups = self.groups or {}
        own, lightning = groups.get(self.prog.split()[-1]), groups.get("trainer")

        def place(group: Any) -> int:
            last = group is lightning or group.title == "Linked arguments"
            return 2 if last else 0 if group is own or group.title in ("positional arguments", "options") else 1

        self._action_groups = sorted(self._action_groups, key=place)
        return re.sub(r"\bplcnn\.[\w.]+\.(?=[A-Z])", "", short_names(super().format_help(*args)))
