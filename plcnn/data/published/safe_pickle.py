"""Read pickles of plain data and numpy arrays, and run nothing that is written in them.

Python's documentation, "Restricting Globals", is the source of the manner. Departures: stand-ins take the place of
numpy's constructors, which trust their arguments; and the unpickler is the one written in Python, since the one in C
sets aside memory for whatever memo index a file names; and keys of dicts are text or numbers, sets are refused.
"""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from plcnn.errors import UserError

_NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
_MOST_CALLS = 64  # a batch needs three; each may hold the memory of the whole file


def loads(data: bytes, path: Path) -> Any:
    """Read a pickle of dicts, lists, tuples, strings, bytes, numbers and arrays of numbers.

    Args:
        data: the pickle, of any protocol; strings that Python 2 wrote are read as Latin-1.
        path: the file that `data` was read from, for messages.

    Returns:
        The object; arrays in it are of a subclass of `numpy.ndarray` and may be read-only.

    Raises:
        UserError: if the pickle names anything else, is cut off or damaged.
    """
    try:
        return _Unpickler(data).load()
    except _Refused as refused:
        raise UserError(f"{path} is not read: {refused}. A data file holds numbers and text alone.") from refused
    except Exception as error:  # a damaged pickle may raise anything, says Python's documentation
        reason = str(error) or type(error).__name__
        raise UserError(f"{path} is no readable pickle: {reason}. It may be cut off or damaged.") from error


class _Refused(Exception):
    """What a pickle asks for and does not get."""


_Load = Callable[["_Unpickler"], None]
_LOADS: dict[int, Any] = dict(pickle._Unpickler.dispatch)  # by opcode


def _with_plain_keys(code: int, keys: slice) -> _Load:
    """Keep tuples from being keys: to hash them, nested, can exhaust the stack or take for ever."""

    def load(self: "_Unpickler") -> None:
        if not all(isinstance(key, str | bytes | int | float) for key in self.stack[keys]):
            raise _Refused("it has a key that is no text or number")
        _LOADS[code](self)

    return load


def _refuse_sets(self: "_Unpickler") -> None:
    raise _Refused("it holds a set")


class _Unpickler(pickle._Unpickler):
    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = {
        **_LOADS,
        **dict.fromkeys(pickle.EMPTY_SET + pickle.FROZENSET, _refuse_sets),
        pickle.SETITEM[0]: _with_plain_keys(pickle.SETITEM[0], slice(-2, -1)),
        pickle.SETITEMS[0]: _with_plain_keys(pickle.SETITEMS[0], slice(None, None, 2)),
        pickle.DICT[0]: _with_plain_keys(pickle.DICT[0], slice(None, None, 2)),
    }

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._calls = 0
        self._admitted: dict[tuple[str, str], Callable[..., Any] | str] = {
            ("numpy", "ndarray"): "numpy.ndarray",  # only ever an argument
            ("numpy", "dtype"): self._dtype,
            ("numpy.core.multiarray", "_reconstruct"): self._reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): self._reconstruct,
            ("numpy.core.numeric", "_frombuffer"): self._frombuffer,
            ("numpy._core.numeric", "_frombuffer"): self._frombuffer,
            ("_codecs", "encode"): self._encode,
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._admitted:
            raise _Refused(f"it names {module}.{name}")
        return self._admitted[module, name]

    def _count(self) -> None:
        self._calls += 1
        if self._calls > _MOST_CALLS:
            raise _Refused(f"it builds more than {_MOST_CALLS} arrays")

    def _dtype(self, code: str, *_: Any) -> "_Number":
        self._count()
        return _Number(code)

    def _reconstruct(self, *_: Any) -> "_Array":
        self._count()
        return _Array(0)

    def _frombuffer(self, data: bytes, number: "_Number", shape: tuple[int, ...], order: str) -> "_Array":
        array = self._reconstruct()
        array.__setstate__((1, shape, number, order == "F", data))
        return array

    def _encode(self, text: str, encoding: str) -> bytes:
        self._count()
        return _latin1(text)


def _latin1(text: str | bytes | bytearray) -> bytes:
    if not isinstance(text, str | bytes | bytearray):
        raise _Refused("it holds an array whose numbers are objects")
    return text.encode("latin1") if isinstance(text, str) else bytes(text)


class _Number:
    """A stand-in for the dtype of one kind of number."""

    __slots__ = ("dtype",)

    def __init__(self, code: str) -> None:
        if not isinstance(code, str) or code not in _NUMBERS:
            kind = repr(code[:20]) if isinstance(code, str) else type(code).__name__
            raise _Refused(f"it holds an array of {kind}, no number")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, *_ = state
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """An array whose pickled state is looked at before numpy gets it."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, number, is_fortran, data = state
        if not isinstance(number, _Number):
            raise _Refused("it holds an array of no number")
        raw = _latin1(data)
        shape = np.frombuffer(raw, number.dtype).reshape(shape).shape
        super().__setstate__((1, shape, number.dtype, bool(is_fortran), raw))  # type: ignore[arg-type]  # the stub wants a numpy bool
