"""Which training pictures are held out for validation: a function of the split's own settings alone."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from plcnn.errors import UserError

SplitKind = Literal["first", "random", "stratified"]


def split_indices(labels: Tensor, kind: SplitKind, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split pictures into training and validation.

    Args:
        labels: int64 (pictures,).
        kind: "first" holds out the first pictures, "random" any, "stratified" the same share of every class.
        fraction: share held out, from 0 to below 1; the count is rounded to the nearest picture.
        seed: draws the split when it is not "first".

    Returns:
        Indices for training and for validation, int64, each ascending; together every picture once.

    Raises:
        UserError: if the fraction leaves no picture to train on.
    """
    check_fraction(fraction)
    count = len(labels)
    held = round(count * fraction)
    if held >= count:
        raise _no_fraction(fraction)
    order = np.arange(count)
    if kind != "first":
        order = np.random.Generator(np.random.PCG64(seed)).permutation(count)
    if kind == "stratified":
        order = _interleave_classes(labels.numpy()[order], order)
    validation, training = np.sort(order[:held]), np.sort(order[held:])
    return torch.from_numpy(training), torch.from_numpy(validation)


def check_fraction(fraction: float) -> None:
    """Refuse a share of pictures to hold out that is none.

    Raises:
        UserError: if it is not from 0 to below 1.
    """
    if not 0 <= fraction < 1:
        raise _no_fraction(fraction)


def _no_fraction(fraction: float) -> UserError:
    return UserError(f"--data.val_fraction must be from 0 to below 1, got {fraction}.", exit_code=2)


def _interleave_classes(labels: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Reorder so that every beginning of the result holds each class in proportion, to within a picture."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(place, kind="stable")]
