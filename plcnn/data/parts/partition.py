"""A source's pictures, parted into those to train on, to validate with and to test on."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from plcnn.data.kept.stores import is_unfitted
from plcnn.data.parts.split import Split
from plcnn.data.parts.split_file import read_split
from plcnn.data.sources import PictureSet, PictureSource
from plcnn.errors import UserError
from plcnn.terminal import printable


class Partition(NamedTuple):
    """How a source is parted.

    Attributes:
        val: what is held out of the training pictures for validation.
        test: what is held out of them for testing, of a source without test pictures.
        own_validation: whether the source's own validation pictures are taken where it has some.
        groups: a regular expression on the pictures' names: those with the same match stay together.
        file: a saved split that takes the place of all that.
    """

    val: Split
    test: Split
    own_validation: bool
    groups: str | None
    file: str | None

    @property
    def validates(self) -> bool:
        """Whether pictures are held out for validation."""
        return self.val.holds_out or self.file is not None


class Parted(NamedTuple):
    """Some of a set's pictures.

    Attributes:
        whole: the set.
        rows: int64, which of it, ascending.
    """

    whole: PictureSet
    rows: Tensor

    def labels(self) -> Tensor:
        """The labels, int64."""
        return self.whole.labels[self.rows]

    def names(self) -> list[str] | None:
        """What the pictures are called; None where they have numbers alone."""
        names = names_of(self.whole)
        return None if names is None else [names[row] for row in self.rows.tolist()]


def as_set(given: PictureSet | tuple[Any, Tensor]) -> PictureSet:
    """What a source returned, with its names where pictures have some."""
    return given if isinstance(given, PictureSet) else PictureSet(*given)


def names_of(pictures: PictureSet) -> Sequence[str] | None:
    """What a set's pictures are called; None where they have numbers alone."""
    images = pictures.images
    if pictures.names is None and is_unfitted(images):
        return [images.name(index) for index in range(len(pictures.labels))]
    return pictures.names


def parts_of(source: PictureSource, how: Partition, name: str) -> dict[str, Parted]:
    """Find the pictures of a part, and of others on the way; none is read, and test pictures for "test" alone.

    Args:
        source: the source.
        how: the settings.
        name: "train", "val" or "test".

    Raises:
        UserError: if the settings do not fit the source's pictures, or there are none for testing.
    """
    own_test = getattr(source, "has_test", True)
    if name == "test" and own_test and not how.file:
        return {name: _all_of(as_set(source.test()))}
    whole = as_set(source.train())
    rows = rows_of(source, whole, how)
    parts = {part: Parted(whole, chosen) for part, chosen in rows.items()}
    if "val" not in rows:
        own = as_set(source.validation()) if how.validates else None  # type: ignore[attr-defined]
        parts["val"] = _all_of(own) if own else Parted(whole, rows["train"][:0])
    if name == "test" and name not in rows:
        if not own_test:
            raise UserError(
                "there are no pictures to test on: --data.test_fraction holds some out, or name a test set."
            )
        parts[name] = _all_of(as_set(source.test()))
    return parts


def _all_of(whole: PictureSet) -> Parted:
    return Parted(whole, torch.arange(len(whole.labels)))


def rows_of(source: PictureSource, whole: PictureSet, how: Partition) -> dict[str, Tensor]:
    """Part a source's training pictures; where it has pictures of its own for a part, that part is not among these.

    Args:
        source: the source.
        whole: its training pictures.
        how: the settings.

    Returns:
        int64 rows for each of "train", "val" and "test", ascending.

    Raises:
        UserError: if the settings do not fit the pictures.
    """
    labels = whole.labels
    if how.file:
        return read_split(how.file, labels, names_of(whole))
    groups = _groups(whole, how.groups)
    held_out, held_for_test = (one.resolved(getattr(source, "in_random_order", False)) for one in (how.val, how.test))
    rows = {"train": torch.arange(len(labels))}
    if not getattr(source, "has_test", True) and how.test.holds_out:
        rows["train"], rows["test"] = held_for_test.indices(labels, groups)
    if not (how.own_validation and getattr(source, "has_validation", hasattr(source, "validation"))):
        rest = rows["train"]
        kept = None if groups is None else [groups[row] for row in rest.tolist()]
        train, val = held_out.indices(labels[rest], kept)
        rows["train"], rows["val"] = rest[train], rest[val]
    return rows


def _groups(whole: PictureSet, pattern: str | None) -> Sequence[str] | None:
    if pattern is None:
        return whole.groups
    names = names_of(whole)
    if names is None:
        raise UserError("--data.groups: the pictures of this source have no names.", exit_code=2)
    try:
        found = [re.search(pattern, name) for name in names]
    except re.error as error:
        raise UserError(f"--data.groups {printable(pattern)}: no regular expression: {error}.", 2) from error
    missing = [name for name, match in zip(names, found, strict=True) if match is None]
    if missing:
        raise UserError(
            f"--data.groups {printable(pattern)}: not found in {len(missing):,} of {len(names):,} names, such as "
            f"{printable(missing[0])}.",
            exit_code=2,
        )
    return [match[match.re.groups and 1] or "" for match in found if match]
