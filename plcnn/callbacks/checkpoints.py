"""Checkpoints of a run: the best epoch and the last, each written aside, synced and renamed.

Lightning's ModelCheckpoint writes `last` only when `best` is written too (2.6), forgets the best value when the folder
has moved, and counts epochs in file names from 0; this one does what the run folder promises and nothing else.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from plcnn.callbacks.history import history_of
from plcnn.callbacks.interruption import Interrupted
from plcnn.checkpoint import FOLDER, LAST
from plcnn.errors import UserError, wrong_value
from plcnn.files import reason, sync, written_aside
from plcnn.run import run_folder
from plcnn.terminal import warn


class Checkpoints(Checkpoint):
    """Keeps `checkpoints/last.ckpt` and `checkpoints/best-epoch=N-METRIC=VALUE.ckpt` in the run folder.

    Where the disk does not take one, the training goes on with a warning, and the one before it stays.

    Args:
        monitor: the metric that decides which epoch is best; none keeps the last epoch alone.
        mode: whether a small ("min") or a large ("max") value is good.
        every_n_steps: write `last.ckpt` within epochs, too, each time so many optimizer steps are taken; 0 for never.

    Attributes:
        best_value: the best value so far.
        best_path: its file.
        good_path: the file to go on from.
        last_path: the last checkpoint's file.

    Raises:
        UserError: if a value is out of range; or, at the end, if the last epoch could not be written.
    """

    def __init__(
        self, monitor: str | None = "val/acc", mode: Literal["min", "max"] = "max", every_n_steps: int = 0
    ) -> None:
        if every_n_steps < 0:
            raise wrong_value("--checkpoints.every_n_steps", every_n_steps, "0 or more steps", 500)
        self.monitor, self.mode, self.every_n_steps = monitor, mode, every_n_steps
        self.folder: Path | None = None
        self.best_value: float | None = None
        self.best_name = ""
        self._saved_step = 0
        self._failure = ""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Learn the folder."""
        if stage == "fit":
            self.folder = run_folder(trainer) / FOLDER

    @property
    def last_path(self) -> Path | None:
        """The last checkpoint, once there is one."""
        path = self.folder / LAST if self.folder else None
        return path if path and path.is_file() else None

    @property
    def best_path(self) -> Path | None:
        """The best epoch's checkpoint, once there is one."""
        path = self.folder / self.best_name if self.folder and self.best_name else None
        return path if path and path.is_file() else None

    @property
    def good_path(self) -> Path | None:
        """The checkpoint to go on from, once there is one."""
        return self.last_path or self.best_path

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Save between two steps of an epoch."""
        step = trainer.global_step
        if self.every_n_steps and step > self._saved_step and step % self.every_n_steps == 0:
            self._save(trainer, {})

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch that just ended."""
        self._save(trainer, history_of(trainer).rows[-1])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Try once more to save the last epoch, if the disk did not take it."""
        if self._failure:
            self._save(trainer, history_of(trainer).rows[-1])
        if self._failure:
            raise UserError(f"The last epoch's checkpoint could not be written: {self._failure}. {self._last_good()}")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save where an interrupted training stands; after any other exception the last good checkpoint stays."""
        if isinstance(exception, Interrupted | SIGTERMException) and trainer.global_step > self._saved_step:
            self._save(trainer, {})

    def _save(self, trainer: Trainer, row: dict[str, float]) -> None:
        if trainer.fast_dev_run or self.folder is None:
            return
        before = self.best_value, self.best_name
        value = row.get(self.monitor) if self.monitor else None
        if value is not None and (self.best_value is None or self._is_better(value, self.best_value)):
            self.best_value, self.best_name = value, self._best_file(f"{int(row['epoch']):02d}", f"{value:.4f}")
        self._failure = trainer.strategy.broadcast(self._write(trainer, self.best_name != before[1]))
        if not self._failure:
            self._saved_step = trainer.global_step
            return
        self.best_value, self.best_name = before
        if trainer.is_global_zero:
            warn(
                f"the checkpoint of step {trainer.global_step} could not be written: {self._failure}. "
                f"{self._last_good()} The training goes on."
            )

    def _write(self, trainer: Trainer, better: bool) -> str:
        """Write `last.ckpt`, and the best one where it is better; returns why that was not possible, or nothing."""
        assert self.folder is not None
        aside = self.folder / f"{LAST}.tmp"
        try:
            trainer.save_checkpoint(aside)
        except OSError as error:
            trainer.strategy.barrier("Trainer.save_checkpoint")  # where the other ranks wait
            with suppress(OSError):
                aside.unlink()
            return reason(error)
        if not trainer.is_global_zero:
            return ""
        try:
            if better:
                _link(aside, self.folder / self.best_name)
            aside.replace(self.folder / LAST)
            sync(self.folder)
            for worse in self.folder.glob(self._best_file("*", "*")) if self.best_name else ():
                if worse.name != self.best_name:
                    worse.unlink()
        except OSError as error:
            return reason(error)
        return ""

    def _best_file(self, epoch: str, value: str) -> str:
        metric = (self.monitor or "").replace("/", "_")
        return f"best-epoch={epoch}-{metric}={value}.ckpt"

    def _last_good(self) -> str:
        return f"The last good one is {self.good_path}." if self.good_path else "There is none before it."

    def _is_better(self, value: float, than: float) -> bool:
        return value > than if self.mode == "max" else value < than

    def state_dict(self) -> dict[str, Any]:
        """The best value and its file's name, for the checkpoint."""
        return {"monitor": self.monitor, "best_value": self.best_value, "best_name": self.best_name}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint's best value, where the metric is still the same one."""
        best, name = state_dict["best_value"], state_dict["best_name"]
        if not isinstance(best, float | int | None) or not isinstance(name, str) or Path(name).name != name:
            raise ValueError("the best checkpoint's value or name is none")
        if state_dict["monitor"] == self.monitor:
            self.best_value, self.best_name = best, name

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Know that the step that was loaded is saved already."""
        self._saved_step = checkpoint["global_step"]


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, at once and whole; copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        with written_aside(target) as aside:
            shutil.copyfile(source, aside)
