"""What `fit` says of the pictures by itself, and that it never looks at the test pictures."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Outcome

from plcnn.data.module import ImageData
from plcnn.errors import UserError
from plcnn.inspection.before_training import command

Command = Callable[..., Outcome]


def _data(root: Path, **options: object) -> ImageData:
    source = {"class_path": "folder"}
    return ImageData(source=source, root=str(root), image_size=8, **options)  # type: ignore[arg-type]


def _said(capfd: pytest.CaptureFixture[str], data: ImageData) -> list[str]:
    capfd.readouterr()
    data.prepare_data()
    data.setup("fit")
    return capfd.readouterr().out.splitlines()


def test_nothing_is_said_of_clean_pictures(folder: Callable[..., Path], capfd: pytest.CaptureFixture[str]) -> None:
    root = folder("cat", "dog", each=12)
    (root / "test" / "cat" / "00.png").write_text("the test pictures are not looked at")
    shutil.copy(root / "train" / "cat" / "01.png", root / "test" / "cat" / "copy.png")
    assert _said(capfd, _data(root)) == []


def test_warnings_are_told_with_the_command_that_tells_more(
    folder: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    root = folder("cat", "dog", each=12)
    shutil.copy(root / "train" / "cat" / "01.png", root / "val" / "cat" / "copy.png")
    shutil.copy(root / "train" / "cat" / "02.png", root / "train" / "cat" / "copy.png")
    more = f"More: plcnn check {root} --data.image_size 8"
    sentence = "1 validation picture is a copy of a training picture: train/cat/01.png = val/cat/copy.png."
    assert _said(capfd, _data(root)) == [
        f"checked    1 warning, 1 note in the training and validation pictures. {more}",
        f"warning    {sentence}",
    ]
    assert _said(capfd, _data(root, check="off")) == []
    with pytest.raises(UserError) as refused:
        _data(root, check="stop").setup("fit")
    assert str(refused.value) == f"{sentence}\n--data.check stop: 1 warning. {more}" and refused.value.exit_code == 1
    _data(root, check="stop").setup("validate")


def test_unreadable_pictures_end_the_training_or_are_left_out(plcnn: Command, folder: Callable[..., Path]) -> None:
    root = folder("cat", "dog", each=12)
    for name in ("train/cat/03.png", "train/cat/05.png", "val/dog/00.png"):
        (root / name).write_text("no picture")
    options = ["--data.source", "folder", "--data.root", str(root), "--data.image_size", "8", "--model.arch", "linear"]
    options += [
        "--trainer.max_epochs",
        "1",
        "--trainer.accelerator",
        "cpu",
        "--tensorboard.figures_every_n_epochs",
        "0",
    ]
    ended = plcnn("fit", *options, "--data.check", "off")
    assert ended.code == 1 and ended.err.splitlines() == [
        "error: 3 pictures cannot be read: train/cat/03.png (no picture), train/cat/05.png (no picture), "
        "val/dog/00.png (no picture).",
        "Mend or delete them, or leave them out: --data.skip_unreadable true.",
    ]
    ended = plcnn("fit", *options, "--data.skip_unreadable", "true", "--test_after", "true", "--report", "false")
    assert ended.code == 0, ended
    assert "22 training and 7 validation pictures of 2 classes" in ended.out
    assert f"left out   3 pictures that cannot be read. More: plcnn check {root}" in ended.out
    (root / "test" / "dog" / "00.png").write_text("no picture")
    ended = plcnn("test", "tb_logs/run/version_0", "--data.skip_unreadable", "false")
    assert ended.code == 1 and "1 picture cannot be read: test/dog/00.png (no picture)." in ended.err, ended


def test_known_sets_and_sets_in_memory_are_not_looked_at(capfd: pytest.CaptureFixture[str]) -> None:
    source = {"class_path": "shapes", "init_args": {"train_size": 60, "test_size": 20}}
    assert _said(capfd, ImageData(source=source, image_size=8)) == []  # type: ignore[arg-type]


def test_the_command_has_what_was_not_left_at_its_default() -> None:
    def typed(**options: object) -> str:
        return command(ImageData(**options))  # type: ignore[arg-type]

    assert typed() == "plcnn check cifar10"
    table = {"class_path": "table", "init_args": {"label": "kind"}}
    assert typed(source=table, root="my birds.csv", split_seed=3, batch_size=8) == (
        "plcnn check 'my birds.csv' --data.source.label kind --data.split_seed 3"
    )
    assert typed(source={"class_path": "shapes", "init_args": {"seed": 5}}, root="elsewhere", verify=False) == (
        "plcnn check shapes --data.source.seed 5 --data.root elsewhere --data.verify false"
    )
