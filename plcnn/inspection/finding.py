"""One thing that was found, in words and numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from plcnn.terminal import printable

Severity = Literal["error", "warning", "note"]
"""error: cannot be trained on. warning: a class cannot be learned, or what is measured misleads. note: good to know."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

MOST_LISTED = 1000
"""Pictures, pairs or groups that a finding lists; its count has all of them."""

MOST_OF_A_GROUP = 20
"""Copies of one picture that are listed."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: its name for programs, `copies_across_train_and_test`.
        severity: how bad it is.
        count: of the pictures, or classes, that it is about.
        sentence: what was found.
        advice: what to do about it.
        groups: rows of the pictures, those of one group of copies or pair together; `MOST_LISTED` groups at most.
        reasons: why, for each group; none where the sentence says it.
        classes: the labels of the classes that it is about.
    """

    kind: str
    severity: Severity
    count: int
    sentence: str
    advice: str
    groups: list[list[int]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)


def counted(number: int, one: str, several: str = "") -> str:
    """A number with what follows it: `1 picture is`, `2,000 pictures are`.

    Args:
        number: how many.
        one: the words for one.
        several: the words for none or several; by default those for one with an s.
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def listed(names: Iterable[str], count: int, most: int = 3) -> str:
    """The first names and how many more there are, fit for a terminal: `a, b, c and 7 more`.

    Args:
        names: at least the first `most` of them, or all.
        count: of all.
        most: how many to name.
    """
    first = [printable(name) for _, name in zip(range(min(most, count)), names, strict=False)]
    return ", ".join(first) + (f" and {count - len(first):,} more" if count > len(first) else "")


def each_alone(rows: np.ndarray) -> list[list[int]]:
    """The first `MOST_LISTED` pictures, each a group of its own."""
    return [[row] for row in rows[:MOST_LISTED].tolist()]
