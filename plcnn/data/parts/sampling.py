"""Which pictures an epoch shows, and how often: each once, or every class equally often."""

from typing import Literal

import torch
from torch import Tensor

from plcnn.data.randomness import Draws, permutation

Sampling = Literal["each_once", "balanced"]

_STREAM = 1 << 20  # its numbers are no augmentation's


class Sampler:
    """The order of an epoch's pictures, a function of seed and epoch.

    Args:
        labels: int64 (pictures,).
        sampling: "each_once", or "balanced": as many pictures as there are, drawn with replacement so that every class
            is equally likely.
        seed: of the order.
    """

    def __init__(self, labels: Tensor, sampling: Sampling, seed: int) -> None:
        self.count, self.seed = len(labels), seed
        self.edges: Tensor | None = None
        if sampling == "balanced":
            labels = labels.cpu()  # a GPU would sum in another order
            weights = 1 / torch.bincount(labels).double()[labels]
            self.edges = weights.cumsum(0) / weights.sum()

    def order(self, epoch: int, device: torch.device) -> Tensor:
        """Pictures in the order in which they are shown, int64 (pictures,)."""
        if self.edges is None:
            return permutation(self.seed, epoch, self.count, device)
        places = torch.arange(self.count, device=device)
        numbers = Draws(self.seed, epoch, places, _STREAM).uniforms(2).double()
        drawn = numbers[:, 0] + numbers[:, 1] * 2**-24
        return torch.searchsorted(self.edges.to(device), drawn, right=True).clamp_(max=self.count - 1)

    def draws_of(self, order: Tensor) -> Tensor:
        """Numbers to draw augmentations by: a picture's own, and others when it is shown again, int64 (pictures,)."""
        if self.edges is None:
            return order
        grouped, places = order.sort(stable=True)
        ordinals = torch.arange(len(order), device=order.device)
        is_first = torch.ones_like(grouped, dtype=torch.bool)
        is_first[1:] = grouped[1:] != grouped[:-1]
        repeats = ordinals - torch.where(is_first, ordinals, 0).cummax(0).values
        return order + self.count * torch.empty_like(order).scatter_(0, places, repeats)
