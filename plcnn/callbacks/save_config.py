"""config.yaml: all settings of a run, in its folder."""

from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.cli import LightningArgumentParser

from plcnn.run import run_folder, unused


class SaveConfig(Callback):
    """Saves the configuration into the run folder; a resumed run adds config_2.yaml and so on.

    Args:
        parser: the parser of the command.
        config: what it parsed.
    """

    def __init__(self, parser: LightningArgumentParser, config: Any) -> None:
        self.parser, self.config = parser, config

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Write the file, on rank zero."""
        folder = run_folder(trainer)
        if stage != "fit" or not trainer.is_global_zero or trainer.fast_dev_run:
            return
        unused(folder / "config.yaml").write_text(self.parser.dump(self.config, skip_none=False))
