"""The progress bar of a terminal: Lightning's, counting epochs from 1 and leaving nothing but the epoch lines."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

SECONDS_BETWEEN = 0.1
"""Drawing takes longer than a small network's step."""


class ProgressBar(TQDMProgressBar):
    """Shows how far the epoch is; it is gone when the epoch's line is printed."""

    def __init__(self) -> None:
        super().__init__(leave=False)
        self._drawn = 0.0

    def on_train_epoch_start(self, trainer: Trainer, *args: Any) -> None:
        """Name the epoch as its line will."""
        super().on_train_epoch_start(trainer, *args)
        self.train_progress_bar.set_description(f"epoch {trainer.current_epoch + 1}")

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What stands behind the bar: nothing, the epoch's line has it all."""
        return {}

    def _should_update(self, current: int, total: int) -> bool:
        """Draw ten times a second at most, and at the end."""
        now = time.monotonic()
        due = super()._should_update(current, total) and (current == total or now - self._drawn >= SECONDS_BETWEEN)
        self._drawn = now if due else self._drawn
        return due
