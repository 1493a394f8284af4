"""What a network answered to every picture of a set, in the set's order, however many devices shared the pictures."""

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class Outputs(NamedTuple):
    """A network's answers and the truth.

    Attributes:
        logits: float32 (pictures, classes).
        labels: int64 (pictures,).
    """

    logits: Tensor
    labels: Tensor

    @property
    def right(self) -> Tensor:
        """Whether the greatest logit is the label's, bool (pictures,)."""
        return self.logits.argmax(1) == self.labels

    @property
    def confusion(self) -> Tensor:
        """Pictures by truth (rows) and prediction (columns), int64 (classes, classes)."""
        number = self.logits.shape[1]
        places = self.labels * number + self.logits.argmax(1)
        return torch.bincount(places, minlength=number * number).reshape(number, number)


class Collected(Metric):
    """Collects the outputs of all ranks, of which each has every `world_size`-th picture.

    Args:
        rank: this process's number.
        world_size: number of processes.
    """

    logits: list[Tensor]
    labels: list[Tensor]
    places: list[Tensor]

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        super().__init__()
        self.rank, self.ranks, self._count = rank, world_size, 0
        for state in ("logits", "labels", "places"):
            self.add_state(state, [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch: logits (batch, classes), labels int64 (batch,)."""
        here = torch.arange(self._count, self._count + len(labels), device=labels.device)
        self._count += len(labels)
        self.logits.append(logits.float())
        self.labels.append(labels)
        self.places.append(here * self.ranks + self.rank)

    def compute(self) -> Outputs:
        """All outputs, on this rank's device; every rank gets the same."""
        logits, labels, places = (dim_zero_cat(state) for state in (self.logits, self.labels, self.places))
        order = places.argsort()
        return Outputs(logits[order], labels[order])
