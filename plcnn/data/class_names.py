"""Names of classes, as people give them to folders or write them into tables: their order, and what cannot be one."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from plcnn.data.complaints import Complaint
from plcnn.errors import UserError
from plcnn.terminal import printable

MOST_NAMED = 8
"""Names that fit into a message."""


def in_order(names: Iterable[str]) -> list[str]:
    """Sort different names: whole numbers by value, others as texts in which numbers count by value.

    So "class2" stands before "class10". Capitals matter between names that are equal without them.
    """
    names = list(names)
    if all(re.fullmatch("-?[0-9]{1,18}", name) for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names, key=lambda name: (_parts(composed(name).casefold()), composed(name)))


def _parts(name: str) -> list[tuple[int, int, str]]:
    """A name as texts and numbers that compare with each other: numbers stand first, shorter ones before longer."""
    parts = re.split("([0-9]+)", name)
    return [
        (0, len(part.lstrip("0")), part.lstrip("0")) if number % 2 else (1, 0, part)
        for number, part in enumerate(parts)
        if part
    ]


def composed(name: str) -> str:
    """A name with accents in Unicode's composed form (NFC): macOS takes names apart that other systems leave whole."""
    return unicodedata.normalize("NFC", name)


def complaints_about(classes: Sequence[str], where: str) -> list[Complaint]:
    """What is wrong with classes: a classifier cannot learn them, or no file can hold their names.

    Args:
        classes: their names.
        where: what holds them, as the user knows it.

    Returns:
        Complaints of fewer than two, and of names that are empty, or have control characters or no UTF-8 in them.
    """
    found = []
    bad = [name for name in classes if not name.strip() or any(unicodedata.category(c) in ("Cc", "Cs") for c in name)]
    if bad:
        sentence = f"{where} has names that cannot be a class's: {listed(map(repr, bad))}."
        found.append(Complaint("names_of_classes", len(bad), sentence, "Rename them.", tuple(bad)))
    if len(classes) < 2:
        of = f"one class alone, {printable(classes[0])}" if classes else "no classes"
        sentence = f"{where} has {of}; a classifier tells two or more apart."
        found.append(Complaint("too_few_classes", len(classes), sentence, "Add pictures of another."))
    return found


class Classes(NamedTuple):
    """The classes of labelled pictures.

    Attributes:
        names: in order; after them, for `plcnn check`, labels that are none of them.
        places: of each label among the names.
        complaints: what is wrong with them.
    """

    names: tuple[str, ...]
    places: dict[str, int]
    complaints: list[Complaint]


def class_places(
    trained: Iterable[str], others: Iterable[str], named: Sequence[str] | None, where: str, naming: str
) -> Classes:
    """Tell classes by the labels of pictures.

    Args:
        trained: labels of the training pictures, as often as one likes; sorted they are the classes, unless these are
            named.
        others: labels of other pictures.
        named: the classes in order; labels are such names, or, where none is, places among these, from 0.
        where: what holds the labels, for messages.
        naming: what names the classes, for messages.

    Raises:
        UserError: if a class is named twice.
    """
    labels = {*trained}
    classes = tuple(in_order(labels) if named is None else named)
    if len(set(classes)) < len(classes):
        raise UserError(f"{naming} has a class twice: {listed(classes)}.", exit_code=2)
    complaints = complaints_about(classes, where if named is None else naming)
    labels |= {*others}
    places = {name: place for place, name in enumerate(classes)}
    numbers = {str(place): place for place in range(len(classes))}
    if named is not None and labels.isdisjoint(places):
        places = numbers
    if strange := in_order(labels - places.keys()):
        which = "are on no training picture" if named is None else f"are not in {naming}"
        sentence, advice = f"{where}: these labels {which}: {listed(strange)}.", "Mend them, or leave the pictures out."
        complaints.append(Complaint("unknown_labels", len(strange), sentence, advice, tuple(strange)))
        places = places | {name: place for place, name in enumerate(strange, len(classes))}
        classes += tuple(strange)
    return Classes(classes, places, complaints)


def listed(names: Iterable[object], most: int = MOST_NAMED) -> str:
    """Names on one line, made fit for a terminal: the first ones, and how many more there are."""
    shown = [printable(name) for name in names]
    more = f" and {len(shown) - most:,} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
