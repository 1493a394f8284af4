"""Leaves in a run folder which pictures it trains on, validates with and holds out for testing."""

from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.data.parts.partition import names_of
from plcnn.data.parts.split_file import FILE, write_split
from plcnn.files import failing_softly
from plcnn.run import run_folder


class SplitFile(Callback):
    """Writes split.json before the first step; `--data.split_file RUN` splits another run's pictures alike."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file, on rank zero."""
        folder = run_folder(trainer)  # all ranks are asked
        if not trainer.is_global_zero or trainer.fast_dev_run:
            return
        data = trainer.datamodule
        whole = data.parts["train"].whole
        rows = {name: part.rows for name, part in data.parts.items() if part.whole is whole}
        with failing_softly(FILE):
            write_split(folder, data.source_choice.name, rows, data.hparams["split_from"], names_of(whole))
