"""The run's own record: one row an epoch, kept in the checkpoint and in history.csv."""

import csv
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.files import failing_softly, written_aside
from plcnn.run import HISTORY, run_folder

COLUMNS = ("epoch", "step", "train/loss", "train/acc", "val/loss", "val/acc", "lr", "seconds", "pictures/s")


class History(Callback):
    """Records each epoch's metrics, learning rate and speed.

    Attributes:
        rows: one dict an epoch, with the keys of `COLUMNS`; epochs count from 1; a metric not measured is missing.
        rate: the learning rate of the step being taken.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.rate = 0.0
        self.path: Path | None = None
        self._started = self._validation_seconds = 0.0
        self._pictures = 0
        self._validated = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Learn where the record is written."""
        if stage == "fit" and not trainer.fast_dev_run:
            self.path = run_folder(trainer) / HISTORY

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock: an epoch that goes on in its middle is not started anew."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._started, self._validation_seconds, self._pictures, self._validated = time.monotonic(), 0.0, 0, False

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Note the learning rate; after the step the schedule has moved on."""
        self.rate = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the pictures."""
        self._pictures += len(batch.labels) * trainer.world_size

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave validation out of the training speed."""
        self._validation_started = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that this epoch's validation metrics are new."""
        self._validation_seconds += time.monotonic() - self._validation_started
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the epoch."""
        seconds = time.monotonic() - self._started
        metrics = {
            k: float(v) for k, v in trainer.callback_metrics.items() if self._validated or k.startswith("train/")
        }
        self.rows.append(
            {
                "epoch": trainer.current_epoch + 1,
                "step": trainer.global_step,
                **{k: v for k, v in metrics.items() if k in COLUMNS},
                "lr": self.rate,
                "seconds": seconds,
                "pictures/s": self._pictures / max(seconds - self._validation_seconds, 1e-9),
            }
        )
        if self.path and trainer.is_global_zero:
            self._write()

    def _write(self) -> None:
        assert self.path is not None
        with (
            failing_softly(self.path.name),
            written_aside(self.path) as aside,
            aside.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)

    def best(self, metric: str, mode: str) -> dict[str, float] | None:
        """The row with the best value of a metric, the first of equals; None where it was never measured."""
        measured = [row for row in self.rows if metric in row]
        if not measured:
            return None
        return max(measured, key=lambda row: row[metric] if mode == "max" else -row[metric])

    def state_dict(self) -> dict[str, Any]:
        """The rows and the learning rate, for the checkpoint."""
        return {"rows": self.rows, "rate": self.rate}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint's rows."""
        self.rows, self.rate = list(state_dict["rows"]), state_dict.get("rate", 0.0)


def history_of(trainer: Trainer) -> History:
    """The trainer's record; every trainer of the command line has one."""
    return next(c for c in trainer.callbacks if isinstance(c, History))
