"""A folder of pictures of every kind, good and bad: good ones are read right, bad ones named in one error, at once."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import Outcome

from plcnn.data.module import ImageData
from plcnn.terminal import printable

Command = Callable[..., Outcome]
FIT = ["fit", "--model.arch", "linear", "--trainer.max_epochs", "1", "--tensorboard.figures_every_n_epochs", "0"]
MINE = ["--data.source", "folder", "--data.root", "mine"]
RGB = (np.arange(8 * 8 * 3) % 251).astype(np.uint8).reshape(8, 8, 3)
GREY = (np.arange(64) * 4).astype(np.uint8).reshape(8, 8)
ORANGE = np.full((8, 8, 3), (255, 165, 0), np.uint8)


def grey(values: np.ndarray) -> np.ndarray:
    """Grey values as a network of three channels gets them."""
    return np.repeat(values.astype(np.uint8)[..., None], 3, -1)


def kinds() -> dict[str, tuple[Image.Image, dict[str, Any], np.ndarray, int]]:
    """For each file: the picture, how it is saved, the pixels that are right, and how far they may be off."""
    palette = Image.fromarray(GREY // 4, "L").convert("P")
    palette.putpalette([value for index in range(64) for value in (index, 2 * index, 3 * index)] + [0] * 576)
    mapped = np.stack([(GREY // 4) * factor for factor in (1, 2, 3)], -1)
    through = mapped.copy()
    through[GREY // 4 == 5] = 255
    half = np.dstack([RGB, np.full((8, 8), 51, np.uint8)])
    on_white = np.round(RGB * 0.2 + 255 * 0.8)
    turned = Image.Exif()
    turned[0x112] = 6  # the camera lay on its right side
    deep = GREY.astype(np.uint16) * 257
    red, lime = (Image.new("RGB", (8, 8), colour) for colour in ("red", "lime"))
    moving = {"save_all": True, "append_images": [lime]}
    return {
        "rgb.png": (Image.fromarray(RGB), {}, RGB, 0),
        "LOUD.PNG": (Image.fromarray(RGB), {}, RGB, 0),
        "grey.png": (Image.fromarray(GREY), {}, grey(GREY), 0),
        "bits.png": (Image.fromarray(GREY > 99), {}, grey((GREY > 99) * 255), 0),
        "deep.png": (Image.fromarray(deep), {}, grey(GREY), 1),
        "deep.TIFF": (Image.fromarray(deep), {}, grey(GREY), 1),
        "share.tif": (Image.fromarray(GREY.astype(np.float32) / 255), {}, grey(GREY), 1),
        "palette.png": (palette, {}, mapped, 0),
        "palette.gif": (palette, {}, mapped, 0),
        "through.png": (palette, {"transparency": 5}, through, 0),
        "rgba.png": (Image.fromarray(half), {}, on_white, 1),
        "la.png": (Image.fromarray(half[..., 2:], "LA"), {}, grey(on_white[..., 2]), 1),
        "orange.jpeg": (Image.fromarray(ORANGE), {"quality": 95}, ORANGE, 3),
        "inks.jpg": (Image.fromarray(ORANGE).convert("CMYK"), {"quality": 95}, ORANGE, 4),
        "inks.tif": (Image.fromarray(ORANGE).convert("CMYK"), {}, ORANGE, 1),
        "turned.png": (Image.fromarray(RGB), {"exif": turned}, np.rot90(RGB, -1), 0),
        "moving.gif": (red, moving, np.asarray(red), 0),
        "moving.webp": (red, {**moving, "lossless": True}, np.asarray(red), 0),
        "moving.png": (red, moving, np.asarray(red), 0),
        "deeper/ü 日本 🐈.bmp": (Image.fromarray(RGB), {}, RGB, 0),
        "new\nline.png": (Image.fromarray(RGB), {}, RGB, 0),
        os.fsdecode(b"\xff.png"): (Image.fromarray(RGB), {}, RGB, 0),
    }


@pytest.fixture
def good() -> dict[str, tuple[np.ndarray, int]]:
    """A folder of two classes with pictures of each kind; the right pixels by name, and how far they may be off."""
    expected = {}
    for number, (name, (picture, options, pixels, off)) in enumerate(kinds().items()):
        path = Path("mine", "ab"[number % 2], name)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, **options)
        expected[path.relative_to("mine").as_posix()] = pixels, off
    Path("elsewhere.png").write_bytes(Path("mine/a/rgb.png").read_bytes())
    Path("mine/b/link.png").symlink_to(Path("elsewhere.png").absolute())
    expected["b/link.png"] = RGB, 0
    for left_out in ("a/.hidden.png", "b/._rgb.png", "__MACOSX/a/rgb.png", "a/Thumbs.db", ".git/x.png", "a/notes.txt"):
        Path("mine", left_out).parent.mkdir(parents=True, exist_ok=True)
        Path("mine", left_out).write_bytes(b"no picture")
    return expected


@pytest.fixture
def bad(good: Any) -> list[str]:
    """Files beside the good ones that nothing can read; their names as messages have them."""
    whole = Path("mine/a/rgb.png").read_bytes()
    contents = {
        "a/text.png": b"hello",
        "a/empty.JPG": b"",
        "b/cut.png": whole[: len(whole) // 2],
        "b/cut.jpeg": Path("mine/a/orange.jpeg").read_bytes()[:300],
        "b/vector.png": b"<svg/>",
        "a/Grüße\x1b[1m.png": b"x",
        "b/huge.ppm": b"P6 100000 100000 255\n",
    }
    for name, content in contents.items():
        Path("mine", name).write_bytes(content)
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save("mine/a/nan.tif")
    Path("mine/a/dangling.png").symlink_to("nowhere")
    Path("mine/b/loop.gif").symlink_to("loop.gif")
    os.mkfifo("mine/b/pipe.png")
    return [printable(name) for name in (*contents, "a/nan.tif", "a/dangling.png", "b/loop.gif", "b/pipe.png")]


def test_every_kind_of_picture_is_read_right(good: dict[str, tuple[np.ndarray, int]]) -> None:
    data = ImageData(source="folder", root="mine", val_fraction=0.2, test_fraction=0.2)  # type: ignore[arg-type]
    for stage in ("fit", "test"):
        data.setup(stage)
    assert data.image_shape == (3, 8, 8) and data.classes == ["a", "b"]
    seen = {}
    for part, (images, labels) in data.sets.items():
        names = data.parts[part].names()
        assert names and [name[0] for name in names] == ["ab"[label] for label in labels.tolist()]
        seen |= dict(zip(names, images[: len(labels)].permute(0, 2, 3, 1).numpy(), strict=True))
    assert seen.keys() == good.keys()
    for name, (pixels, off) in good.items():
        assert np.abs(seen[name].astype(int) - pixels).max() <= off, name


def test_fit_ends_before_the_training_with_one_error_that_names_all(plcnn: Command, bad: list[str]) -> None:
    outcome = plcnn(*FIT, *MINE, "--data.test_fraction", "0")  # no picture is put aside
    assert outcome.code == 1 and outcome.out == ""
    first, _advice = outcome.err.splitlines()
    assert first.startswith(f"error: {len(bad)} pictures cannot be read: ") and "\x1b" not in first
    for name in bad:
        assert first.count(name) == 1, name
    for name in kinds():
        assert printable(name) not in first
    assert not list(Path().rglob("*.ckpt"))


def test_check_names_all_of_every_part(plcnn: Command, bad: list[str]) -> None:
    outcome = plcnn("check", "mine")
    assert outcome.code == 1 and f"{len(bad)} pictures cannot be read: " in outcome.out and "\x1b" not in outcome.out
    findings = json.loads(Path("check/check.json").read_text())["findings"]
    (found,) = [finding for finding in findings if finding["kind"] == "unreadable"]
    assert sorted(printable(one["name"]) for (one,) in found["pictures"]) == sorted(bad)


def test_they_can_be_left_out(plcnn: Command, bad: list[str]) -> None:
    # one picture is left for validation
    outcome = plcnn(*FIT, *MINE, "--data.skip_unreadable", "true", "--data.batch_size", "8", "--data.val_count", "1")
    assert outcome.code == 0, outcome.err
    outcome = plcnn("test", "tb_logs/run/version_0")
    assert outcome.code == 0, outcome.err
