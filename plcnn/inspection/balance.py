"""How many pictures each class has."""

from collections.abc import Iterator

import numpy as np

from plcnn.inspection.finding import Finding, counted, listed
from plcnn.inspection.subject import ADJECTIVES, PARTS, Subject

FEWEST = 10
"""Training pictures of a class from which on it is not remarked on."""

UNEVEN = 10
"""How many times as many pictures the largest class has as the smallest, from which on it is remarked on."""


def class_counts(subject: Subject) -> np.ndarray:
    """int64 (parts, classes), readable pictures."""
    counts = np.zeros((len(PARTS), len(subject.classes)), np.int64)
    np.add.at(counts, (subject.parts[subject.readable], subject.labels[subject.readable]), 1)
    return counts


def balance(subject: Subject) -> list[Finding]:
    """Classes without pictures, classes with few, and classes of very different sizes.

    A class without training pictures is not missed in other parts, nor one that the source complains of.
    """
    return list(_findings(subject))


def _findings(subject: Subject) -> Iterator[Finding]:
    counts = class_counts(subject)
    told = {name for complaint in subject.complaints for name in complaint.classes}
    known = np.array([name in told for name in subject.classes], bool)
    for part in subject.present():
        missing = np.flatnonzero((counts[part] == 0) & ~known & ((counts[0] > 0) | (part == 0)))
        if len(missing):
            sentence = f"{_has(len(missing))} no {ADJECTIVES[part]} pictures: {_names(subject, missing)}."
            kind = f"no_pictures_in_{PARTS[part]}"
            yield Finding(kind, "warning", len(missing), sentence, _WITHOUT[part], classes=missing.tolist())
    train = counts[0]
    if not train.any():
        return
    few = np.flatnonzero((train > 0) & (train < FEWEST))
    if len(few):
        sentence = f"{_has(len(few))} fewer than {FEWEST} training pictures: {_names(subject, few)}."
        advice = "So few can be learned by heart, hardly as a class. Add pictures, or leave the class out."
        yield Finding("few_pictures", "warning", len(few), sentence, advice, classes=few.tolist())
    least, most = train[train > 0].min(), train.max()
    if most >= UNEVEN * least:
        ends = [int(np.flatnonzero(train == most)[0]), int(np.flatnonzero(train == least)[0])]
        large, small = (subject.class_name(label) for label in ends)
        sentence = f"{large} has {most / least:.0f} times as many training pictures as {small}: {most:,} and {least:,}."
        yield Finding("uneven_classes", "note", len(ends), sentence, _UNEVEN, classes=ends)


_UNEVEN = "--data.sampling balanced shows all classes equally often; --model.class_weights weighs them in the loss."
_WITHOUT = (
    "They cannot be learned. Add pictures, or delete the classes.",
    "How well they are learned is not measured. Hold more out by --data.val_fraction, --data.split stratified.",
    "How well they are learned is not measured. Add some, or see it as a test of the other classes.",
)


def _has(number: int) -> str:
    return counted(number, "class has", "classes have")


def _names(subject: Subject, labels: np.ndarray) -> str:
    return listed((subject.class_name(label) for label in labels.tolist()), len(labels), 5)
