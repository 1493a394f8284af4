"""Callbacks that take the disk away from a training, and give it back; and two that end a training."""

import os
import resource
import subprocess
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback

from plcnn.errors import UserError


class Fault(Callback):
    """Something is wrong with the disk from the end of an epoch, counted from 1, to that of another."""

    def __init__(self, first: int = 2, until: int = 99) -> None:
        self.first, self.until = first, until

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        epoch = trainer.current_epoch + 1
        if epoch == self.first:
            self.begin(Path(trainer.default_root_dir))
        if epoch == self.until:
            self.end(Path(trainer.default_root_dir))

    def begin(self, folder: Path) -> None:
        raise NotImplementedError

    def end(self, folder: Path) -> None:
        raise NotImplementedError


class Full(Fault):
    """No byte is left on the disk."""

    def begin(self, folder: Path) -> None:
        with open(folder.parent / "ballast", "wb", buffering=0) as file:
            try:
                while file.write(bytes(1024)):
                    pass
            except OSError:
                pass

    def end(self, folder: Path) -> None:
        (folder.parent / "ballast").unlink()


class ReadOnly(Fault):
    """The disk is read-only, as after an error of the file system."""

    def begin(self, folder: Path) -> None:
        subprocess.run(["mount", "-o", "remount,ro", mount_point(folder)], check=True)

    def end(self, folder: Path) -> None:
        subprocess.run(["mount", "-o", "remount,rw", mount_point(folder)], check=True)


class NoHandles(Fault):
    """The process may open no further file."""

    def begin(self, folder: Path) -> None:
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        self.before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, self.before[1]))

    def end(self, folder: Path) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, self.before)


def mount_point(folder: Path) -> Path:
    """The mounted folder in which a folder lies."""
    folder = folder.absolute()
    return folder if os.path.ismount(folder) else mount_point(folder.parent)


class Stop(Fault):
    """The training ends with an error."""

    def begin(self, folder: Path) -> None:
        pass

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == self.first:
            raise UserError("stopped")


class StopWithin(Callback):
    """The training ends with an error within an epoch, once so many optimizer steps are taken."""

    def __init__(self, steps: int = 8) -> None:
        self.steps = steps

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.steps:
            raise UserError("stopped")
