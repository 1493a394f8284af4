"""Callbacks that the ranks of the tests are given: one reports, one fails."""

import ctypes
import json
import os
import signal
import time
from pathlib import Path
from typing import Any, NoReturn

from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.errors import UserError

PLACE = "RANKS_FOLDER"
"""The environment variable with the folder in which they leave what they have to say."""


class Report(Callback):
    """Writes what each rank knows at the end of the training."""

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        known = {name: float(value) for name, value in trainer.callback_metrics.items()}
        total = sum(parameter.double().sum().item() for parameter in pl_module.parameters())
        place = Path(os.environ[PLACE]) / f"{trainer.global_rank}.json"
        folder = Path(trainer.default_root_dir).name
        place.write_text(json.dumps({"world": trainer.world_size, "total": total, "folder": folder, **known}))


class Fault(Callback):
    """Does something to one rank before a step, the first time that it comes there."""

    def __init__(self, what: str, rank: int, step: int = 4) -> None:
        self.what, self.rank, self.step = what, rank, step

    def on_train_batch_start(self, trainer: Trainer, *rest: Any) -> None:
        mark = Path(os.environ[PLACE]) / "struck"
        if trainer.global_rank == self.rank and trainer.global_step == self.step and not mark.exists():
            mark.write_text(str(time.time()))
            globals()[self.what]()


def raises() -> NoReturn:
    raise ArithmeticError("on purpose")


def mistake() -> NoReturn:
    raise UserError("the picture cannot be read; mend it")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exits() -> NoReturn:
    os._exit(3)


def sleeps() -> None:
    time.sleep(1000)


def blocks() -> None:
    ctypes.PyDLL(None).sleep(1000)  # and keeps the interpreter's lock


def loops() -> NoReturn:
    while True:
        pass


def terminates() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def interrupts() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def announces() -> None:
    os.kill(os.getpid(), signal.SIGUSR1)
