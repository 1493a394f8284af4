"""config.yaml: all settings of a run, in its folder."""

from typing import Any

import yaml
from lightning.pytorch import Callback
from lightning.pytorch.cli import LightningArgumentParser

from plcnn.errors import UserError
from plcnn.files import reason, written_aside
from plcnn.run import newest_config, run_folder, unused


class SaveConfig(Callback):
    """Saves the configuration into the run folder; a resumed run with other settings adds config_2.yaml.

    Args:
        parser: the parser of the command.
        config: what it parsed.
    """

    def __init__(self, parser: LightningArgumentParser, config: Any) -> None:
        self.parser, self.config = parser, config

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Write a new run's file, before anything else: with it, the run can go on.

        Raises:
            UserError: if the disk does not take it.
        """
        if stage == "fit" and trainer.starts_afresh:
            self._save(trainer)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Write the settings of a run that goes on, once its checkpoint has been taken."""
        if not trainer.starts_afresh:
            self._save(trainer)

    def _save(self, trainer: Any) -> None:
        """Write the file, on rank zero, unless the newest one there says the same."""
        folder = run_folder(trainer)
        if not trainer.is_global_zero or trainer.fast_dev_run:
            return
        text = self.parser.dump(self.config, skip_none=False)
        newest = newest_config(folder)
        if newest and yaml.safe_load(newest.read_text(encoding="utf-8")) == yaml.safe_load(text):
            return
        try:
            with written_aside(unused(folder / "config.yaml")) as aside:
                aside.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{folder / 'config.yaml'} cannot be written: {reason(error)}.") from error
