"""Pictures that do not lie in memory: what a source may return instead of a tensor."""

from collections.abc import Sequence
from typing import Protocol, TypeGuard

import torch
from torch import Tensor

from plcnn.data.reading.in_memory import Picture, image_of
from plcnn.data.reading.pictures import Resize, why_unreadable
from plcnn.errors import UserError
from plcnn.terminal import printable

MOST_COPIED = 2**30
"""Bytes of a set up to which the pictures of a part of it are copied, so that they lie together."""


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


class Unfitted(Protocol):
    """Pictures of any kinds and sizes, which are not read yet; it travels to worker processes."""

    def __len__(self) -> int:
        """How many pictures there are."""

    def picture(self, index: int) -> Picture:
        """A picture's file, content or values."""

    def name(self, index: int) -> str:
        """What a picture is called, in messages and tables."""


def is_unfitted(images: "Tensor | PictureStore | Unfitted") -> TypeGuard[Unfitted]:
    """Whether pictures are of any kinds and sizes."""
    return hasattr(images, "picture")


class Fitted:
    """A store that brings pictures of any sizes to one shape whenever they are read.

    Args:
        pictures: of any kinds and sizes.
        shape: channels, height and width to bring them to.
        resize: how.
    """

    def __init__(self, pictures: Unfitted, shape: tuple[int, int, int], resize: Resize = "stretch") -> None:
        self.pictures, self.shape, self.resize = pictures, shape, resize

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, indices: Tensor) -> Tensor:
        """Read pictures, uint8 (batch, channels, height, width).

        Raises:
            UserError: naming a picture that cannot be read.
        """
        # as decoders have it, and as the network wants it: a pixel's channels beside each other
        images = torch.empty((len(indices), *self.shape), dtype=torch.uint8, memory_format=torch.channels_last)
        values = images.numpy()
        for place, index in enumerate(indices.tolist()):
            try:
                values[place] = image_of(self.pictures.picture(index), self.shape, self.resize)
            except Exception as error:  # of a damaged file, Pillow may raise anything
                name = printable(self.pictures.name(index))
                raise UserError(f"{name} cannot be read: {why_unreadable(error)}.") from error
        return images


class Several:
    """Pictures in memory or in a store, as pictures that may be brought to another shape.

    Args:
        images: uint8 (pictures, channels, height, width), or a store.
    """

    def __init__(self, images: "Tensor | PictureStore") -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def picture(self, index: int) -> Tensor:
        """The picture's values, uint8 (channels, height, width)."""
        return self.images[index] if isinstance(self.images, Tensor) else self.images.read(torch.tensor([index]))[0]

    def name(self, index: int) -> str:
        """The picture's number."""
        return f"picture {index} (from 0)"


def as_unfitted(images: "Tensor | PictureStore | Unfitted") -> Unfitted:
    """Pictures as some that may be brought to another shape."""
    return images if is_unfitted(images) else Several(images)  # type: ignore[arg-type]


class Chosen:
    """Some of several pictures, in an order of their own.

    Args:
        pictures: of any kinds and sizes.
        indices: which of them.
    """

    def __init__(self, pictures: Unfitted, indices: Sequence[int]) -> None:
        self.pictures, self.indices = pictures, indices

    def __len__(self) -> int:
        return len(self.indices)

    def picture(self, index: int) -> Picture:
        """A picture's file, content or values."""
        return self.pictures.picture(self.indices[index])

    def name(self, index: int) -> str:
        """What a picture is called."""
        return self.pictures.name(self.indices[index])


class Held:
    """Pictures in memory, or mapped into it, as a store: some of them can be taken without a copy.

    Args:
        images: uint8 (pictures, channels, height, width), on the CPU.
    """

    def __init__(self, images: Tensor) -> None:
        channels, height, width = images.shape[1:]
        self.images, self.shape = images, (channels, height, width)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices: Tensor) -> Tensor:
        """Pictures by their numbers, uint8 (batch, channels, height, width)."""
        return self.images.index_select(0, indices)


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
    """Some of the pictures, in order; a run of them shares the memory of `images`, as do some of very many.

    Args:
        images: all pictures.
        rows: int64 (count,), ascending.
    """
    if not isinstance(images, Tensor):
        return Part(images, rows)
    if len(rows) and int(rows[-1] - rows[0]) == len(rows) - 1:
        return images[int(rows[0]) : int(rows[-1]) + 1]
    return images[rows] if images.nbytes <= MOST_COPIED else Part(Held(images), rows)
