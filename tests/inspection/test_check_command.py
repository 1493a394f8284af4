"""`plcnn check` on folders with planted faults: what it finds, prints and writes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inspection.subjects import blotches
from PIL import Image, ImageOps
from support import TINY, Outcome

from plcnn.data.kept import survey
from plcnn.data.module import ImageData
from plcnn.data.reading.in_memory import opened
from plcnn.terminal import in_bytes

Command = Callable[..., Outcome]


def _findings(path: Path) -> dict[str, tuple[str, int, Any]]:
    """By kind: severity, count, and the names of the pictures."""
    found = json.loads(path.read_text())["findings"]
    return {
        one["kind"]: (one["severity"], one["count"], [[p["name"] for p in group] for group in one["pictures"]])
        for one in found
    }


def test_a_clean_folder(plcnn: Command, folder: Callable[..., Path]) -> None:
    path = folder("cat", "dog")
    ended = plcnn("check", path, "--data.image_size", "32")
    assert ended.code == 0, ended
    for line in (
        "pictures   100 pictures of 2 classes: 60 training, 20 validation, 20 test",
        "sizes      64 × 48 pixels, brought to 32 × 32 pixels, 3 channels (stretch)",
        "kinds      PNG 100; RGB 100",
        "cat          30          10    10",
        "result     nothing found",
        "page       check/check.html",
    ):
        assert line in ended.out.splitlines(), ended.out
    known = json.loads(Path("check/check.json").read_text())
    assert known["findings"] == [] and known["counts"] == {"train": [30, 30], "val": [10, 10], "test": [10, 10]}
    pixels = np.stack(
        [
            np.asarray(Image.open(file).resize((32, 32), Image.Resampling.BILINEAR), float)
            for file in (path / "train").rglob("*.png")
        ]
    )
    assert known["scaling"]["mean"] == pytest.approx(pixels.mean((0, 1, 2)) / 255, abs=1e-9)
    assert known["scaling"]["std"] == pytest.approx(pixels.std((0, 1, 2)) / 255, abs=1e-9)
    mean = ", ".join(f"{value:.4f}" for value in known["scaling"]["mean"])
    assert f"--model.mean '[{mean}]'" in ended.out


def test_what_was_planted_is_found_and_nothing_else(plcnn: Command, folder: Callable[..., Path]) -> None:
    root = folder("cat", "<b>dog & Bär")
    cats, dogs = sorted((root / "train").iterdir(), reverse=True)
    val, test = (root / part / cats.name for part in ("val", "test"))
    shutil.copy(cats / "03.png", val / "copy.png")
    Image.open(cats / "04.png").save(test / "resaved.jpg", quality=40)
    Image.open(cats / "05.png").resize((200, 150), Image.Resampling.LANCZOS).save(test / "larger.png")
    ImageOps.mirror(Image.open(cats / "06.png")).save(test / "mirrored.png")
    shutil.copy(cats / "07.png", dogs / "other_class.png")
    blotches(905, 200, 150).save(cats / "cut.JPG", quality=95)
    (cats / "cut.JPG").write_bytes((cats / "cut.JPG").read_bytes()[:-800])
    (test / "text.png").write_text("no picture")
    (cats / ".hidden.png").write_text("is not looked at")
    blotches(900, 200, 20).save(dogs / "日本.png")
    blotches(901).convert("CMYK").save(cats / "print.jpg", quality=95)
    blotches(902).convert("L").save(cats / "grey.png")
    blotches(903).save(cats / "moving.gif", save_all=True, append_images=[blotches(904)])
    ended = plcnn("check", root, "--data.image_size", "32", "--output", "out", "--json", "found.json")
    assert ended.code == 1 and "result     1 error, 3 warnings, 5 notes" in ended.out, ended
    assert "3 more" not in ended.out and "text.png (no picture)" in ended.out and "truncated" in ended.out
    shown, other = f"train/{cats.name}", f"train/{dogs.name}"
    assert _findings(Path("found.json")) == _findings(Path("out/check.json"))
    assert _findings(Path("found.json")) == {
        "unreadable": ("error", 2, [[f"{shown}/cut.JPG"], ["test/cat/text.png"]]),
        "copies_in_two_classes": ("warning", 1, [[f"{other}/other_class.png", f"{shown}/07.png"]]),
        "copies_across_train_and_val": ("warning", 1, [[f"{shown}/03.png", "val/cat/copy.png"]]),
        "alike_across_train_and_test": (
            "warning",
            2,
            [[f"{shown}/05.png", "test/cat/larger.png"], [f"{shown}/04.png", "test/cat/resaved.jpg"]],
        ),
        "copies_in_train": ("note", 1, [[f"{other}/other_class.png", f"{shown}/07.png"]]),
        "distorted": ("note", 1, [[f"{other}/日本.png"]]),
        "cmyk": ("note", 1, [[f"{shown}/print.jpg"]]),
        "moving": ("note", 1, [[f"{shown}/moving.gif"]]),
        "grey_in_colour": ("note", 1, [[f"{shown}/grey.png"]]),
    }
    page = Path("out/check.html").read_text()
    assert "<b>dog" not in page and "&lt;b&gt;dog &amp; Bär" in page and "truncated" in page
    assert page.count("<img") > 20 and len(page) < 1_000_000


def test_all_that_fit_refuses_a_folder_for_is_listed_with_the_rest(plcnn: Command, folder: Callable[..., Path]) -> None:
    root = folder("cat", "dog", each=12)
    (root / "train" / "eel").mkdir()
    shutil.rmtree(root / "val" / "dog")
    shutil.rmtree(root / "test")
    (root / "test").mkdir()
    shutil.copy(root / "train" / "cat" / "00.png", root / "val" / "cat" / "copy.png")
    (root / "val" / "cat" / "text.png").write_text("no picture")
    ended = plcnn("check", root, "--data.image_size", "32")
    assert ended.code == 1 and "result     4 errors, 1 warning" in ended.out, ended
    found = json.loads(Path("check/check.json").read_text())["findings"]
    assert [(one["kind"], one["classes"]) for one in found] == [
        ("no_class_folders", []),
        ("empty_classes", ["eel"]),
        ("classes_of_parts", ["dog", "eel"]),
        ("unreadable", []),
        ("copies_across_train_and_val", []),
    ]
    page = Path("check/check.html").read_text()
    assert all(f"{one['severity']}</span> {one['sentence'].split(':')[0]}" in page for one in found)
    refused = plcnn("fit", "--data.source", "folder", "--data.root", root, "--model.arch", "linear")
    assert refused.code == 1 and refused.err.splitlines() == [
        f"{'error: ' * (not place)}{one['sentence']} {one['advice']}" for place, one in enumerate(found[:3])
    ]


def test_rows_of_a_table_that_cannot_be_used_are_listed_and_the_others_looked_at(plcnn: Command) -> None:
    rows = [f"{number}.png,{'ab'[number % 2]},{'test' if number < 4 else 'train'}" for number in range(40)]
    Path("set.csv").write_text(
        "\n".join(["file,label,split", *rows, "none.png,a,train", "0.png,c,test", "5.png,c,test"])
    )
    for number in range(40):
        blotches(number if number != 7 else 8).save(f"{number}.png")
    ended = plcnn("check", "set.csv", "--page", "false", "--json", "-")
    known = json.loads(ended.out)
    assert ended.code == 1 and sum(map(sum, known["counts"].values())) == 40, ended
    assert [(one["kind"], one["severity"], one["count"]) for one in known["findings"][:2]] == [
        ("unusable_rows", "error", 3),
        ("copies_in_two_classes", "warning", 1),
    ]
    assert "set.csv: 3 of 43 rows cannot be used. 1 whose files are not in ./ " in ended.out
    assert "row 42: none.png;" in ended.out


@pytest.mark.parametrize("parts", [("train", "val", "test"), ("train",)])
def test_fit_and_check_read_the_pictures_once_between_them(
    folder: Callable[..., Path], plcnn: Command, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...]
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(survey, "usable_cores", lambda: 1)
    monkeypatch.setattr(survey, "opened", lambda picture, least: read.append(picture) or opened(picture, least))
    root = folder("cat", "dog", parts=parts)
    (root / "train" / "cat" / "00.png").write_text("no picture")
    count = len(list(root.rglob("*.png")))

    def fit() -> None:
        data = ImageData(source="folder", root=str(root), image_size=8, cache_dir="kept", skip_unreadable=True)  # type: ignore[arg-type]
        for stage in ("fit", "test"):
            data.setup(stage)

    def check() -> str:
        words = ("--data.image_size", "8", "--data.cache_dir", "kept", "--page", "false")
        return str(plcnn("check", root, *words).out)

    fit()
    assert len(read) == len(set(read)) == count
    said = check()
    assert len(read) == count and "1 picture cannot be read" in said
    assert said.splitlines()[-1] == f"kept       {in_bytes(count * 3 * 8 * 8)} in kept, for fit and test"
    shutil.rmtree("kept")
    del read[:]
    said_anew = check()
    assert len(read) == count and said_anew == said, "the mean is of the training pictures alone, whoever read them"
    fit()
    assert len(read) == count


def test_the_test_pictures_of_a_set_in_memory_are_compared_too(plcnn: Command) -> None:
    ended = plcnn("check", "shapes", *TINY[2:6], "--json", "-", "--page", "false")
    known = json.loads(ended.out)
    assert known["counts"]["test"] == [9] * 10 and not Path("check").exists()
    assert ended.code == int(any(one["severity"] != "note" for one in known["findings"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "check needs pictures: plcnn check DATA, or --config FILE."),
        (["--data.val_fraction", "0.2"], "check needs pictures"),
        (["picture"], "picture: there is no such folder, file or data set. Did you mean pictures?"),
        (["shape"], "shape: there is no such folder, file or data set. Did you mean shapes?"),
        (["my.yaml"], "my.yaml is a config: plcnn check --config my.yaml"),
        (["notes.txt"], "notes.txt: expected a folder of pictures, or a file ending in .csv"),
        (["shapes", "--jsn", "a"], "there is no option --jsn. Did you mean --json?"),
        (["shapes", "--data.rot", "a"], "there is no option --data.rot. Did you mean --data.root"),
        (["shapes", "--page", "no"], "--page: got 'no'."),
        (["shapes", "--json", "notes.txt"], "--json notes.txt: exists already; name another file."),
    ],
)
def test_mistakes(plcnn: Command, arguments: list[str], words: str) -> None:
    Path("pictures").mkdir()
    Path("notes.txt").write_text("mine")
    ended = plcnn("check", *arguments)
    assert ended.code == 2 and words in ended.err and ended.err.count("\n") == 1, ended
    assert Path("notes.txt").read_text() == "mine" and not Path("check").exists()


def test_what_data_may_be(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from plcnn.inspection.named_data import flags

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    for name in ("birds.csv", "birds.NPZ"):
        (tmp_path / name).touch()
    (tmp_path / "shapes").mkdir()
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "dataset_dict.json").touch()
    assert flags("shapes") == ["--data.source", "shapes"]
    assert capfd.readouterr().err == "shapes is the data set of this name; the folder is ./shapes\n"
    assert flags("./shapes") == ["--data.source", "folder", "--data.root", "./shapes"]
    assert flags("saved") == ["--data.source", "huggingface", "--data.root", "saved"]
    assert flags("birds.csv") == ["--data.source", "table", "--data.root", "birds.csv"]
    assert flags("birds.NPZ") == ["--data.source", "numpy", "--data.root", "birds.NPZ"]
    assert flags("run") == ["--config", "run/config.yaml"]
