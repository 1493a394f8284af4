"""Files, folders, patterns, arrays and the standard input: which pictures are meant, and what names none."""

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plcnn.data.reading.meant import Meant, meant_pictures

IMAGES = (np.arange(2 * 5 * 6 * 3) % 251).astype(np.uint8).reshape(2, 5, 6, 3)


def named(*typed: str, standard_input: bytes | None = None) -> list[str]:
    """The names of what is meant, all of it pictures."""
    pictures, faults = meant_pictures(typed, standard_input)
    assert faults == []
    return [meant.name for meant in pictures]


def fault(*typed: str, standard_input: bytes | None = None) -> str:
    """The one thing that names no picture."""
    pictures, faults = meant_pictures(typed, standard_input)
    assert pictures == [] and len(faults) == 1
    return faults[0]


def touched(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_patterns_mean_what_they_mean_to_a_shell() -> None:
    touched("a.png", "b.jpg", "sub/c.png", "sub/deep/d.png", "sub/notes.txt", "odd[1].png", ".hidden.png")
    assert named("*.png") == ["a.png", "odd[1].png"]
    assert named("**/*.png") == ["a.png", "odd[1].png", "sub/c.png", "sub/deep/d.png"]
    assert named("sub/*") == ["sub/c.png", "sub/deep/d.png", "sub/notes.txt"]  # as without quotes
    assert named("odd[1].png") == ["odd[1].png"]  # the file of this name, not a pattern
    assert named("?.*", "sub", "a.png") == ["a.png", "b.jpg", "sub/c.png", "sub/deep/d.png", "a.png"]
    assert fault("*.gif") == "*.gif (no file has a name like it)"


def test_patterns_mean_each_file_once() -> None:
    touched("sub/deep/d.png", "sub/c.png")
    assert sorted(named("**")) == ["sub/c.png", "sub/deep/d.png"]


def test_home_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    touched("home/mine/a.png")
    monkeypatch.setenv("HOME", str(Path("home").absolute()))
    assert named("~/mine", "~/mine/*.png") == [str(Path("home/mine/a.png").absolute())] * 2


def test_a_misspelt_file_is_told_the_nearest() -> None:
    touched("cat.png", "x/dog.png")
    assert fault("cat.pgn") == "cat.pgn (no such file or folder. Did you mean cat.png?)"
    assert fault("x/dgo.png") == "x/dgo.png (no such file or folder. Did you mean dog.png?)"
    assert fault("nowhere/at/all.png") == "nowhere/at/all.png (no such file or folder)"


def test_names_that_are_no_names() -> None:
    assert "no such file" in fault("a\0b.png") and "\0" not in fault("a\0b.png")
    assert "too long" in fault("x" * 5000)
    touched("a.png")
    assert fault("") == " (an empty name)"


@pytest.mark.parametrize(
    ("array", "names"),
    [
        (IMAGES, ["a.npy[0]", "a.npy[1]"]),
        (IMAGES[..., 0], ["a.npy[0]", "a.npy[1]"]),
        (IMAGES[..., :1], ["a.npy[0]", "a.npy[1]"]),
        (IMAGES[0], ["a.npy"]),
        (IMAGES[0, ..., 0], ["a.npy"]),
        (IMAGES / 255, ["a.npy[0]", "a.npy[1]"]),
        ((IMAGES[0] / 255).astype(np.float16), ["a.npy"]),
    ],
)
def test_arrays(array: np.ndarray, names: list[str]) -> None:
    np.save("a.npy", array)
    np.savez_compressed("a.npz", pictures=array)
    content = io.BytesIO()
    np.save(content, array)
    assert named("a.npy") == names
    assert named("a.npz") == [name.replace("npy", "npz") for name in names]
    assert named("-", standard_input=content.getvalue()) == [name.replace("a.npy", "-") for name in names]
    pictures, _ = meant_pictures(["a.npy"])
    values = [meant.picture for meant in pictures]
    assert np.array_equal(np.stack(values) if len(names) > 1 else values[0], array)  # type: ignore[arg-type]
    assert [meant.stem for meant in pictures] == (["a-0", "a-1"] if len(names) > 1 else ["a"])


def test_arrays_of_as_many_channels_as_the_network_takes() -> None:
    array = np.zeros((2, 5, 6, 7), np.uint8)
    for given, names in ((array, ["a.npy[0]", "a.npy[1]"]), (array[0], ["a.npy"])):
        np.save("a.npy", given)
        for typed, content in (("a.npy", None), ("*.npy", None), ("-", b"a.npy"), ("-", Path("a.npy").read_bytes())):
            pictures, faults = meant_pictures([typed], content, channels=7)
            assert faults == [] and [meant.name.replace("-", "a.npy") for meant in pictures] == names
    np.save("a.npy", array)
    assert "an array of shape (2, 5, 6, 7); expected" in fault("a.npy")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 3, 8, 8), np.uint8), "expected (pictures, height, width, channels)"),
        (np.zeros((3, 8, 8), np.uint8), "channels come last"),
        (np.zeros(8, np.uint8), "an array of shape (8,)"),
        (np.zeros((0, 8, 8, 3), np.uint8), "holds no pictures"),
        (np.zeros((8, 8), np.int64), "values of type int64"),
        (np.zeros((8, 8), np.complex64), "values of type complex64"),
    ],
)
def test_arrays_that_hold_no_pictures(array: np.ndarray, words: str) -> None:
    np.save("a.npy", array)
    assert words in fault("a.npy")


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("attacked",)


def test_files_that_hold_no_arrays() -> None:
    Path("pickled.npy").write_bytes(pickle.dumps(Attack()))
    np.save("objects.npy", np.array([Attack()], dtype=object), allow_pickle=True)
    np.savez("objects.npz", a=np.array([Attack()], dtype=object))
    np.savez("two.npz", a=IMAGES, b=IMAGES)
    np.savez("none.npz")
    np.save("good.npy", IMAGES)
    Path("cut.npy").write_bytes(Path("good.npy").read_bytes()[:-1])
    Path("empty.npy").touch()
    Path("empty.npz").touch()
    with open("huge.npy", "wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (10**12, 5, 6, 3)}
        np.lib.format.write_array_header_1_0(file, header)
    names = ["pickled.npy", "objects.npy", "objects.npz", "two.npz", "none.npz", "cut.npy", "empty.npy", "empty.npz"]
    for name in [*names, "huge.npy"]:
        assert fault(name).startswith(f"{name} (") and len(fault(name).splitlines()) == 1
    assert "2 arrays (a, b); expected one" in fault("two.npz")
    assert fault("pickled.npy") == "pickled.npy (no NumPy array)"
    assert not Path("attacked").exists()


def test_an_archive_that_swells_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plcnn.data.reading.array_files.MOST_BYTES", 1000)
    np.savez_compressed("a.npz", a=np.zeros((10, 20, 20), np.uint8))
    assert "it holds more than" in fault("a.npz")


def test_the_standard_input_is_a_picture_or_a_list() -> None:
    touched("a.png", "b c.png", "sub/d.png")
    picture = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(picture, "PNG")
    assert meant_pictures(["-"], picture.getvalue()) == ([Meant("-", "stdin", picture.getvalue())], [])
    assert named("-", standard_input=b"a.png\r\n\nb c.png\nsub") == ["a.png", "b c.png", "sub/d.png"]
    undecodable = os.fsdecode(b"\xff.png")
    touched(undecodable)
    assert named("-", standard_input=b"\xff.png\n") == [undecodable]
    assert fault("-", standard_input=b"a.pgn\n").startswith("a.pgn (no such file")
    for empty in (b"", b" \n", None):
        assert fault("-", standard_input=empty) == "- (the standard input is empty)"
    assert "neither a picture nor a list" in fault("-", standard_input=picture.getvalue()[1:])
    assert fault("-", standard_input=b"-\n").startswith("- (")
