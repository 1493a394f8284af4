"""The pictures of a data module with what a survey finds of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from plcnn.data.kept.stores import Chosen, Unfitted, as_unfitted
from plcnn.data.kept.survey import OF_EACH, Survey, survey
from plcnn.data.module import ImageData
from plcnn.data.opening import read_parts
from plcnn.data.parts.partition import Parted
from plcnn.data.reading.in_memory import Picture
from plcnn.data.scaling import Scaling
from plcnn.inspection.subject import PARTS, Subject


class Gathered(NamedTuple):
    """What there is to look at.

    Attributes:
        subject: the pictures.
        scaling: mean and standard deviation of the training pictures; none where none can be read.
        kept: bytes of what is prepared, which `fit` and `test` need not read again.
    """

    subject: Subject
    scaling: Scaling | None
    kept: int


def gather(data: ImageData) -> Gathered:
    """Read all pictures once: those to train on, to validate with and to test on, as `fit` and `test` would part them.

    What `fit` or `test` prepared is not read again, and they find what is read here.

    Args:
        data: a data module that is not set up; its source fetches what is missing.

    Raises:
        UserError: if the data is not at hand.
    """
    source = data.source
    source.prepare()
    together = [{part: data.parted(part) for part in ("train", "val")}]
    if "test" in data.parts or getattr(source, "has_test", True):
        together.append({"test": data.parted("test")})
    surveys: dict[str, Survey] = {}
    kept = 0
    for parts in together:  # as `fit` and `test` read them
        for read in read_parts(parts, data.shaping):
            made = read.prepared
            seen = made.survey if made else survey(read.pictures, data.image_shape, data.resize)
            kept += made.images.nbytes if made and isinstance(made.images, Tensor) else 0
            surveys |= {name: taken(seen, places.tolist()) for name, places in read.places.items()}
    everything = {name: part for parts in together for name, part in parts.items()}
    subject = subject_of(data, everything, [surveys[name] for name in everything])
    subject = replace(subject, complaints=tuple(getattr(source, "complaints", ())))
    return Gathered(subject, surveys["train"].scaling(), kept)


def subject_of(data: ImageData, parted: Mapping[str, Parted], surveys: Sequence[Survey]) -> Subject:
    """Bring pictures and what was found of them together.

    Args:
        data: whose pictures they are.
        parted: the pictures of each part.
        surveys: of the pictures of each part, in the same order.
    """
    labels = [part.labels().numpy() for part in parted.values()]
    parts = [np.full(len(rows), PARTS.index(part), np.int8) for part, rows in zip(parted, labels, strict=True)]
    return Subject(
        classes=list(data.source.classes),
        pictures=Joined([pictures_of(part) for part in parted.values()]),
        labels=np.concatenate(labels),
        parts=np.concatenate(parts),
        survey=joined(surveys),
        image_shape=data.image_shape,
        resize=data.resize,
    )


def pictures_of(part: Parted) -> Unfitted:
    """The pictures of a part as they were given, each with its name."""
    pictures = as_unfitted(part.whole.images)
    if part.whole.names is not None:
        pictures = _Named(pictures, part.whole.names)
    return Chosen(pictures, part.rows.tolist())


class _Named:
    """Pictures with other names."""

    def __init__(self, pictures: Unfitted, names: Sequence[str]) -> None:
        self._pictures, self._names = pictures, names

    def __len__(self) -> int:
        return len(self._pictures)

    def picture(self, index: int) -> Picture:
        return self._pictures.picture(index)

    def name(self, index: int) -> str:
        return self._names[index]


class Joined:
    """Several lots of pictures, one after the other.

    Args:
        lots: of any kinds and sizes.
    """

    def __init__(self, lots: Sequence[Unfitted]) -> None:
        self._lots = lots
        self._ends = np.cumsum([len(lot) for lot in lots])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def picture(self, index: int) -> Picture:
        """A picture's file, content or values."""
        lot, place = self._place(index)
        return lot.picture(place)

    def name(self, index: int) -> str:
        """What a picture is called."""
        lot, place = self._place(index)
        return lot.name(place)

    def _place(self, index: int) -> tuple[Unfitted, int]:
        number = int(np.searchsorted(self._ends, index, "right"))
        return self._lots[number], index - (int(self._ends[number - 1]) if number else 0)


def taken(survey: Survey, rows: Sequence[int]) -> Survey:
    """What was found of some of the pictures.

    Args:
        survey: of all.
        rows: which, in any order.
    """
    places = {row: place for place, row in enumerate(rows)} if survey.faults else {}
    return replace(
        survey,
        **{name: _chosen(getattr(survey, name), rows) for name in OF_EACH},
        faults={places[row]: why for row, why in survey.faults.items() if row in places},
    )


def _chosen(entries: Any, rows: Sequence[int]) -> Any:
    return [entries[row] for row in rows] if isinstance(entries, list) else entries[np.asarray(rows, np.int64)]


def joined(surveys: Sequence[Survey]) -> Survey:
    """What was found of several lots of pictures, one after the other."""
    starts = np.cumsum([0, *(len(one.modes) for one in surveys)]).tolist()
    return replace(
        surveys[0],
        **{name: _chained([getattr(one, name) for one in surveys]) for name in OF_EACH},
        faults={
            start + row: why for start, one in zip(starts, surveys, strict=False) for row, why in one.faults.items()
        },
    )


def _chained(lots: Sequence[Any]) -> Any:
    return list(chain(*lots)) if isinstance(lots[0], list) else np.concatenate(lots)
