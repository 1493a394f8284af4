"""The pictures of several parts, opened: in memory, mapped from a file, or in a store, all of one shape."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plcnn.data.kept.cache import Prepared, prepared
from plcnn.data.kept.stores import Chosen, Pictures, Unfitted, as_unfitted, take
from plcnn.data.kept.survey import Survey
from plcnn.data.parts.partition import Parted
from plcnn.data.reading.pictures import Resize


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
    for whole, rows in _together(list(parts.values())):
        pictures = _to_be_read(whole.images, rows, shaping.image_shape)
        made = None
        if pictures is not None:
            made = prepared(pictures, shaping.image_shape, shaping.resize, shaping.cache_dir, shaping.cache_gb)
            result.preparations.append(made)
            faulty.append((pictures, made.survey.faults))
        for name, part in parts.items():
            if part.whole is not whole:
                continue
            places = torch.searchsorted(rows, part.rows)
            if made:
                places = places[~torch.isin(places, torch.tensor(list(made.survey.faults), dtype=torch.int64))]
                result.surveyed[name] = made.survey, places
            result.parts[name] = Parted(whole, rows[places])
            chosen = take(made.images, places) if made else take(whole.images, part.rows)  # type: ignore[arg-type]
            result.sets[name] = chosen, result.parts[name].labels()
    if any(faults for _, faults in faulty) and not shaping.skip_unreadable:
        from plcnn.inspection.unreadable import refusal

        raise refusal(faulty)
    return result


def _together(parts: list[Parted]) -> list[Parted]:
    """For each set, all of its rows that are in any of the parts, ascending."""
    wholes = {id(part.whole): part.whole for part in parts}
    rows = {key: torch.cat([part.rows for part in parts if id(part.whole) == key]) for key in wholes}
    return [Parted(whole, rows[key].sort().values) for key, whole in wholes.items()]


def _to_be_read(images: Any, rows: Tensor, image_shape: tuple[int, int, int]) -> Unfitted | None:
    """Some pictures that must be brought to their shape; None where all have it."""
    shape = images.shape[1:] if isinstance(images, Tensor) else getattr(images, "shape", None)
    if shape is not None and tuple(shape) == image_shape:
        return None
    pictures = as_unfitted(images)
    return pictures if len(rows) == len(images) else Chosen(pictures, rows.tolist())
