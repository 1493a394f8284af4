"""One picture in two classes: its label is wrong at least once."""

import numpy as np

from plcnn.inspection.duplicates import named_groups, telling
from plcnn.inspection.finding import MOST_LISTED, MOST_OF_A_GROUP, Finding, counted
from plcnn.inspection.subject import Subject


def two_classes(subject: Subject) -> list[Finding]:
    """Copies with different labels; and pictures that look alike, with different labels."""
    return [finding for finding in (_copies(subject), _alike(subject)) if finding]


def _copies(subject: Subject) -> Finding | None:
    first, labels = subject.first, subject.labels
    unlike = np.unique(first[labels != labels[first]])
    if not len(unlike):
        return None
    groups = [np.flatnonzero(first == one)[:MOST_OF_A_GROUP].tolist() for one in unlike[:MOST_LISTED]]
    sentence = counted(
        len(unlike),
        "picture stands in two classes or more, pixel by pixel the same",
        "pictures stand in two classes or more, pixel by pixel the same",
    )
    named = named_groups(subject, _of_two_classes(groups, labels), len(unlike))
    advice = "At least one of its labels is wrong: keep the right one, delete the others."
    return Finding("copies_in_two_classes", "warning", len(unlike), f"{sentence}: {named}.", advice, groups)


def _of_two_classes(groups: list[list[int]], labels: np.ndarray) -> list[list[int]]:
    """Of each group, two pictures of two classes, where it lists such."""
    return [[group[0], next((row for row in group if labels[row] != labels[group[0]]), group[-1])] for group in groups]


def _alike(subject: Subject) -> Finding | None:
    pairs = subject.alike.rows
    pairs = pairs[subject.labels[pairs[:, 0]] != subject.labels[pairs[:, 1]]]
    if not len(pairs) or not telling(subject):
        return None
    sentence = counted(
        len(pairs),
        "pair of pictures looks alike but has two classes",
        "pairs of pictures look alike but have two classes",
    )
    groups = pairs[:MOST_LISTED].tolist()
    advice = "Look at the pairs: a label may be wrong, or the classes look alike."
    named = named_groups(subject, groups, len(pairs), " ≈ ")
    return Finding("alike_in_two_classes", "note", len(pairs), f"{sentence}: {named}.", advice, groups)
