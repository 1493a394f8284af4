"""Random numbers as a pure function of (seed, epoch, picture, draw), so that no batch, order or device changes them.

The words of the counter are absorbed one after the other: ``state = mix((state ^ word) + GOLDEN)``, with SplitMix64's
finaliser as ``mix`` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; constants:
Stafford's variant 13). Departure: SplitMix64 is a sequence, this is a chain of its steps, one for each word.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_ORDER_DRAW = -1  # the draw that orders an epoch; no picture's own draws reach it
_EVERY_EPOCH = -1  # stands for the epoch in numbers that are the same in all of them
_STREAM = 1 << 32  # draws between two streams' first ones
_PARTS = 64  # streams that a stream has room for: its children in a tree whose roots are the first streams


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
    return _numbers(_picture_state(seed, epoch, pictures), 0, draws)


@dataclass(frozen=True)
class Draws:
    """The random numbers of a batch's pictures in an epoch, in streams that do not overlap.

    Attributes:
        seed: any integer, modulo 2**64.
        epoch: counted from 0.
        pictures: int64 (batch,), each picture's place in the data set.
        stream: whose numbers these are; each augmentation of a run reads a stream of its own. Stream 0 is `uniforms`.
    """

    seed: int
    epoch: int
    pictures: Tensor
    stream: int = 0

    def uniforms(self, count: int) -> Tensor:
        """This stream's first numbers for each picture in this epoch; asked again, it gives the same.

        Args:
            count: how many numbers for each picture, from 0 to 2**32.

        Returns:
            (batch, count), float32 in [0, 1), on the device of the pictures' indices.
        """
        return _numbers(_picture_state(self.seed, self.epoch, self.pictures), self.stream * _STREAM, count)

    def every_epoch(self) -> "Draws":
        """Numbers that a picture keeps in all epochs; no single epoch's are among them."""
        return replace(self, epoch=_EVERY_EPOCH)

    def in_stream(self, stream: int) -> "Draws":
        """The same pictures' numbers in another stream."""
        return replace(self, stream=stream)

    def in_part(self, place: int) -> "Draws":
        """The numbers of a part of what reads this stream; no other part's, and no stream's below `_PARTS`.

        Args:
            place: which part, from 0 to below `_PARTS`.
        """
        return self.in_stream((self.stream + 1) * _PARTS + place)


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


def mixed(*words: int) -> int:
    """One number, from 0 to below 2**64, that depends on all of some integers (each modulo 2**64) and their order."""
    state = 0
    for word in words:
        state = _mix_int(((state ^ word) + _GOLDEN) & _WORD)
    return state


def _numbers(states: Tensor, first: int, count: int) -> Tensor:
    words = torch.arange(first, first + count, device=states.device)
    bits = _absorb(states.unsqueeze(1), words)
    return _shift_right(bits, 40).to(torch.float32).mul_(2.0**-24)


def _picture_state(seed: int, epoch: int, pictures: Tensor) -> Tensor:
    return _absorb(pictures.to(torch.int64), _signed(mixed(seed, epoch)))


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
