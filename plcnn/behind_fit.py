"""Commands that take the options of `fit` behind their own: `plcnn tune`, `plcnn sweep`."""

import argparse
from collections.abc import Iterable

from plcnn.arguments import typed, without_option
from plcnn.command_parser import CommandParser
from plcnn.errors import UserError
from plcnn.suggestions import near


def part(arguments: list[str], parser: CommandParser) -> tuple[argparse.Namespace, list[str]]:
    """Part a command's own options, and what stands by itself, from the options of `fit`.

    Args:
        arguments: what follows the command; every option takes one value.
        parser: of the command's own.

    Returns:
        The own options, and those of `fit` as they were typed.

    Raises:
        UserError: if the own options are wrong.
    """
    if any(argument in ("-h", "--help") for argument in arguments):
        parser.parse_args(["--help"])
    options, alone = without_option(arguments)
    own: list[str] = list(alone)
    rest: list[str] = []
    group = rest
    awaits_value = False
    for argument in options:
        if not awaits_value:
            group = own if argument.split("=")[0] in parser._option_string_actions else rest
        group.append(argument)
        awaits_value = not awaits_value and "=" not in argument
    return parser.parse_args(own), rest


def refuse_unknown(rest: list[str], fit: Iterable[str], parser: CommandParser) -> None:
    """Refuse an option that is nobody's and looks like one of the command's own.

    Args:
        rest: what `part` left over.
        fit: keys of all options of `fit`.
        parser: of the command's own.

    Raises:
        UserError: if there is one; it names the nearest options.
    """
    own, known = set(parser._option_string_actions), {f"--{key}" for key in fit}
    for flag in typed(rest):
        option = f"--{flag}"
        matches = [] if option in known else near(option, known | own)
        if own.intersection(matches):
            raise UserError(f"there is no option {option}. Did you mean {' or '.join(matches)}?", exit_code=2)
