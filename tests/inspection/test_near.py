"""The search for pictures that look alike, against the comparison of each with each."""

import numpy as np
import pytest
from inspection.subjects import flipped

from plcnn.inspection import near


def _compared(hashes: np.ndarray) -> list[list[int]]:
    bits = np.unpackbits(hashes.view(np.uint8).reshape(len(hashes), 2, 8), axis=2).astype(np.int64)
    phash, dhash = (np.abs(bits[:, None, side] - bits[None, :, side]).sum(2) for side in (0, 1))
    alike = (phash <= near.MOST_PHASH) & (dhash <= near.MOST_DHASH)
    return np.argwhere(np.triu(alike, 1)).tolist()


def test_all_pairs_are_found_once() -> None:
    draws = np.random.default_rng(0)
    hashes = draws.integers(0, 2**64, (40, 2), dtype=np.uint64)[draws.integers(0, 40, 600)]
    for _ in range(6):  # so that about as many pairs are close as not
        hashes ^= np.uint64(1) << draws.integers(0, 64, (600, 2), dtype=np.uint64)
    found = near.alike(hashes)
    expected = _compared(hashes)
    assert 500 < len(expected) < 600 * 599 // 4
    assert found.complete and found.rows.tolist() == expected


@pytest.mark.parametrize(("perceptual", "difference", "is_found"), [(8, 12, True), (9, 0, False), (0, 13, False)])
def test_both_hashes_count(perceptual: int, difference: int, is_found: bool) -> None:
    one = np.array([[0x0123456789ABCDEF, 0xFEDCBA9876543210]], np.uint64)
    found = near.alike(np.concatenate([one, flipped(one, perceptual, difference)]))
    assert found.rows.tolist() == [[0, 1]] * is_found


def test_few_pictures() -> None:
    for count in (0, 1):
        assert near.alike(np.zeros((count, 2), np.uint64)).rows.shape == (0, 2)


@pytest.mark.parametrize("limit", ["MOST_PAIRS", "MOST_COMPARED"])
def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(near, limit, 100)
    monkeypatch.setattr(near, "_AT_ONCE", 64)
    found = near.alike(np.zeros((200, 2), np.uint64))
    assert not found.complete and 0 < len(found.rows) <= 300
