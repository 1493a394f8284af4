"""The pictures that are looked at, with their labels, their parts and what a survey found of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from plcnn.data.complaints import Complaint
from plcnn.data.kept.stores import Unfitted
from plcnn.data.reading.pictures import Resize
from plcnn.inspection.near import Pairs, alike
from plcnn.terminal import printable

if TYPE_CHECKING:
    from plcnn.data.kept.survey import Survey

PARTS = ("train", "val", "test")
ADJECTIVES = ("training", "validation", "test")
"""What the pictures of each part are called."""


@dataclass(frozen=True)
class Subject:
    """Pictures of one or several parts; every array has a row for each of them, in the same order.

    Attributes:
        classes: names; label `i` means `classes[i]`.
        pictures: to be named and drawn by their rows.
        labels: int64 (pictures,).
        parts: int8 (pictures,), the place of each one's part in `PARTS`.
        survey: what was found when they were read.
        image_shape: channels, height and width that they are brought to.
        resize: how.
        compares: whether pictures that look alike are sought; those of 1,000,000 take half a minute.
        complaints: what their source has to say against training on them.
    """

    classes: Sequence[str]
    pictures: Unfitted
    labels: np.ndarray
    parts: np.ndarray
    survey: "Survey"
    image_shape: tuple[int, int, int]
    resize: Resize = "stretch"
    compares: bool = True
    complaints: tuple[Complaint, ...] = ()

    @cached_property
    def readable(self) -> np.ndarray:
        """bool (pictures,), which could be read."""
        found = np.ones(len(self.labels), bool)
        found[list(self.survey.faults)] = False
        return found

    @cached_property
    def plain(self) -> np.ndarray:
        """bool (pictures,), which are of one colour: all values of a channel are its mean."""
        seen = self.survey
        alike = np.uint64(seen.values) * seen.squares == seen.sums.astype(np.uint64) ** 2
        found: np.ndarray = self.readable & alike.all(1)
        return found

    @cached_property
    def hashed(self) -> np.ndarray:
        """bool (pictures,), whose perceptual hashes say something: not those of pictures of about one colour."""
        phash, dhash = self.survey.near.T
        found: np.ndarray = self.readable & ((dhash != 0) | (np.bitwise_count(phash) > 1))
        return found

    @cached_property
    def first(self) -> np.ndarray:
        """int64 (pictures,), the first picture with the same size and pixels; an unreadable one's own row."""
        digests = np.ascontiguousarray(self.survey.exact).view(np.uint64)
        order = np.lexsort((*digests.T, ~self.readable))  # stable: the first of each kind comes first
        ordered = digests[order]
        begins = np.ones(len(order), bool)
        begins[1:] = (ordered[1:] != ordered[:-1]).any(1) | ~self.readable[order[1:]]
        found = np.empty(len(order), np.int64)
        found[order] = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
        return found

    @cached_property
    def alike(self) -> Pairs:
        """Pairs of different pictures that look alike, by the `first` of each."""
        different = (self.first == np.arange(len(self.first))) & self.hashed
        rows = np.flatnonzero(different & self.compares)
        pairs, complete = alike(self.survey.near[rows])
        return Pairs(rows[pairs], complete)

    def present(self) -> list[int]:
        """The parts that have pictures."""
        return [part for part in range(len(PARTS)) if (self.parts == part).any()]

    def name(self, row: int) -> str:
        """What a picture is called, fit for a terminal."""
        return printable(self.pictures.name(int(row)))

    def class_name(self, label: int) -> str:
        """The name of a class, fit for a terminal."""
        return printable(self.classes[int(label)])
