"""Names of classes, as people give them to folders or write them into tables: their order, and what cannot be one."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

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
    return sorted(names, key=lambda name: (_parts(name.casefold()), name))


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


def check_classes(classes: Sequence[str], where: str) -> None:
    """Refuse classes that no classifier can learn, or whose names no file can hold.

    Args:
        classes: their names.
        where: what holds them, as the user knows it.

    Raises:
        UserError: if there are fewer than two, or a name is empty, or has control characters or no UTF-8 in it.
    """
    bad = [name for name in classes if not name.strip() or any(unicodedata.category(c) in ("Cc", "Cs") for c in name)]
    if bad:
        raise UserError(f"{where} has names that cannot be a class's: {listed(map(repr, bad))}. Rename them.")
    if len(classes) < 2:
        of = f"one class alone, {printable(classes[0])}" if classes else "no classes"
        raise UserError(f"{where} has {of}; a classifier tells two or more apart.")


def class_places(
    trained: Iterable[str], others: Iterable[str], named: Sequence[str] | None, where: str, naming: str
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Tell classes by the labels of pictures.

    Args:
        trained: labels of the training pictures, as often as one likes; sorted they are the classes, unless these are
            named.
        others: labels of other pictures.
        named: the classes in order; labels are such names, or, where none is, places among these, from 0.
        where: what holds the labels, for messages.
        naming: what names the classes, for messages.

    Returns:
        The classes, and the place of each label among them.

    Raises:
        UserError: if a label is none of the classes', or `check_classes` refuses them.
    """
    labels = {*trained}
    classes = tuple(in_order(labels) if named is None else named)
    if len(set(classes)) < len(classes):
        raise UserError(f"{naming} has a class twice: {listed(classes)}.", exit_code=2)
    check_classes(classes, where if named is None else naming)
    labels |= {*others}
    places = {name: place for place, name in enumerate(classes)}
    numbers = {str(place): place for place in range(len(classes))}
    if named is not None and labels.isdisjoint(places):
        places = numbers
    if strange := labels - places.keys():
        which = "are on no training picture" if named is None else f"are not in {naming}"
        raise UserError(f"{where}: these labels {which}: {listed(in_order(strange))}.")
    return classes, places


def listed(names: Iterable[object], most: int = MOST_NAMED) -> str:
    """Names on one line, made fit for a terminal: the first ones, and how many more there are."""
    shown = [printable(name) for name in names]
    more = f" and {len(shown) - most:,} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
