"""One pass over all pictures of a set: sizes, modes, hashes, means, what cannot be read, and the fitted pixels."""

import hashlib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from plcnn.compute import usable_cores
from plcnn.data.kept.near_hashes import near_hashes
from plcnn.data.kept.stores import Unfitted
from plcnn.data.reading.decoding import Decoded
from plcnn.data.reading.in_memory import as_pil, fitted_of_any_kind, opened
from plcnn.data.reading.pictures import Resize, least_sides, why_unreadable, with_channels
from plcnn.data.scaling import Scaling
from plcnn.data.workers import Workers
from plcnn.terminal import printable

OF_EACH = ("sizes", "modes", "formats", "exact", "near", "moving", "transparent", "sums", "squares")
"""What a survey has an entry of for each picture."""

_AT_ONCE = 32
"""Pictures that a process reads before it tells of them."""


@dataclass
class Survey:
    """What there is to know of each picture, in the order of the store; zeros and "" where it cannot be read.

    Attributes:
        sizes: int32 (pictures, 2), height and width as stored.
        modes: Pillow's modes as stored; of arrays with a number of channels that Pillow has none for, "5 channels".
        formats: Pillow's names of the files' formats; "" for what is no file.
        exact: uint8 (pictures, 32), SHA-256 of size and pixels, upright, in RGB of 8 bits with transparency laid on
            white, whatever the mode was: what a network gets. A JPEG that is decoded at a part of its size for its
            shape (`decoding.decoded`) is hashed so.
        near: uint64 (pictures, 2), ImageHash's phash and dhash of 8 × 8 bits; few bits differ in pictures that look
            alike.
        moving: bool (pictures,), whether a file holds more pictures than the first, the one that counts.
        transparent: bool (pictures,), whether a part can be seen through, which is laid on white.
        sums: uint32 (pictures, channels), of all values of the fitted picture, from 0 to 255.
        squares: uint64 (pictures, channels), of their squares.
        values: how many values are in each of these sums.
        faults: why a picture cannot be read, by its index.
    """

    sizes: np.ndarray
    modes: list[str]
    formats: list[str]
    exact: np.ndarray
    near: np.ndarray
    moving: np.ndarray
    transparent: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    values: int
    faults: dict[int, str] = field(default_factory=dict)

    def scaling(self) -> Scaling | None:
        """Mean and standard deviation of each channel over all fitted pictures, of values from 0 to 1.

        Returns:
            None where no picture can be read.
        """
        readable = len(self.sums) - len(self.faults)
        if not readable:
            return None
        # whole numbers until the end: they add up to the same in any order
        means, squares = (of.sum(0, dtype=np.uint64) / (readable * self.values) for of in (self.sums, self.squares))
        deviation = np.sqrt((squares - means**2).clip(min=0))
        return Scaling((means / 255).tolist(), (deviation / 255).tolist())

    def save(self, path: Path) -> None:
        """Write it to an .npz file.

        Raises:
            OSError: if it cannot be written.
        """
        arrays: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "faults"}
        arrays["fault_rows"] = np.array(list(self.faults), np.int64)
        arrays["fault_texts"] = np.array(list(self.faults.values()), str)
        with path.open("wb") as file:  # np.savez would add a suffix to a path
            np.savez(file, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})

    @classmethod
    def load(cls, path: Path) -> "Survey":
        """Read what `save` wrote.

        Raises:
            Exception: of any kind, if the file is none or is damaged.
        """
        # opened here: NumPy would leave a damaged file open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
        rows, texts = content.pop("fault_rows").tolist(), content.pop("fault_texts").tolist()
        modes, formats, values = (content.pop(name).tolist() for name in ("modes", "formats", "values"))
        return cls(**content, modes=modes, formats=formats, values=values, faults=dict(zip(rows, texts, strict=True)))


def survey(
    pictures: Unfitted, image_shape: tuple[int, int, int], resize: Resize = "stretch", into: np.memmap | None = None
) -> Survey:
    """Read every picture once, in as many processes as there are cores; a bar on the error stream tells how far it is.

    Args:
        pictures: of any kinds and sizes.
        image_shape: channels, height and width to bring them to.
        resize: how.
        into: uint8 (pictures, *image_shape), a file mapped for writing, which gets the fitted pictures.

    Raises:
        UserError: if a process died.
    """
    found = _empty(len(pictures), image_shape)
    looking = _Looking(pictures, image_shape, resize, into)
    starts = range(0, len(pictures), _AT_ONCE)
    processes = min(usable_cores(), len(starts))
    with Workers(looking, processes, ahead=4) as workers:
        parts = workers.results(starts) if processes > 1 else map(looking, starts)
        bar = None
        for start, part in parts:
            # not before the processes have started: it starts a thread, and a fork takes no thread along
            bar = bar or tqdm(total=len(pictures), desc="reading pictures", delay=1, leave=False, disable=None)
            _add(found, start, part)
            bar.update(len(part.modes))
        if bar:
            bar.close()
    found.faults = dict(sorted(found.faults.items()))
    return found


def _empty(count: int, image_shape: tuple[int, int, int]) -> Survey:
    channels, height, width = image_shape
    return Survey(
        sizes=np.zeros((count, 2), np.int32),
        modes=[""] * count,
        formats=[""] * count,
        exact=np.zeros((count, 32), np.uint8),
        near=np.zeros((count, 2), np.uint64),
        moving=np.zeros(count, bool),
        transparent=np.zeros(count, bool),
        sums=np.zeros((count, channels), np.uint32),
        squares=np.zeros((count, channels), np.uint64),
        values=height * width,
    )


def _add(found: Survey, start: int, part: Survey) -> None:
    """Take over what is known of the pictures from `start` on."""
    rows = slice(start, start + len(part.modes))
    for name in OF_EACH:
        getattr(found, name)[rows] = getattr(part, name)
    found.faults.update({start + index: why for index, why in part.faults.items()})


class _Looking:
    """Looks at pictures, some at once, in whichever process; writes the fitted ones to their places in the file."""

    def __init__(
        self, pictures: Unfitted, image_shape: tuple[int, int, int], resize: Resize, into: np.memmap | None
    ) -> None:
        self.pictures, self.image_shape, self.resize = pictures, image_shape, resize
        # a pickled map would be a copy of its values
        self.place = None if into is None else (str(into.filename), into.offset, into.shape)

    def __call__(self, start: int) -> tuple[int, Survey]:
        indices = range(start, min(start + _AT_ONCE, len(self.pictures)))
        part = _empty(len(indices), self.image_shape)
        fitted = np.zeros((len(indices), *self.image_shape), np.uint8)
        greys: dict[int, Image.Image] = {}
        for place, index in enumerate(indices):
            try:
                picture = opened(self.pictures.picture(index), least_sides(self.image_shape))
                fitted[place] = fitted_of_any_kind(picture.picture, self.image_shape, self.resize)
                greys[place] = _describe(part, place, picture)
            except Exception as error:  # of a damaged file, Pillow may raise anything
                part.faults[place] = printable(why_unreadable(error))
        if greys:
            readable = list(greys)
            part.near[readable] = near_hashes(list(greys.values()))
            for place in readable:
                values = fitted[place].reshape(self.image_shape[0], -1)
                part.sums[place] = values.sum(1, dtype=np.uint64)
                part.squares[place] = np.square(values, dtype=np.uint32).sum(1, dtype=np.uint64)
        if self.place:
            file, offset, shape = self.place
            np.memmap(file, np.uint8, "r+", offset, shape)[indices.start : indices.stop] = fitted
        return start, part


def _describe(part: Survey, place: int, picture: Decoded) -> Image.Image:
    """Write down what a picture is like, but for its near hashes, which are made of the grey picture returned."""
    pixels = picture.picture
    part.sizes[place] = picture.height, picture.width
    part.modes[place], part.formats[place], part.moving[place] = picture.mode, picture.format, picture.moving
    if isinstance(pixels, np.ndarray):
        if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4):
            grey = Image.fromarray(pixels.mean(2).round().astype(np.uint8))
            part.exact[place] = _exact(picture, picture.mode, pixels.tobytes())
            return grey
        pixels = as_pil(pixels)
    part.transparent[place] = pixels.has_transparency_data and _opacity(pixels) < 255
    part.exact[place] = _exact(picture, "RGB", with_channels(pixels, 3).tobytes())
    return with_channels(pixels, 1)


def _opacity(pixels: Image.Image) -> int:
    """The least opacity of a picture, 0 to 255."""
    least, _ = pixels.convert("RGBA").getchannel("A").getextrema()
    return int(least)  # type: ignore[arg-type]


def _exact(picture: Decoded, mode: str, pixels: bytes) -> np.ndarray:
    digest = hashlib.sha256(f"{picture.width} {picture.height} {mode}\n".encode())
    digest.update(pixels)
    return np.frombuffer(digest.digest(), np.uint8)
