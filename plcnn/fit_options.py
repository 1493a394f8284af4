"""The command line of `fit` behind that of another command: parsed as `fit` does, and not run."""

from typing import Any

from lightning.pytorch.cli import ArgsType, LightningArgumentParser

from plcnn.behind_fit import refuse_unknown
from plcnn.cli import CLI
from plcnn.command_parser import CommandParser


class FitOptions(CLI):
    """`fit`, parsed and not run.

    Args:
        arguments: what `CLI` takes.
        parser: of the command's own options.
    """

    def __init__(self, *arguments: Any, parser: CommandParser) -> None:
        self.own_parser = parser
        super().__init__(*arguments)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, once it is sure that no option was meant to be one of the command's own."""
        refuse_unknown(self.arguments[1:], self.flags(), self.own_parser)
        super().parse_arguments(parser, args)

    def flags(self) -> set[str]:
        """Keys of all options of `fit`."""
        found: set[str] = self._subcommand_parsers["fit"].flags()  # type: ignore[attr-defined]
        return found

    def _run_subcommand(self, subcommand: str) -> None:
        pass
