"""Files made worse: cut at many places, and with bits turned over, the same ones each time."""

from collections.abc import Iterator

import numpy as np


def cuts(data: bytes, count: int) -> Iterator[bytes]:
    """The data cut off at `count` places, spread evenly, the empty and the almost whole file among them."""
    for place in np.linspace(0, len(data) - 1, min(count, len(data))).astype(int):
        yield data[:place]


def flips(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """The data with one to four bits turned over, at places drawn anew each time."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        damaged = bytearray(data)
        for place in random.integers(len(data), size=random.integers(1, 5)):
            damaged[place] ^= 1 << int(random.integers(8))
        yield bytes(damaged)


class Calls:
    """Pickles to a call that makes the folder `attacked`, by any function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


CODE = [
    b"cos\nmkdir\n(S'attacked'\ntR.",
    b"(S'attacked'\nios\nmkdir\n.",
    b"(cos\nmkdir\nS'attacked'\no.",
    b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93\x8c\x08attacked\x85R.",
    b"\x80\x04cos\nmkdir\n\x8c\x08attacked\x85\x81.",
    b"\x80\x04cos\nmkdir\n\x8c\x08attacked\x85}\x92.",
    b'\x80\x02cbuiltins\neval\n(S\'__import__("os").mkdir("attacked")\'\ntR.',
    b"\x80\x02cbuiltins\nexec\n(S'import os; os.mkdir(\"attacked\")'\ntR.",
    b"\x80\x02cbuiltins\ngetattr\n(cos\nmkdir\nS'__call__'\ntR(S'attacked'\ntR.",
    b"\x80\x04\x8c\x02os\x8c\x0emkdir.__call__\x93\x8c\x08attacked\x85R.",
    b"\x80\x02}(S'a'\ncos\nmkdir\n(S'attacked'\ntRu.",
    b"\x80\x02]cos\nmkdir\n(S'attacked'\ntRa.",
    b"\x80\x02\x82\x01.",  # from copyreg's table
    b"\x80\x02\x83\x01\x01.",
    b"\x80\x02\x84\x01\x01\x01\x01.",
    b"Pname\n.",  # a name that the reader is to look up
    b"\x80\x02S'name'\nQ.",
    b"\x80\x02ctorch\nload\n(S'attacked'\ntR.",
    b"\x80\x02ctorch.hub\nload\n(S'attacked'\ntR.",
    b"\x80\x02csubprocess\nPopen\n(]S'mkdir attacked'\natR.",
    b"\x80\x02cplcnn.plugins\nload\n(]S'evil.py'\natR.",
    b"\x80\x02cimportlib\nimport_module\n(S'evil'\ntR.",
]
"""Pickles, opcode by opcode, each of which would make the folder `attacked` or load a file, if it were believed."""
