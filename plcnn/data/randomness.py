"""Random numbers as a pure function of (seed, epoch, picture, draw), so that no batch, order or device changes them.

The words of the counter are absorbed one after the other: ``state = mix((state ^ word) + GOLDEN)``, with SplitMix64's
finaliser as ``mix`` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; constants:
Stafford's variant 13). Departure: SplitMix64 is a sequence, this is a chain of its steps, one for each word.
"""

import torch
from torch import Tensor

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_ORDER_DRAW = -1  # the draw that orders an epoch; no picture's own draws reach it


def uniforms(seed: int, epoch: int, pictures: Tensor, draws: int) -> Tensor:
    """Draw uniform numbers that belong to each picture in an epoch.

    Args:
        seed: any integer, modulo 2**64.
        epoch: any integer, modulo 2**64.
        pictures: (batch,), int64, each picture's place in the data set.
        draws: how many numbers for each picture, at least 0.

    Returns:
        (batch, draws), float32 in [0, 1), multiples of 2**-24, on the device of ``pictures``.
    """
    words = torch.arange(draws, device=pictures.device)
    bits = _absorb(_picture_state(seed, epoch, pictures).unsqueeze(1), words)
    return _shift_right(bits, 40).to(torch.float32).mul_(2.0**-24)


def permutation(seed: int, epoch: int, count: int, device: torch.device | str | None = None) -> Tensor:
    """Shuffle the pictures for an epoch.

    Args:
        seed: any integer, modulo 2**64.
        epoch: any integer, modulo 2**64.
        count: number of pictures, at least 0.
        device: where the order is computed; the same order everywhere.

    Returns:
        (count,), int64, each of 0..count-1 once.
    """
    pictures = torch.arange(count, device=device)
    return torch.argsort(_absorb(_picture_state(seed, epoch, pictures), _ORDER_DRAW), stable=True)


def _picture_state(seed: int, epoch: int, pictures: Tensor) -> Tensor:
    key = 0
    for word in (seed, epoch):
        key = _mix_int(((key ^ word) + _GOLDEN) & _WORD)
    return _absorb(pictures.to(torch.int64), _signed(key))


def _absorb(state: Tensor, word: Tensor | int) -> Tensor:
    state = (state ^ word).add_(_signed(_GOLDEN))
    state.bitwise_xor_(_shift_right(state, 30)).mul_(_signed(_FIRST))
    state.bitwise_xor_(_shift_right(state, 27)).mul_(_signed(_SECOND))
    return state.bitwise_xor_(_shift_right(state, 31))


def _mix_int(state: int) -> int:
    state = (state ^ (state >> 30)) * _FIRST & _WORD
    state = (state ^ (state >> 27)) * _SECOND & _WORD
    return state ^ (state >> 31)


def _shift_right(state: Tensor, places: int) -> Tensor:
    # int64's own shift repeats the sign; torch has no uint64 arithmetic
    return (state >> places).bitwise_and_(_WORD >> places)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
