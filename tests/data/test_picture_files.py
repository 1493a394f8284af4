"""Pictures that lie as files: their names, and the list of a folder with a folder a class."""

import pickle
import unicodedata
from pathlib import Path

from plcnn.data.class_names import composed
from plcnn.data.reading.picture_files import PictureFiles, class_folders


def test_classes_are_sorted_and_what_is_hidden_is_left_out(tmp_path: Path) -> None:
    for name in ("dog/2.png", "dog/1.JPG", "cat/deep/1.png", "cat/notes.txt", ".git/1.png", "__MACOSX/1.png", "0.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "emu").mkdir()
    (tmp_path / "dog" / ".3.png").touch()
    classes, paths, labels = class_folders(tmp_path)
    assert classes == ("cat", "dog", "emu")
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["cat/deep/1.png", "dog/1.JPG", "dog/2.png"]
    assert labels.tolist() == [0, 1, 1]
    (tmp_path / "emu" / "none").mkdir()
    assert class_folders(tmp_path / "emu" / "none")[2].tolist() == []


def test_names_are_paths_below_the_root_and_files_travel(tmp_path: Path) -> None:
    files = PictureFiles([tmp_path / "a" / "1.png", Path("/elsewhere/2.png")], tmp_path)
    for one in (files, pickle.loads(pickle.dumps(files))):
        assert len(one) == 2
        assert one.picture(0) == tmp_path / "a" / "1.png" and one.picture(1) == Path("/elsewhere/2.png")
        assert one.names() == [one.name(0), one.name(1)] == ["a/1.png", "/elsewhere/2.png"]


def test_accents_that_a_mac_took_apart_change_neither_order_nor_names(tmp_path: Path) -> None:
    pictures = ("zoo/éa.png", "zoo/ez.png", "éclair/1.png", "egg/1.png", "Éa/1.png")
    found = []
    for form in ("NFC", "NFD"):
        root = tmp_path / form
        for name in pictures:
            path = root / unicodedata.normalize(form, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        classes, paths, labels = class_folders(root)
        assert all(path.exists() for path in paths) and len(paths) == 5
        found.append((tuple(map(composed, classes)), PictureFiles(paths, root).names(), labels.tolist()))
    assert found[0] == found[1]
    assert found[0][1] == ["egg/1.png", "zoo/ez.png", "zoo/éa.png", "Éa/1.png", "éclair/1.png"]
