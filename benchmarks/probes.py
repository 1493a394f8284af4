"""Callbacks that benchmarks add to `plcnn fit`, each of which prints what a child process alone can know."""

import json
from typing import Any

import torch
from lightning.pytorch import Callback

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
