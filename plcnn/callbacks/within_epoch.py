"""What a checkpoint made within an epoch, between two steps, needs beside what Lightning keeps."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

KEY = "running_metrics"


class WithinEpoch(Callback):
    """Keeps the sums behind the training metrics, so that the epoch's figures are of all of it, and the steps' count.

    Lightning (2.6) counts the step that was about to be taken, and once more when the training goes on; what loggers
    draw afterwards would be moved by one.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Store each sum, (ranks,), and leave the step to come out of the count, where an epoch is under way."""
        loop = trainer.fit_loop
        epochs, batches = loop.epoch_progress.current, loop.epoch_loop.batch_progress.current
        if epochs.processed == epochs.started:
            return
        checkpoint[KEY] = {
            name: trainer.strategy.all_gather(value).reshape(-1).cpu() for name, value in _sums(pl_module).items()
        }
        kept = checkpoint["loops"]["fit_loop"]
        if trainer.validating:
            _begin_again(kept["epoch_loop.val_loop.batch_progress"])
        elif batches.ready > batches.started:
            kept["epoch_loop.batch_progress"]["total"]["ready"] -= 1
            kept["epoch_loop.batch_progress"]["is_last_batch"] = False

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Remember the sums."""
        self._kept = checkpoint.get(KEY, {})

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Go on from the sums: each rank from its own, or the first from all where their number has changed."""
        if self._kept:
            for metric in pl_module.metrics["train_metrics"].values():
                metric._update_count += 1  # else torchmetrics would doubt figures of an epoch with no further step
        for name, value in _sums(pl_module).items():
            if name in self._kept:
                ranks = self._kept[name]
                if len(ranks) == trainer.world_size:
                    value.copy_(ranks[trainer.global_rank])
                elif trainer.is_global_zero:
                    value.copy_(ranks.sum())
        self._kept = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Have the metrics read, even where the last step was taken before the training went on."""
        pl_module.hand_over("train")


def _begin_again(progress: dict[str, Any]) -> None:
    """Make of a validation's progress that of one whose first batch is under way: Lightning begins it again."""
    before = progress["total"]["completed"] - progress["current"]["completed"]
    for count, done in (("total", before), ("current", 0)):
        progress[count] = {"ready": done + 1, "started": done + 1, "processed": done, "completed": done}
    progress["is_last_batch"] = False


def _sums(pl_module: Any) -> dict[str, Tensor]:
    """The states of the training metrics, by metric and state; each is a number."""
    return {
        f"{metric}.{state}": value
        for metric, values in pl_module.metrics["train_metrics"].items()
        for state, value in values.metric_state.items()
        if isinstance(value, torch.Tensor)
    }
