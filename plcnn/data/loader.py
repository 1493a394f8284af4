"""Batches of pictures: indices, one gather, each augmentation once for the whole batch."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from plcnn.data.augmentations import Augment, apply
from plcnn.data.batchwise.mixing import Mixing
from plcnn.data.keep import Place
from plcnn.data.kept.stores import Pictures
from plcnn.data.parts.sampling import Sampler, Sampling
from plcnn.data.randomness import Draws
from plcnn.data.readers import reader


class Batch(NamedTuple):
    """Pictures and their labels.

    Attributes:
        images: (batch, channels, height, width), uint8, or float from 0 to 1 where they were augmented.
        labels: int64 (batch,), or the classes' shares, float (batch, classes), where pictures were mixed.
    """

    images: Tensor
    labels: Tensor


class BatchLoader:
    """Iterates over pictures, in order, or shuffled and augmented by counter-based randomness.

    On several devices each rank takes every `world_size`-th picture. For training, ranks get equally many pictures, so
    that they take equally many steps; for evaluation every picture is read exactly once, none twice, none dropped.

    Args:
        images: the pictures; where `place` is "device", a tensor on the device of the labels.
        labels: int64 (pictures,), on the device that gets the batches.
        batch_size: pictures in a batch; the last one may be smaller.
        train: shuffle anew each epoch and share out equally.
        sampling: in training, whether an epoch shows each picture once or every class equally often.
        augments: applied to each batch in order; their randomness depends on seed, epoch and picture alone.
        mixing: mixes each batch after that.
        seed: of the order and of the augmentation.
        position: tells, when an iteration starts, the current epoch and how many of its batches are done already.
        rank: this process's number among `world_size`.
        world_size: number of processes that share the pictures.
        place: where the pictures lie; the batches are the same.
        workers: processes that read them if they lie with workers.
    """

    def __init__(
        self,
        images: Pictures,
        labels: Tensor,
        batch_size: int,
        *,
        train: bool = False,
        sampling: Sampling = "each_once",
        augments: Sequence[Augment] = (),
        mixing: Mixing | None = None,
        seed: int = 0,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
        rank: int = 0,
        world_size: int = 1,
        place: Place = "device",
        workers: int = 2,
    ) -> None:
        self.read = reader(images, place, labels.device, workers)
        self.labels, self.order_device = labels, labels.device if place == "device" else torch.device("cpu")
        self.batch_size, self.train, self.augments, self.mixing = batch_size, train, augments, mixing
        self.seed, self.position, self.rank, self.world_size = seed, position, rank, world_size
        self._sampler = Sampler(labels, sampling, seed) if train else None

    def _pictures(self, epoch: int) -> tuple[Tensor, Tensor]:
        """This rank's pictures in the epoch's order, and the numbers to draw their augmentations by, int64."""
        if self._sampler is None:
            mine = torch.arange(len(self.labels), device=self.order_device)[self.rank :: self.world_size]
            return mine, mine
        order = self._sampler.order(epoch, self.order_device)
        mine, draws_of = (
            numbers[: self._count() * self.world_size][self.rank :: self.world_size]
            for numbers in (order, self._sampler.draws_of(order))
        )
        return mine, draws_of

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
        order, draws_of = self._pictures(epoch)
        here = order.to(self.labels.device)
        batches, pictures, draws = (
            numbers.split(self.batch_size)[done : len(self)]
            for numbers in (order, here, draws_of.to(self.labels.device))
        )
        for number, (rows, own, images) in enumerate(zip(pictures, draws, self.read(batches), strict=True), done):
            yield self._batch(epoch, number, rows, own, images)

    def _batch(self, epoch: int, number: int, pictures: Tensor, draws_of: Tensor, images: Tensor) -> Batch:
        labels = self.labels.index_select(0, pictures)
        images = apply(self.augments, images, Draws(self.seed, epoch, draws_of))
        if self.mixing is not None:
            images = images.float().div_(255) if images.dtype == torch.uint8 else images
            images, labels = self.mixing(images, labels, epoch, number, self.rank)
            images = images.contiguous(memory_format=torch.channels_last)
        return Batch(images, labels)

    def state_dict(self) -> dict[str, int]:
        """Nothing: `position` tells where an epoch goes on. Having this tells Lightning that it can."""
        return {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Nothing is kept, so nothing is restored."""
