"""The options of `fit` that all runs of a sweep share: parsed and checked, with nothing built."""

import os
import sys
from typing import Any

import torch

from plcnn.arguments import in_layers
from plcnn.cli import run as run_command
from plcnn.command_parser import CommandParser
from plcnn.errors import UserError, WrongCommandLine
from plcnn.fit_options import FitOptions
from plcnn.parser import CHOICES


class Settings(FitOptions):
    """`fit`, parsed and not built."""

    def _set_seed(self) -> None:
        pass

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def check(self, flags: list[str]) -> None:
        """Parse further options on top.

        Args:
            flags: options of `fit`.

        Raises:
            UserError: if `fit` would refuse them.
        """
        try:
            self.parser.parse_args(["fit", *in_layers([*self.arguments[1:], *flags], CHOICES)])
        except WrongCommandLine as error:
            raise UserError(str(error), exit_code=2) from error

    def as_yaml(self) -> str:
        """All settings, as a run's config.yaml has them."""
        return str(self._parser("fit").dump(self.config["fit"], skip_none=False))

    def get(self, key: str) -> Any:
        """A setting, by its option's name."""
        return self.config["fit"].get(key)


def parsed(options: list[str], parser: CommandParser) -> Settings:
    """Parse options of `fit`.

    Args:
        options: as they were typed.
        parser: of the command's own options.

    Raises:
        UserError: if `fit` would refuse them.
    """
    command = run_command(["fit", *options], command_class=lambda *given: Settings(*given, parser=parser))
    assert isinstance(command, Settings)
    return command


def gpus() -> list[str]:
    """The GPUs that can be used, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def can_fork(settings: Settings) -> bool:
    """Whether runs may be forked from one process that has everything imported."""
    one_process = settings.get("trainer.devices") in ("auto", 1, "1") and settings.get("trainer.num_nodes") == 1
    return sys.platform == "linux" and torch.cuda.device_count() == 0 and one_process
