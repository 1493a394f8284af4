"""The pictures of a data module with what a survey finds of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from plcnn.data.kept.stores import Chosen, Unfitted, as_unfitted
from plcnn.data.kept.survey import Survey, survey
from plcnn.data.module import ImageData
from plcnn.data.parts.partition import Parted
from plcnn.data.reading.in_memory import Picture
from plcnn.data.scaling import Scaling
from plcnn.inspection.subject import PARTS, Subject


class Gathered(NamedTuple):
    """What there is to look at.

    Attributes:
        subject: the pictures.
        scaling: mean and standard deviation of the training pictures; none where none can be read.
    """

    subject: Subject
    scaling: Scaling | None


def gather(data: ImageData) -> Gathered:
    """Read all pictures once: those to train on, to validate with and to test on, as `fit` and `test` would part them.

    Args:
        data: a data module that is not set up; its source fetches what is missing.

    Raises:
        UserError: if the data is not at hand.
    """
    data.prepare_data()
    parted = {part: data.parted(part) for part in ("train", "val")}
    if "test" in data.parts or getattr(data.source, "has_test", True):
        parted["test"] = data.parted("test")
    surveys = [survey(pictures_of(one), data.image_shape, data.resize) for one in parted.values()]
    train = surveys[0]
    scaling = Scaling(train.mean.tolist(), train.std.tolist()) if train.counted else None
    return Gathered(subject_of(data, parted, surveys), scaling)


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
        classes=data.classes,
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


_ARRAYS = ("sizes", "exact", "near", "moving", "transparent")


def taken(survey: Survey, rows: Sequence[int]) -> Survey:
    """What was found of some of the pictures; the sums stay those of all.

    Args:
        survey: of all.
        rows: which, in any order.
    """
    places = {row: place for place, row in enumerate(rows)} if survey.faults else {}
    return replace(
        survey,
        **{name: getattr(survey, name)[np.asarray(rows, np.int64)] for name in _ARRAYS},
        modes=[survey.modes[row] for row in rows],
        formats=[survey.formats[row] for row in rows],
        faults={places[row]: why for row, why in survey.faults.items() if row in places},
    )


def joined(surveys: Sequence[Survey]) -> Survey:
    """What was found of several lots of pictures, one after the other."""
    starts = np.cumsum([0, *(len(one.modes) for one in surveys)]).tolist()
    return Survey(
        **{name: np.concatenate([getattr(one, name) for one in surveys]) for name in _ARRAYS},
        modes=_chained(one.modes for one in surveys),
        formats=_chained(one.formats for one in surveys),
        sums=np.sum([one.sums for one in surveys], axis=0),
        squares=np.sum([one.squares for one in surveys], axis=0),
        counted=sum(one.counted for one in surveys),
        faults={
            start + row: why for start, one in zip(starts, surveys, strict=False) for row, why in one.faults.items()
        },
    )


def _chained(lists: Iterable[list[str]]) -> list[str]:
    return [text for one in lists for text in one]
