"""The same epochs by hand: a callback of `plcnn fit` that runs a bare PyTorch loop in place of the training.

    PYTHONPATH=benchmarks plcnn fit --config configs/base.yaml --trainer.callbacks+ bare_loop.BareLoop

Network, loaders, optimizer, precision, threads, allocator and limits are those that the command set up. The loop does
what a careful program does by hand: steps, the epoch's mean loss and accuracy, and a validation pass. No Lightning, no
logging, no files. `base_epoch.py` and `loop_overhead.py` run it.
"""

import json
from functools import partial
from itertools import islice
from typing import Any

import torch
from common import Fit, fit
from device import Steps, seconds
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn import functional as F


class BareLoop(Callback):
    """Runs a bare loop when training would start, prints what it measured as a line of JSON, and ends the command."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        device = trainer.strategy.root_device
        steps = Steps(pl_module, str(trainer.precision), device, trainer.optimizers[0])
        train = _Pass(data.train_dataloader(), int(trainer.num_training_batches), device)
        val = _Pass(data.val_dataloader(), sum(map(int, trainer.num_val_batches)), device)
        epochs = []
        for _ in range(trainer.max_epochs or 1):
            pl_module.train()
            train_seconds = seconds(lambda: train.run(steps.train), device)
            pl_module.eval()
            val_seconds = seconds(lambda: val.run(partial(_evaluate, steps)), device)
            epochs.append({"train_seconds": train_seconds, "seconds": train_seconds + val_seconds})
        print(json.dumps({"bare_epochs": epochs, "steps": train.batches, "pictures": train.pictures}), flush=True)
        raise SystemExit(0)


def _evaluate(steps: Steps, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    logits = steps.evaluate(images).float()
    return F.cross_entropy(logits, labels), logits


class _Pass:
    """One pass over a loader, with the mean loss and the accuracy."""

    def __init__(self, loader: Any, batches: int, device: torch.device) -> None:
        self.loader, self.batches, self.device = loader, batches, device
        self.pictures = 0

    def run(self, step: Any) -> tuple[float, float]:
        loss, right, self.pictures = torch.zeros((), device=self.device), torch.zeros((), device=self.device), 0
        for batch in islice(self.loader, self.batches):
            mean, logits = step(batch.images, batch.labels)
            loss += mean * len(batch.labels)
            right += (logits.argmax(1) == batch.labels).sum()
            self.pictures += len(batch.labels)
        return float(loss) / max(self.pictures, 1), float(right) / max(self.pictures, 1)


def bare_fit(*arguments: str) -> Fit:
    """Run `plcnn fit` with the bare loop in place of its training."""
    return fit(*arguments, "--trainer.callbacks+", "bare_loop.BareLoop")
