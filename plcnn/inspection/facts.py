"""What the pictures are, apart from what is wrong with them."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from plcnn.data.scaling import Scaling
from plcnn.inspection.balance import class_counts
from plcnn.inspection.finding import counted
from plcnn.inspection.subject import ADJECTIVES, Subject


class Facts(NamedTuple):
    """What the pictures are.

    Attributes:
        classes: names, fit for a terminal.
        counts: int64 (parts, classes), readable pictures.
        sizes: height and width of the smallest picture, of the one in the middle, and of the largest, by area; none
            where no picture can be read.
        modes: how many pictures have each of Pillow's modes.
        formats: how many pictures are of each format.
        shape: channels, height and width that pictures are brought to.
        resize: how.
        scaling: mean and standard deviation of the training pictures' channels.
    """

    classes: list[str]
    counts: np.ndarray
    sizes: list[tuple[int, int]]
    modes: list[tuple[str, int]]
    formats: list[tuple[str, int]]
    shape: tuple[int, int, int]
    resize: str
    scaling: Scaling | None

    def number_of_pictures(self) -> str:
        """How many readable pictures each part has, in words."""
        totals = self.counts.sum(1).tolist()
        parts = [f"{total:,} {name}" for total, name in zip(totals, ADJECTIVES, strict=True) if total]
        return f"{counted(sum(totals), 'picture')} of {counted(len(self.classes), 'class', 'classes')}" + (
            f": {', '.join(parts)}" if parts else ""
        )

    def sizes_in_words(self) -> str:
        """The sizes, and what pictures are brought to."""
        channels, height, width = self.shape
        wanted = f"{width} × {height} pixels, {counted(channels, 'channel')}"
        if not self.sizes or self.sizes[0] == self.sizes[-1] == (height, width):
            return wanted
        least, middle, most = (f"{width} × {height}" for height, width in self.sizes)
        own = f"{least} pixels" if least == most else f"{least} to {most} pixels (middle {middle})"
        return f"{own}, brought to {wanted} ({self.resize})"

    def kinds_in_words(self) -> str:
        """Formats and modes with their numbers."""
        both = ((found, [(name, n) for name, n in found if name]) for found in (self.formats, self.modes))
        return "; ".join(", ".join(f"{name} {n:,}" for name, n in named) for _, named in both if named)


def facts(subject: Subject, scaling: Scaling | None) -> Facts:
    """Gather what the pictures are.

    Args:
        subject: the pictures.
        scaling: of the training pictures.
    """
    readable, survey = subject.readable, subject.survey
    sizes = survey.sizes[readable]
    order = np.argsort(sizes.astype(np.int64).prod(1), kind="stable")
    ends = [order[0], order[len(order) // 2], order[-1]] if len(order) else []
    rows = np.flatnonzero(readable).tolist()
    return Facts(
        classes=[subject.class_name(label) for label in range(len(subject.classes))],
        counts=class_counts(subject),
        sizes=[(int(height), int(width)) for height, width in sizes[ends].tolist()],
        modes=Counter(survey.modes[row] for row in rows).most_common(),
        formats=Counter(survey.formats[row] for row in rows).most_common(),
        shape=subject.image_shape,
        resize=subject.resize,
        scaling=scaling,
    )
