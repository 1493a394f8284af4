"""Callbacks that benchmarks add to `plcnn fit`, each of which prints what a child process alone can know."""

import json
import time
from typing import Any

import torch
from lightning.pytorch import Callback

from plcnn.callbacks.checkpoints import Checkpoints

FIRST_STEP = "first training step is done"


class FirstStep(Callback):
    """Prints a line when the first training step is done."""

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 1:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            print(FIRST_STEP, flush=True)


class CudaPeak(Callback):
    """Prints the peak of the GPU's memory as a line of JSON; null without a GPU."""

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        used = torch.cuda.is_initialized()
        allocated, reserved = (torch.cuda.max_memory_allocated, torch.cuda.max_memory_reserved)
        print(json.dumps({"allocated": allocated() if used else None, "reserved": reserved() if used else None}))


class SaveTimes(Callback):
    """Prints what each checkpoint took, and the last one's size, as a line of JSON."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        (self.checkpoints,) = (c for c in trainer.callbacks if isinstance(c, Checkpoints))
        save = self.checkpoints._save

        def timed(*arguments: Any) -> None:
            started = time.perf_counter()
            save(*arguments)
            self.seconds.append(time.perf_counter() - started)

        self.checkpoints._save = timed  # type: ignore[method-assign]

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        size, pictures = self.checkpoints.last_path.stat().st_size, trainer.datamodule.counts()["train"]
        print(json.dumps({"save_seconds": self.seconds, "checkpoint_bytes": size, "train_pictures": pictures}))
