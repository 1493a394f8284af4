"""The data of `fit`, built from the same options, and nothing else of it."""

from typing import Any

from lightning.pytorch.cli import ArgsType, LightningArgumentParser

from plcnn.behind_fit import refuse_unknown
from plcnn.cli import CLI
from plcnn.command_parser import CommandParser
from plcnn.data.module import ImageData


class DataOfFit(CLI):
    """`fit`, parsed; of what it would build, the data module alone, not set up yet.

    Args:
        arguments: what `CLI` takes.
        parser: of the command's own options.
    """

    datamodule: ImageData

    def __init__(self, *arguments: Any, parser: CommandParser) -> None:
        self.own_parser = parser
        super().__init__(*arguments)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, once it is sure that no option was meant to be one of the command's own."""
        refuse_unknown(self.arguments[1:], self._subcommand_parsers[self.command].flags(), self.own_parser)  # type: ignore[attr-defined]
        super().parse_arguments(parser, args)

    def before_instantiate_classes(self) -> None:
        """Check nothing: it is all about training."""

    def instantiate_classes(self) -> None:
        """Build the data module; a network, and the weights that it may start from, are not needed."""
        self.datamodule = ImageData(**self.config[self.command]["data"].as_dict())

    def _run_subcommand(self, subcommand: str) -> None:
        pass
