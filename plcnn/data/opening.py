"""The pictures of several parts, opened: in memory, mapped from a file, or in a store, all of one shape."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from plcnn.data.kept.cache import Prepared, prepared
from plcnn.data.kept.stores import Chosen, Pictures, Unfitted, as_unfitted, take
from plcnn.data.kept.survey import Survey
from plcnn.data.parts.partition import Parted
from plcnn.data.reading.pictures import Resize
from plcnn.data.sources import PictureSet


@dataclass(frozen=True)
class Shaping:
    """How pictures are brought to one shape, and where they are kept.

    Attributes:
        image_shape: channels, height and width.
        resize: how.
        cache_dir: folder of the prepared sets; in the user's cache if left out.
        cache_gb: the most that all prepared sets may take, in 10^9 bytes.
        skip_unreadable: whether to leave out what cannot be read, instead of refusing all.
    """

    image_shape: tuple[int, int, int]
    resize: Resize
    cache_dir: str | Path | None
    cache_gb: float
    skip_unreadable: bool


@dataclass
class Opened:
    """Parts that were opened.

    Attributes:
        sets: pictures and labels, int64, of each part.
        parts: what they are of, less what could not be read.
        surveyed: of each part whose pictures had to be read: what was found of them, and their places there.
        preparations: of the sets whose pictures had to be read.
    """

    sets: dict[str, tuple[Pictures, Tensor]] = field(default_factory=dict)
    parts: dict[str, Parted] = field(default_factory=dict)
    surveyed: dict[str, tuple[Survey, Tensor]] = field(default_factory=dict)
    preparations: list[Prepared] = field(default_factory=list)


def open_parts(parts: dict[str, Parted], shaping: Shaping) -> Opened:
    """Open parts; those of one set together, so that they lie together.

    Args:
        parts: by name.
        shaping: how.

    Raises:
        UserError: naming all pictures that cannot be read, unless they are to be left out.
    """
    result = Opened()
    faulty: list[tuple[Unfitted, dict[int, str]]] = []
    for read in read_parts(parts, shaping):
        whole, made = read.whole, read.prepared
        if made:
            result.preparations.append(made)
            faulty.append((read.pictures, made.survey.faults))
        for name, places in read.places.items():
            if made:
                places = places[~torch.isin(places, torch.tensor(list(made.survey.faults), dtype=torch.int64))]
                result.surveyed[name] = made.survey, places
            result.parts[name] = Parted(whole, read.rows[places])
            chosen = take(made.images, places) if made else take(whole.images, parts[name].rows)  # type: ignore[arg-type]
            result.sets[name] = chosen, result.parts[name].labels()
    if any(faults for _, faults in faulty) and not shaping.skip_unreadable:
        from plcnn.inspection.unreadable import refusal

        raise refusal(faulty)
    return result


class Read(NamedTuple):
    """Pictures of one set.

    Attributes:
        whole: the set.
        rows: int64, which of it, ascending.
        places: int64, which of these each part has.
        pictures: these, as they were given.
        prepared: the same in one shape; none where all have it already, and nothing had to be read.
    """

    whole: PictureSet
    rows: Tensor
    places: dict[str, Tensor]
    pictures: Unfitted
    prepared: Prepared | None


def read_parts(parts: dict[str, Parted], shaping: Shaping) -> Iterator[Read]:
    """Read parts, as far as they have to be brought to their shape; those of one set together.

    Args:
        parts: by name.
        shaping: how; what cannot be read is told by the surveys alone.
    """
    for whole, rows in _together(list(parts.values())):
        places = {name: torch.searchsorted(rows, part.rows) for name, part in parts.items() if part.whole is whole}
        pictures = as_unfitted(whole.images)
        pictures = pictures if len(rows) == len(pictures) else Chosen(pictures, rows.tolist())
        made = None
        if not _has_shape(whole.images, shaping.image_shape):
            made = prepared(pictures, shaping.image_shape, shaping.resize, shaping.cache_dir, shaping.cache_gb)
        yield Read(whole, rows, places, pictures, made)


def _together(parts: list[Parted]) -> list[Parted]:
    """For each set, all of its rows that are in any of the parts, ascending."""
    wholes = {id(part.whole): part.whole for part in parts}
    rows = {key: torch.cat([part.rows for part in parts if id(part.whole) == key]) for key in wholes}
    return [Parted(whole, rows[key].sort().values) for key, whole in wholes.items()]


def _has_shape(images: Any, image_shape: tuple[int, int, int]) -> bool:
    shape = images.shape[1:] if isinstance(images, Tensor) else getattr(images, "shape", None)
    return shape is not None and tuple(shape) == image_shape
