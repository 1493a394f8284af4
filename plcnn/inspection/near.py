"""Pictures that look alike, by two perceptual hashes: an exact search that does not compare each with each.

A pair looks alike where at most `MOST_PHASH` bits of its perceptual hash (Zauner, "Implementation and Benchmarking of
Perceptual Image Hash Functions", 2010) and at most `MOST_DHASH` of its difference hash differ. On CIFAR-10's 60,000
photos either hash alone names more pairs that are none than pairs that are; both together name hardly any.

The search is multi-index hashing (Norouzi, Punjani and Fleet, "Fast Exact Search in Hamming Space with Multi-Index
Hashing", 2014): the 64 bits are cut into bands; where few bits differ in all, fewer still differ in one of the bands.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

MOST_PHASH = 8
"""Bits of 64 in which the perceptual hashes of a pair may differ."""

MOST_DHASH = 12
"""Bits of 64 in which the difference hashes of a pair may differ."""

MOST_PAIRS = 100_000
"""Pairs that are looked for; where so many look alike, further ones say nothing new."""

MOST_COMPARED = 5_000_000_000
"""Pairs that are compared, half a minute's work; hashes that are all over the place need far fewer."""

_WIDTHS = (22, 21, 21)
_WITHIN_A_BAND = MOST_PHASH // len(_WIDTHS)
_AT_ONCE = 1 << 20  # pairs compared at once, for the memory


class Pairs(NamedTuple):
    """Pairs of pictures.

    Attributes:
        rows: int64 (pairs, 2), the smaller number first, in ascending order.
        complete: whether these are all that there are.
    """

    rows: np.ndarray
    complete: bool


def alike(hashes: np.ndarray) -> Pairs:
    """Find all pairs that look alike.

    Args:
        hashes: uint64 (pictures, 2), perceptual and difference hash.
    """
    phash, found, number, compared = hashes[:, 0], [np.empty((0, 2), np.int64)], 0, 0
    for band in range(len(_WIDTHS)):
        for pairs in _with_close_keys(_keys(phash, band), _WIDTHS[band]):
            compared += len(pairs)
            pairs = pairs[_differing(hashes, pairs, 0) <= MOST_PHASH]
            pairs = pairs[_differing(hashes, pairs, 1) <= MOST_DHASH]
            pairs = pairs[_first_close_band(phash[pairs[:, 0]] ^ phash[pairs[:, 1]]) == band]  # each pair once
            found.append(pairs)
            number += len(pairs)
            if number > MOST_PAIRS or compared > MOST_COMPARED:
                return Pairs(_in_order(found)[:MOST_PAIRS], complete=False)
    return Pairs(_in_order(found), complete=True)


def _keys(hashes: np.ndarray, band: int) -> np.ndarray:
    """The bits of one band, int64."""
    width = _WIDTHS[band]
    return ((hashes >> np.uint64(sum(_WIDTHS[:band]))) & np.uint64((1 << width) - 1)).astype(np.int64)


def _first_close_band(difference: np.ndarray) -> np.ndarray:
    """The first band in which few enough bits are set."""
    close = [np.bitwise_count(_keys(difference, band)) <= _WITHIN_A_BAND for band in range(len(_WIDTHS))]
    first: np.ndarray = np.argmax(np.stack(close), axis=0)
    return first


def _differing(hashes: np.ndarray, pairs: np.ndarray, column: int) -> np.ndarray:
    """In how many bits the hashes of each pair differ."""
    bits: np.ndarray = np.bitwise_count(hashes[pairs[:, 0], column] ^ hashes[pairs[:, 1], column])
    return bits


def _with_close_keys(keys: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """All pairs whose keys differ in at most `_WITHIN_A_BAND` bits, each once, some at a time: int64 (pairs, 2)."""
    order = np.argsort(keys, kind="stable")
    keys, places = keys[order], np.arange(len(keys))
    starts = np.zeros((1 << width) + 1, np.int64)
    np.cumsum(np.bincount(keys, minlength=1 << width), out=starts[1:])
    for flipped in range(_WITHIN_A_BAND + 1):
        for bits in combinations(range(width), flipped):
            sought = keys ^ sum(1 << bit for bit in bits)
            # what stands before was paired when its own turn came
            first, end = np.maximum(starts[sought], places + 1), starts[sought + 1]
            here = np.flatnonzero(first < end)
            for some in _shares(here, (end - first)[here]):
                counts = (end - first)[some]
                left = np.repeat(some, counts)
                right = np.arange(len(left)) + np.repeat(first[some] - np.cumsum(counts) + counts, counts)
                yield np.stack([order[left], order[right]], axis=1)


def _shares(rows: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
    """Rows in parts with about `_AT_ONCE` counts each; fewer where a single row has more."""
    part = (np.cumsum(counts) - 1) // _AT_ONCE
    return np.split(rows, np.flatnonzero(np.diff(part)) + 1) if len(rows) else []


def _in_order(found: list[np.ndarray]) -> np.ndarray:
    pairs = np.sort(np.concatenate(found), axis=1)
    ordered: np.ndarray = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return ordered
