"""Pictures in class folders: what is found in them, in which order, and what is refused with which words."""

import errno
import logging
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import Outcome

from plcnn.data.complaints import refuse
from plcnn.data.module import ImageData
from plcnn.data.sources.folder import Folder
from plcnn.errors import UserError

Command = Callable[..., Outcome]


def touched(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def classes_of(*parts: str, names: str = "ab") -> None:
    touched(*(f"mine/{part}/{name}/1.png" for part in parts for name in names))


def found(source: Folder, part: str = "train") -> list[tuple[str, str]]:
    """The class and the name of each picture."""
    pictures = getattr(source, part)()
    names = [pictures.images.name(index) for index in range(len(pictures.labels))]
    return [(source.classes[label], name) for label, name in zip(pictures.labels.tolist(), names, strict=True)]


def refused(root: str = "mine") -> str:
    with pytest.raises(UserError) as caught:
        source = Folder(root)
        source.prepare()
        refuse(source.complaints)
    return str(caught.value)


def test_each_folder_is_a_class() -> None:
    touched("mine/class10/b.PNG", "mine/class10/a.jpg", "mine/class2/deep/er/c.Jpeg", "mine/class2/.hidden/x.png")
    touched("mine/class2/._d.png", "mine/class2/notes.txt", "mine/class2/__MACOSX/x.png", "mine/.git/x.png")
    touched("mine/__MACOSX/class2/x.png", "mine/Ärger/ü 日本.png", "elsewhere/e.png", "elsewhere/below/f.png")
    Path("mine/class2/folder.png").mkdir()
    Path("mine/class2/link.png").symlink_to(Path("elsewhere/e.png").absolute())
    Path("mine/linked").symlink_to(Path("elsewhere").absolute())
    source = Folder("mine")
    assert source.classes == ("class2", "class10", "linked", "Ärger")
    assert found(source) == [
        ("class2", "class2/deep/er/c.Jpeg"),
        ("class2", "class2/link.png"),
        ("class10", "class10/a.jpg"),
        ("class10", "class10/b.PNG"),
        ("linked", "linked/below/f.png"),
        ("linked", "linked/e.png"),
        ("Ärger", "Ärger/ü 日本.png"),
    ]
    assert not source.has_validation and not source.has_test
    assert source.train().images.picture(1) == Path("mine/class2/link.png")  # type: ignore[union-attr]


def test_the_order_does_not_depend_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    touched(*(f"mine/{name}/{deep}{number}.png" for name in "abc" for deep in ("", "x/") for number in range(9)))
    expected = found(Folder("mine"))
    walk, iterdir = os.walk, Path.iterdir

    def shuffled(values: list[str]) -> list[str]:
        random.Random(0).shuffle(values)
        return values

    monkeypatch.setattr(os, "walk", lambda top, **_: ((p, shuffled(d), shuffled(f)) for p, d, f in walk(top)))
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(shuffled(list(iterdir(path)))))  # type: ignore[type-var]
    assert found(Folder("mine")) == expected == sorted(expected)


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "VALID", "testing"), ("train", "dev")])
def test_folders_that_are_split_already(names: tuple[str, ...]) -> None:
    classes_of(*names)
    source = Folder("mine")
    assert source.classes == ("a", "b")
    assert (source.has_validation, source.has_test) == (True, len(names) == 3)
    for name, part in zip(names, ("train", "validation", "test"), strict=False):
        assert found(source, part) == [("a", f"{name}/a/1.png"), ("b", f"{name}/b/1.png")]


def test_own_validation_and_test_pictures_are_the_ones_that_are_used() -> None:
    for part, count, colour in (("train", 5, 10), ("val", 3, 20), ("test", 2, 30)):
        for name in "ab":
            Path("mine", part, name).mkdir(parents=True)
            for number in range(count):
                Image.new("L", (8, 8), colour + number).save(f"mine/{part}/{name}/{number}.png")
    data = ImageData(source="folder", root="mine")  # type: ignore[arg-type]
    data.prepare_data()
    for stage in ("fit", "test"):
        data.setup(stage)
    assert data.counts() == {"train": 10, "val": 6, "test": 4}
    assert data.image_shape == (1, 8, 8)
    values = {name: sorted(images[: len(labels)][:, 0, 0, 0].tolist()) for name, (images, labels) in data.sets.items()}
    assert values == {
        "train": [10, 10, 11, 11, 12, 12, 13, 13, 14, 14],
        "val": [20, 20, 21, 21, 22, 22],
        "test": [30, 30, 31, 31],
    }


def test_a_class_of_trains_is_a_class() -> None:
    touched("mine/bus/1.png", "mine/train/1.png")
    assert Folder("mine").classes == ("bus", "train")


def test_what_may_be_parts_or_classes_is_asked() -> None:
    touched("mine/cat/1.png", "mine/dog/1.png", "mine/test/1.png")
    assert refused().startswith("mine has test/ beside cat/, dog/: parts of a data set, or classes?")
    classes_of("train")
    assert "mine has test/, train/ beside cat/, dog/" in refused()


def test_folders_beside_the_parts_that_hold_no_pictures_are_left_alone() -> None:
    classes_of("train", "test")
    touched("mine/labels/1.txt")
    assert Folder("mine").classes == ("a", "b")


def test_parts_have_the_same_classes() -> None:
    classes_of("train", "val", names="abc")
    classes_of("test", names="bcde")
    assert refused() == (
        "mine: the test folder's classes are not train's: it lacks a, and has also d, e. "
        "Give all parts the same class folders."
    )


def test_all_faults_of_a_folder_are_one_error_and_can_be_looked_at() -> None:
    touched("mine/train/a/1.png", "mine/train/b\nb/1.png", "mine/train/c/notes.txt")
    touched("mine/val/a/1.png", "mine/val/b\nb/1.png", "mine/val/c/1.png", "mine/val/d/1.png")
    Path("mine/test").mkdir()
    assert refused().splitlines() == [
        "mine/train has names that cannot be a class's: 'b\\nb'. Rename them.",
        "mine/test has no folders. Make one for each class, with its pictures in it.",
        "mine/train: no pictures in c/. Put some there, or take the folder away.",
        "mine: the val folder's classes are not train's: it has also d. Give all parts the same class folders.",
    ]
    source = Folder("mine")
    assert source.classes == ("a", "b\nb", "c", "d") and [one.classes for one in source.complaints] == [
        *(("b\nb",), (), ("c",), ("d",))
    ]
    assert found(source, "validation")[-1] == ("d", "val/d/1.png") and found(source, "test") == []
    data = ImageData(source="folder", root="mine")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no pictures in c/"):
        data.prepare_data()
    with pytest.raises(UserError, match="no pictures in c/"):
        data.classes  # noqa: B018


def test_folders_that_cannot_be_looked_into_are_not_taken_for_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    touched("mine/a/1.png", "mine/b/1.png", "mine/b/deep/2.png", "mine/c/1.txt")
    look = os.scandir

    def closed(path: Any) -> Any:
        if str(path) in ("mine/a", "mine/b/deep"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert refused().splitlines() == [
        "mine has folders that cannot be looked into: mine/a/ (Permission denied), mine/b/deep/ (Permission denied). "
        "Allow reading them.",
        "mine: no pictures in c/. Put some there, or take the folder away.",
    ]


def test_accents_of_two_systems_are_one_class() -> None:
    touched("mine/train/caf\u00e9/1.png", "mine/train/b/1.png", "mine/test/cafe\u0301/1.png", "mine/test/b/1.png")
    source = Folder("mine")
    assert source.classes == ("b", "caf\u00e9") and found(source, "test")[1][1] == "test/caf\u00e9/1.png"
    touched("mine/train/cafe\u0301/2.png")
    assert "several folders that are called caf\u00e9" in refused()


def test_mistakes_are_told_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    touched("mine/cat/1.png", "mine/dog/1.txt", "mine/eel/.keep", "one/cat/1.png", "flat/1.png", "a.zip", "b.csv")
    touched(
        "outer/inner/cat/1.png", "outer/inner/dog/1.png", "half/val/a/1.png", "both/val/a/1.png", "both/dev/a/1.png"
    )
    touched("bad/x\nx/1.png", "bad/b/1.png", os.fsdecode(b"bytes/\xff/1.png"), "bytes/b/1.png")
    for root, words in {
        "mine": "mine: no pictures in dog/, eel/. Put some there, or take the folders away.",
        "one": "one has one class alone, cat; a classifier tells two or more apart.",
        "flat": "flat has no folders. Make one for each class, with its pictures in it.",
        "outer": "outer has one folder alone, which holds cat/, dog/. Did you mean --data.root outer/inner?",
        "half": "half has val/, but no train/ (train or training).",
        "both": "both has both dev/ and val/; leave one of them.",
        "bad": "bad has names that cannot be a class's",
        "bytes": "bytes has names that cannot be a class's",
        "mien": "--data.root mien: there is no such file or folder. Did you mean mine?",
        "no\x1bwhere": r"--data.root no\x1bwhere: there is no such file or folder. Name the folder that holds",
        "x" * 5000: "File name too long. Name the folder",
        "a.zip": "--data.root a.zip is a file. Unpack it, and name the folder",
        "b.csv": "--data.root b.csv is a file. --data.source table reads it.",
        "flat/1.png": "--data.root flat/1.png is a file. Name the folder",
    }.items():
        assert words in refused(root)


def test_pictures_beside_the_classes_are_mentioned(caplog: pytest.LogCaptureFixture) -> None:
    touched("mine/a/1.png", "mine/b/1.png", "mine/1.png", "mine/2.JPG", "mine/notes.txt")
    with caplog.at_level(logging.WARNING):
        Folder("mine").prepare()
    assert caplog.messages == ["mine: left out, for they lie in no class folder: 1.png, 2.JPG"]


def test_a_wrong_folder_ends_before_anything_is_built(plcnn: Command) -> None:
    touched("mine/cat/1.png", "mine/dog/1.txt")
    outcome = plcnn("fit", "--data.source", "folder", "--data.root", "mine", "--model.arch", "linear")
    assert outcome.code == 1 and outcome.err.startswith("error: mine: no pictures in dog/")
    assert len(outcome.err.splitlines()) == 1 and not Path("tb_logs").exists()
    outcome = plcnn("fit", "--data.source", "folder", "--data.root", "mien")
    assert outcome.code == 2 and "Did you mean mine?" in outcome.err
