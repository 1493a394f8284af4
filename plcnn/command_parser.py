"""The parser of the commands that need no trainer: argparse's, with the errors of all commands."""

import argparse
import re
from typing import NoReturn

from plcnn.errors import UserError
from plcnn.suggestions import did_you_mean


class CommandParser(argparse.ArgumentParser):
    """Parses `plcnn COMMAND`; what is wrong is a `UserError` that names the nearest option.

    Args:
        command: the command's name.
        description: what it does, in a sentence.
        epilog: what follows the options in its help, line by line.
    """

    def __init__(self, command: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=f"plcnn {command}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.command = command

    def error(self, message: str) -> NoReturn:
        """Raise the error that argparse found.

        Raises:
            UserError: always.
        """
        help_hint = f"`plcnn {self.command} --help` lists all."
        if message.startswith("unrecognized arguments: -"):
            typed, known = message.split()[2].split("=")[0], self._option_string_actions
            raise UserError(f"there is no option {typed}. {did_you_mean(typed, known, help_hint)}", exit_code=2)
        if found := re.fullmatch(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", message):
            key, typed, listed = found.groups()
            choices = re.findall(r"[^\s,']+", listed)
            raise UserError(f"{self.command} {key}: got {typed!r}. {did_you_mean(typed, choices)}", exit_code=2)
        raise UserError(f"{self.command}: {message}. {help_hint}", exit_code=2)


def whole_number(text: str) -> int:
    """The type of an option that takes a whole number of 1 or more.

    Raises:
        ArgumentTypeError: if it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return int(text)
