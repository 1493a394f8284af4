"""Batches from pictures that lie in memory: indices, one gather, one augmentation for the whole batch."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from plcnn.data.augment import Augment
from plcnn.data.randomness import permutation, uniforms


class Batch(NamedTuple):
    """Pictures and their labels.

    Attributes:
        images: (batch, channels, height, width), uint8, or float from 0 to 1 where they were augmented.
        labels: int64 (batch,).
    """

    images: Tensor
    labels: Tensor


class BatchLoader:
    """Iterates over pictures in memory, in order, or shuffled and augmented by counter-based randomness.

    On several devices each rank takes every `world_size`-th picture. For training, ranks get equally many pictures, so
    that they take equally many steps; for evaluation every picture is read exactly once, none twice, none dropped.

    Args:
        images: uint8 (pictures, channels, height, width); kept channels-last.
        labels: int64 (pictures,).
        batch_size: pictures in a batch; the last one may be smaller.
        train: shuffle anew each epoch and share out equally.
        augment: applied to each batch; its randomness depends on seed, epoch and picture alone.
        seed: of the order and of the augmentation.
        position: tells, when an iteration starts, the current epoch and how many of its batches are done already.
        rank: this process's number among `world_size`.
        world_size: number of processes that share the pictures.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        batch_size: int,
        *,
        train: bool = False,
        augment: Augment | None = None,
        seed: int = 0,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.images = images.permute(0, 2, 3, 1).contiguous()
        self.labels = labels
        self.batch_size, self.train, self.augment = batch_size, train, augment
        self.seed, self.position, self.rank, self.world_size = seed, position, rank, world_size

    def _pictures(self, epoch: int) -> Tensor:
        """Indices of this rank's pictures in the epoch's order, int64."""
        count, device = len(self.labels), self.labels.device
        order = permutation(self.seed, epoch, count, device) if self.train else torch.arange(count, device=device)
        if not self.train:
            return order[self.rank :: self.world_size]
        return order[: self._count() * self.world_size][self.rank :: self.world_size]

    def _count(self) -> int:
        """How many pictures this rank reads in an epoch."""
        count, ranks = len(self.labels), self.world_size
        if not self.train:
            return len(range(self.rank, count, ranks))
        share = count // ranks
        # Batch norm cannot train on a batch of one picture.
        return share - 1 if share % self.batch_size == 1 and share > 1 else share

    def __len__(self) -> int:
        return -(-self._count() // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        epoch, done = self.position()
        for pictures in self._pictures(epoch).split(self.batch_size)[done:]:
            yield self._batch(epoch, pictures)

    def _batch(self, epoch: int, pictures: Tensor) -> Batch:
        images = self.images.index_select(0, pictures).permute(0, 3, 1, 2)
        labels = self.labels.index_select(0, pictures)
        if self.augment is not None and self.augment.draws:
            draws = uniforms(self.seed, epoch, pictures, self.augment.draws)
            images = self.augment(images.float().div_(255), draws)
        return Batch(images, labels)

    def state_dict(self) -> dict[str, int]:
        """Nothing: `position` tells where an epoch goes on. Having this tells Lightning that it can."""
        return {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Nothing is kept, so nothing is restored."""
