"""Checkpoints of a run: the best epoch and the last, each written aside, synced and renamed.

Lightning's ModelCheckpoint writes `last` only when `best` is written too (2.6), forgets the best value when the folder
has moved, and counts epochs in file names from 0; this one does what the run folder promises and nothing else.
"""

import os
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from plcnn.callbacks.history import history_of
from plcnn.callbacks.interruption import Interrupted
from plcnn.checkpoint import FOLDER
from plcnn.run import run_folder


class Checkpoints(Checkpoint):
    """Keeps `checkpoints/last.ckpt` and `checkpoints/best-epoch=N-METRIC=VALUE.ckpt` in the run folder.

    Args:
        monitor: the metric that decides which epoch is best; none keeps the last epoch alone.
        mode: whether a small ("min") or a large ("max") value is good.

    Attributes:
        best_value: the best value so far.
        best_path: its file.
        last_path: the last epoch's file.
    """

    def __init__(self, monitor: str | None = "val/acc", mode: Literal["min", "max"] = "max") -> None:
        self.monitor, self.mode = monitor, mode
        self.folder: Path | None = None
        self.best_value: float | None = None
        self.best_name = ""
        self._saved_step = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Learn the folder."""
        if stage == "fit":
            self.folder = run_folder(trainer) / FOLDER

    @property
    def last_path(self) -> Path | None:
        """The last epoch's checkpoint, once there is one."""
        path = self.folder / "last.ckpt" if self.folder else None
        return path if path and path.is_file() else None

    @property
    def best_path(self) -> Path | None:
        """The best epoch's checkpoint, once there is one."""
        path = self.folder / self.best_name if self.folder and self.best_name else None
        return path if path and path.is_file() else None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch that just ended."""
        self._save(trainer, history_of(trainer).rows[-1])

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save where an interrupted training stands; after any other exception the last good checkpoint stays."""
        if isinstance(exception, Interrupted | SIGTERMException) and trainer.global_step > self._saved_step:
            self._save(trainer, {})

    def _save(self, trainer: Trainer, row: dict[str, float]) -> None:
        if trainer.fast_dev_run or self.folder is None:
            return
        value = row.get(self.monitor) if self.monitor else None
        better = value is not None and (self.best_value is None or self._is_better(value, self.best_value))
        previous = self.best_path
        if better and value is not None and self.monitor:
            self.best_value = value
            self.best_name = f"best-epoch={int(row['epoch']):02d}-{self.monitor.replace('/', '_')}={value:.4f}.ckpt"
        aside = self.folder / "writing.tmp"
        self.folder.mkdir(parents=True, exist_ok=True)
        trainer.save_checkpoint(aside)
        self._saved_step = trainer.global_step
        if trainer.is_global_zero:
            _sync(aside)
            if better:
                _link(aside, self.folder / self.best_name)
            aside.replace(self.folder / "last.ckpt")
            _sync(self.folder)
            if better and previous and previous.name != self.best_name:
                previous.unlink(missing_ok=True)
        trainer.strategy.barrier("checkpoint saved")

    def _is_better(self, value: float, than: float) -> bool:
        return value > than if self.mode == "max" else value < than

    def state_dict(self) -> dict[str, Any]:
        """The best value and its file's name, for the checkpoint."""
        return {"monitor": self.monitor, "best_value": self.best_value, "best_name": self.best_name}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint's best value, where the metric is still the same one."""
        if state_dict["monitor"] == self.monitor:
            self.best_value, self.best_name = state_dict["best_value"], state_dict["best_name"]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Know that the step that was loaded is saved already."""
        self._saved_step = checkpoint["global_step"]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, at once and whole; copy it where the file system has no links."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        aside = target.with_suffix(".tmp")
        aside.write_bytes(source.read_bytes())
        _sync(aside)
        aside.replace(target)
