"""Which pictures are held out: a function of the split's own settings alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from plcnn.errors import UserError, wrong_value

SplitChoice = Literal["auto", "first", "random", "stratified"]


@dataclass(frozen=True)
class Split:
    """How pictures are parted into some to train on and some that are held out.

    Args:
        kind: "first" holds out the first pictures, "random" any, "stratified" the same share of every class; "auto" is
            one of these once it is `resolved`.
        fraction: share held out, from 0 to below 1; the count is rounded to the nearest picture.
        count: held out instead of a share.
        seed: draws the split when it is not "first".
        folds: part the pictures into so many equal parts instead, of which one is held out; 0 for none.
        fold: which, from 0.
        key: the option that `fraction` comes from, for messages.

    Raises:
        UserError: if a number is out of range.
    """

    kind: SplitChoice = "first"
    fraction: float = 0.1
    count: int | None = None
    seed: int = 0
    folds: int = 0
    fold: int = 0
    key: str = "--data.val_fraction"

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise UserError(f"{self.key} must be from 0 to below 1, got {self.fraction}.", exit_code=2)
        if self.count is not None and self.count < 0:
            raise wrong_value("--data.val_count", self.count, "at least 0 pictures", 5000)
        if self.folds < 0 or self.folds == 1:
            raise wrong_value("--data.folds", self.folds, "at least 2 parts, or 0 for none", 5)
        if self.folds and not 0 <= self.fold < self.folds:
            raise wrong_value("--data.fold", self.fold, f"from 0 to {self.folds - 1}", 0)
        if self.fold and not self.folds:
            raise UserError(f"--data.fold {self.fold} is one of how many? Add --data.folds, at least 2.", exit_code=2)

    def resolved(self, in_random_order: bool) -> "Split":
        """The same, of pictures whose order is random or is not."""
        return self if self.kind != "auto" else replace(self, kind="first" if in_random_order else "stratified")

    @property
    def holds_out(self) -> bool:
        """Whether any picture is held out."""
        return bool(self.folds or (self.fraction if self.count is None else self.count))

    def indices(self, labels: Tensor, groups: Sequence[str] | None = None) -> tuple[Tensor, Tensor]:
        """Part pictures.

        Args:
            labels: int64 (pictures,).
            groups: of each picture; those of one group stay together, and the counts are as near as that allows.

        Returns:
            Indices for training and of those held out, int64, each ascending; together every picture once.

        Raises:
            UserError: if no picture is left to train on, or there are fewer pictures or groups than parts.
        """
        count = len(labels)
        start, stop = self._held(count)
        if groups is not None and self.holds_out:
            part = _part_groups(labels.numpy(), groups, self._sizes(count), self.kind, self.seed)
            held = part == (self.fold if self.folds else 0)
        else:
            held = np.zeros(count, bool)
            held[self._order(labels)[start:stop]] = True
        if held.all() and count:
            raise UserError(f"{self.key} {self.fraction}: all {count} pictures would be held out.", exit_code=2)
        return torch.from_numpy(np.flatnonzero(~held)), torch.from_numpy(np.flatnonzero(held))

    def _held(self, count: int) -> tuple[int, int]:
        """Where, in the split's order, those that are held out begin and end."""
        if self.folds:
            if count < self.folds:
                raise UserError(f"--data.folds {self.folds}: there are {count} pictures only.", exit_code=2)
            edges = np.cumsum([0, *(len(part) for part in np.array_split(np.arange(count), self.folds))])
            return int(edges[self.fold]), int(edges[self.fold + 1])
        held = round(count * self.fraction) if self.count is None else self.count
        if held >= count and held:
            if self.count is None:
                raise UserError(f"{self.key} must be from 0 to below 1, got {self.fraction}.", exit_code=2)
            raise wrong_value("--data.val_count", held, f"below the {count:,} pictures there are", count // 10)
        return 0, held

    def _sizes(self, count: int) -> list[int]:
        """How many pictures each part gets."""
        if self.folds:
            return [len(part) for part in np.array_split(np.arange(count), self.folds)]
        held = self._held(count)[1]
        return [held, count - held]

    def _order(self, labels: Tensor) -> np.ndarray:
        order = np.arange(len(labels))
        if self.kind != "first":
            order = np.random.Generator(np.random.PCG64(self.seed)).permutation(len(labels))
        if self.kind == "stratified":
            order = _interleave_classes(labels.numpy()[order], order)
        return order


def _interleave_classes(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Reorder so that every beginning of the result holds each class in proportion, to within a picture."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(place, kind="stable")]


def _part_groups(
    labels: np.ndarray, groups: Sequence[str], sizes: list[int], kind: SplitChoice, seed: int
) -> np.ndarray:
    """The part of each picture: groups, the largest first, go where most is missing, of their classes if stratified."""
    names, of = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    parts = sum(size > 0 for size in sizes)
    if len(names) < parts:
        raise UserError(f"--data.groups: {len(names)} groups cannot be parted in {parts}; a group stays whole.", 2)
    if len(names) == len(groups):
        raise UserError("--data.groups: every picture would be a group of its own; nothing would be kept together.", 2)
    kinds = labels if kind == "stratified" else np.zeros_like(labels)
    counts = np.zeros((len(names), int(kinds.max(initial=0)) + 1))
    np.add.at(counts, (of, kinds), 1)
    if kind == "first":
        order = np.argsort([np.flatnonzero(of == group)[0] for group in range(len(names))])
    else:
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(names))
        order = order[np.argsort(-counts.sum(1)[order], kind="stable")]
    wanted = np.outer(sizes, counts.sum(0)) / len(labels)
    missing, part = wanted.copy(), np.zeros(len(names), int)
    for group in order:
        # where most would be missing yet, so that a large group does not fill a small part
        gain = np.where(wanted > 0, (missing - counts[group]) * counts[group], -np.inf)
        gain = np.where(counts[group] > 0, gain, 0).sum(1)
        part[group] = int(gain.argmax())
        missing[part[group]] -= counts[group]
    for empty in np.flatnonzero([size > 0 and not (part == place).any() for place, size in enumerate(sizes)]):
        largest = np.flatnonzero(part == np.bincount(part).argmax())
        part[largest[counts[largest].sum(1).argmin()]] = empty
    result: np.ndarray = part[of]
    return result
