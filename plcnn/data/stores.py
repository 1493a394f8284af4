"""Pictures that do not lie in memory: what a source may return instead of a tensor."""

from typing import Protocol

import torch
from torch import Tensor


class PictureStore(Protocol):
    """Pictures that are read when a batch needs them, in worker processes (which get a copy of it) or in this one.

    Attributes:
        shape: channels, height and width of every picture.
    """

    shape: tuple[int, int, int]

    def __len__(self) -> int:
        """How many pictures there are."""

    def read(self, indices: Tensor) -> Tensor:
        """Read pictures.

        Args:
            indices: int64 (batch,), on the CPU.

        Returns:
            uint8 (batch, channels, height, width), on the CPU.
        """


class Part:
    """Some of a store's pictures, as a store of their own.

    Args:
        store: the store.
        rows: int64 (pictures,), which of its pictures; all of them if left out.
    """

    def __init__(self, store: PictureStore, rows: Tensor | None = None) -> None:
        self.store, self.shape = store, store.shape
        self.rows = torch.arange(len(store)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, indices: Tensor) -> Tensor:
        """Read pictures, uint8 (batch, channels, height, width), by their places in this part."""
        return self.store.read(self.rows[indices])

    def __getitem__(self, places: slice) -> Tensor:
        """The pictures of a slice, read."""
        return self.read(torch.arange(len(self))[places])


Pictures = Tensor | Part
"""Pictures in memory, uint8 (pictures, channels, height, width), or in a store."""


def read_rows(images: Pictures, rows: Tensor) -> Tensor:
    """Some pictures, uint8 (count, channels, height, width), on the CPU.

    Args:
        images: all pictures.
        rows: int64 (count,), in any order.
    """
    return images[rows.to(images.device)].cpu() if isinstance(images, Tensor) else images.read(rows)


def take(images: Tensor | PictureStore, rows: Tensor) -> Pictures:
    """Some of the pictures, in order; a run of them shares the memory of `images`.

    Args:
        images: all pictures.
        rows: int64 (count,), ascending.
    """
    if not isinstance(images, Tensor):
        return Part(images, rows)
    if len(rows) and int(rows[-1] - rows[0]) == len(rows) - 1:
        return images[int(rows[0]) : int(rows[-1]) + 1]
    return images[rows]
