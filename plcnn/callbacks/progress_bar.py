"""The progress bar of a terminal: Lightning's, counting epochs from 1 and leaving nothing but the epoch lines."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar


class ProgressBar(TQDMProgressBar):
    """Shows how far the epoch is; it is gone when the epoch's line is printed."""

    def __init__(self) -> None:
        super().__init__(leave=False)

    def on_train_epoch_start(self, trainer: Trainer, *args: Any) -> None:
        """Name the epoch as its line will."""
        super().on_train_epoch_start(trainer, *args)
        self.train_progress_bar.set_description(f"epoch {trainer.current_epoch + 1}")

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What stands behind the bar: nothing, the epoch's line has it all."""
        return {}
