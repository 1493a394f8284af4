"""Pickles of data are read, whoever wrote them; pickles of anything else do nothing but raise."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from plcnn.data.published.safe_pickle import loads
from plcnn.errors import UserError

PATH = Path("/some/where/data_batch_1")
PIXELS = (np.arange(2 * 300) % 256).astype(np.uint8).reshape(2, 300)
CONTENT = {"data": PIXELS, "labels": [3, 9], "text": "ä", "bytes": b"\xff", "numbers": (1, 2.5, True, None, 2**80)}
CALL = b"cnumpy.core.multiarray\n_reconstruct\n(tR"
NUMBERS = b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85R"


class Calls:
    """Pickles to a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_python_3_writes_and_it_is_read(protocol):
    content = loads(pickle.dumps(CONTENT, protocol), PATH)
    assert np.array_equal(content.pop("data"), PIXELS)
    assert content == {name: value for name, value in CONTENT.items() if name != "data"}


def test_python_2_wrote_and_it_is_read(python2_batch):
    content = loads(python2_batch(PIXELS, [3, 9]), PATH)
    assert np.array_equal(content["data"], PIXELS)
    assert content["data"].dtype == np.uint8
    assert content["labels"] == [3, 9]


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dtype", ["?", "<i8", ">i4", "<f4", ">f8", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_number_and_order(protocol, dtype, order):
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype=dtype, order=order)
    assert np.array_equal(loads(pickle.dumps(array, protocol), PATH), array)


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_both_names_of_numpys_module(module):
    data = pickle.dumps(PIXELS, 0).replace(b"numpy._core.multiarray", module.encode())
    assert np.array_equal(loads(data, PATH), PIXELS)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("form", ["bare", "in the labels", "in an array's state", "as an argument"])
@pytest.mark.parametrize("function", ["system", "eval", "exec", "open"])
def test_code_is_refused_by_name_and_not_run(tmp_path, protocol, form, function):
    sentinel = tmp_path / "ran"
    code = f"open({str(sentinel)!r}, 'w').close()"
    evil = {
        "system": Calls(os.system, f"touch {sentinel}"),
        "eval": Calls(eval, code),
        "exec": Calls(exec, code),
        "open": Calls(open, str(sentinel), "w"),
    }[function]
    content = {
        "bare": evil,
        "in the labels": {"data": PIXELS, "labels": [1, evil]},
        "in an array's state": np.array([evil, 1], dtype=object),
        "as an argument": Calls(np.dtype, evil),
    }[form]
    refused = rf"it (names ({os.name}\.system|builtins|__builtin__|_?io)|holds an array of 'O8')"
    with pytest.raises(UserError, match=f"{PATH} is not read: {refused}"):
        loads(pickle.dumps(content, protocol), PATH)
    assert not sentinel.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'touch SENTINEL'\ntR.",
        b"(S'touch SENTINEL'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch SENTINEL'\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0etouch SENTINEL\x85R.",
        b"\x80\x04cos\nsystem\n)}\x92.",
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        b"\x80\x02\x82\x01.",  # from copyreg's table
        b"Pname\n.",  # a persistent name
    ],
)
def test_every_opcode_that_finds_code(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=str(PATH)):
        loads(data, PATH)
    assert not (tmp_path / "SENTINEL").exists()


@pytest.mark.parametrize(
    "value", [OrderedDict(a=1), Path("a"), np.float64(1), PATH.exists, len, 1j, range(3), UserError("a")], ids=repr
)
def test_anything_but_data_is_refused(value):
    with pytest.raises(UserError, match="it names .*A data file holds numbers and text alone"):
        loads(pickle.dumps({"data": value}), PATH)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("array", [np.array([None, 1]), np.array(["a"]), np.zeros(2, "u1,u1"), np.zeros(1, "M8[s]")])
def test_arrays_of_no_numbers_are_refused(protocol, array):
    with pytest.raises(UserError, match="it holds an array of .* no number"):
        loads(pickle.dumps(array, protocol), PATH)


@pytest.mark.parametrize(
    "data",
    [
        CALL + b"(I1\n(I5\ntI00\nI00\nI1000000000000\ntb.",  # numbers made of a count
        CALL + b"(I1\n(I5\nt" + NUMBERS + b"I00\nI1000000000000\ntb.",
        CALL + b"(I1\n(I5\nt" + NUMBERS + b"I00\nX\x01\x00\x00\x00atb.",  # five numbers of one byte
        CALL + b"(I1\n(I-1000000\nI-1000000\nt" + NUMBERS + b"I00\nX\x01\x00\x00\x00atb.",
        CALL + b"(I1\n(I5\nt" + NUMBERS + b"I00\n](I1\netb.",
        b"](" + CALL * 1000 + b"e.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # bytes without end
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x09N.",
        b"",
        b".",
        b"<!DOCTYPE html>",
        bytes(100),
    ],
    ids=range(14),
)
def test_bombs_and_nonsense(data):
    with pytest.raises(UserError, match=str(PATH)):
        loads(data, PATH)


def test_a_memo_of_two_thousand_million_entries_takes_no_memory():
    assert loads(b"\x80\x02Nr\xff\xff\xff\x7f.", PATH) is None


def test_a_count_in_place_of_bytes_makes_no_bytes():
    with pytest.raises(UserError, match="whose numbers are objects"):
        loads(CALL + b"(I1\n(I5\nt" + NUMBERS + b"I00\nI5\ntb.", PATH)


@pytest.mark.parametrize(
    "data",
    [
        b"}" + b")" + b"\x85" * 1_000_000 + b"Ns.",
        b"}(" + b")" + b"\x85" * 1_000_000 + b"Nu.",
        b"(" + b")" + b"\x85" * 1_000_000 + b"Nd.",
        b"\x80\x04(" + b")" + b"\x85" * 1_000_000 + b"\x91.",
        b"}(" + b")" + b"q\x01h\x01\x86" * 60 + b"Nu.",
        pickle.dumps({1}),
    ],
    ids=range(6),
)
def test_hashing_is_not_a_way_in(data):
    with pytest.raises(UserError, match="no text or number|a set"):
        loads(data, PATH)


def test_lists_that_hold_themselves_many_times_over():
    data = b"]" + b"".join(b"q\x01](" + b"h\x01" * 10 + b"e" for _ in range(50)) + b"."
    assert len(loads(data, PATH)) == 10  # 10 ** 50 when written out


def test_every_cut_is_noticed(python2_batch):
    for data in (python2_batch(PIXELS, [3, 9]), pickle.dumps(CONTENT)):
        for length in range(len(data)):
            with pytest.raises(UserError, match=f"{PATH} is (no readable pickle|not read)"):
                loads(data[:length], PATH)


def test_damage_anywhere_is_an_error_in_words_or_data(python2_batch):
    random = np.random.default_rng(0)
    original = np.frombuffer(python2_batch(PIXELS[:, :10], [3, 9]), np.uint8)
    for _ in range(5000):
        damaged = original.copy()
        damaged[random.integers(len(damaged), size=2)] = random.integers(256, size=2)
        try:
            loads(damaged.tobytes(), PATH)
        except UserError as error:
            assert str(PATH) in str(error)
