"""Lookahead: slow weights follow the trained ones, which start again from them every few steps.

Zhang and others, "Lookahead optimizer: k steps forward, 1 step back", 2019, arXiv:1907.08610. As in the CIFAR-10 speed
records (Jordan, 2024, arXiv:2404.00498), the weight of the slow side rises, and batch norms' statistics follow, too.
"""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from plcnn.errors import wrong_value


class Lookahead(Callback):
    """Averages the weights over the training, and ends with the average.

    Args:
        enabled: whether to average at all.
        every: steps between two averagings, 1 or more.
        decay: the slow weights' share a step, 0 to below 1, reached at the end: it rises with the cube of the share of
            the training that is done.

    Raises:
        UserError: a value outside its range.
    """

    def __init__(self, enabled: bool = False, every: int = 5, decay: float = 0.95) -> None:
        if every < 1:
            raise wrong_value("--lookahead.every", every, "a number of steps, 1 or more", 5)
        if not 0 <= decay < 1:
            raise wrong_value("--lookahead.decay", decay, "a share from 0 up to, not including, 1", 0.95)
        self.enabled, self.every, self.decay = enabled, every, decay
        self._slow: list[Tensor] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the initial weights as the slow ones, or those of the checkpoint."""
        trained = _averaged_tensors(pl_module)
        self._slow = [s.to(t.device) for s, t in zip(self._slow, trained, strict=True)] if self._slow else []
        self._slow = self._slow or [t.clone() for t in trained]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Let the two meet."""
        step, steps = trainer.global_step, trainer.estimated_stepping_batches
        if step % self.every and step < steps:
            return
        trained = _averaged_tensors(pl_module)
        share = self.decay**self.every * (step / steps) ** 3
        torch._foreach_lerp_(self._slow, trained, 1 - share)
        torch._foreach_copy_(trained, self._slow)

    def state_dict(self) -> dict[str, Any]:
        """The slow weights, for the checkpoint."""
        return {"slow": self._slow}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint's slow weights."""
        self._slow = state_dict["slow"]


def _averaged_tensors(module: LightningModule) -> list[Tensor]:
    """Weights and statistics, without counts."""
    return [t.detach() for t in module.state_dict().values() if t.is_floating_point()]
