"""Pictures of every kind, as they are found on disks: each is read right, or named in one error that lists all."""

import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hostile.damage import cuts, flips
from PIL import Image
from support import TINY, Outcome

import plcnn as product
from plcnn.data.reading.meant import meant_pictures
from plcnn.data.reading.picture_batches import PictureBatches
from plcnn.data.sources.shapes import Shapes
from plcnn.errors import UserError
from plcnn.terminal import printable

Command = Callable[..., Outcome]
RGB = (np.arange(8 * 8 * 3) % 256).astype(np.uint8).reshape(8, 8, 3)
GREY = (np.arange(64) * 4).astype(np.uint8).reshape(8, 8)
EXAMPLES = int(os.environ.get("PLCNN_EXAMPLES", "60"))


def read(name: str | Path, channels: int = 3, size: int = 8) -> np.ndarray:
    """One picture as (height, width, channels)."""
    batches = PictureBatches([str(name)], (channels, size, size), 64, 0)
    found = list(batches)
    batches.raise_faults()
    ((image,), (meant,), _) = found[0]
    assert image.dtype == torch.uint8 and meant.name == str(name)
    pixels: np.ndarray = image.permute(1, 2, 0).numpy()
    return pixels


def saved(name: str, picture: Image.Image | np.ndarray, **options: Any) -> str:
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(name, **options)
    return name


def refused(*paths: str) -> str:
    with pytest.raises(UserError) as caught:
        batches = PictureBatches(paths, (3, 8, 8), 64, 0)
        list(batches)
        batches.raise_faults()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    "name", ["a.png", "a.PNG", "a.bmp", "a.ppm", "a.tga", "a.tif", "a.ico", "a.pcx", "a.webp", "a.JP2"]
)
def test_formats_that_keep_pixels(name: str) -> None:
    saved(name, RGB, **{"a.webp": {"lossless": True}, "a.ico": {"sizes": [(8, 8)]}}.get(name, {}))
    assert np.array_equal(read(name), RGB)


def flat(colour: str) -> np.ndarray:
    """A picture of one colour, which JPEG keeps to within rounding."""
    return np.asarray(Image.new("RGB", (8, 8), colour))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True, "subsampling": 2}])
def test_jpegs(options: dict[str, Any]) -> None:
    assert np.abs(read(saved("a.jpg", flat("orange"), quality=95, **options)).astype(int) - flat("orange")).max() <= 3


def test_inks_are_brought_to_red_green_and_blue() -> None:
    for name in ("cmyk.jpg", "cmyk.tif"):  # Adobe's JPEGs, which Pillow writes, hold inks the other way round
        saved(name, Image.fromarray(flat("orange")).convert("CMYK"), **({"quality": 95} if "jpg" in name else {}))
        assert np.abs(read(name).astype(int) - flat("orange")).max() <= 4
    assert b"Adobe" in Path("cmyk.jpg").read_bytes()


def test_palettes_and_transparency_are_laid_on_white() -> None:
    palette = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8), "L").convert("P")
    palette.putpalette([value for k in range(64) for value in (k, 2 * k, 3 * k)] + [0] * 576)
    expected = np.stack([np.arange(64).reshape(8, 8) * k for k in (1, 2, 3)], -1).astype(np.uint8)
    for name in ("p.png", "p.gif", "p.bmp"):
        assert np.array_equal(read(saved(name, palette)), expected)
    expected[0, 5] = 255
    for name in ("t.png", "t.gif"):
        assert np.array_equal(read(saved(name, palette, transparency=5)), expected)


def test_shares_of_transparency() -> None:
    for alpha in (0, 51, 255):
        over = round(100 * alpha / 255 + 255 * (1 - alpha / 255))
        rgba = np.full((8, 8, 4), 100, np.uint8)
        rgba[..., 3] = alpha
        for picture in (Image.fromarray(rgba), Image.fromarray(rgba).convert("LA")):
            assert np.abs(read(saved("a.png", picture)).astype(int) - over).max() <= 1


def test_grey_of_many_depths() -> None:
    expected = np.repeat(GREY[..., None], 3, -1)
    deep = GREY.astype(np.uint16) * 257
    for name, picture in {
        "l.png": GREY,
        "l.jpg": np.full((8, 8), 77, np.uint8),
        "16.png": deep,
        "16.tif": deep,
        "32.tif": deep.astype(np.int32),
        "share.tif": GREY.astype(np.float32) / 255,
        "float.tif": GREY.astype(np.float32),
        "large.tif": deep.astype(np.float32),
    }.items():
        wanted = np.full_like(expected, 77) if name == "l.jpg" else expected
        assert np.abs(read(saved(name, picture)).astype(int) - wanted).max() <= 1, name
        assert np.abs(read(name, channels=1)[..., 0].astype(int) - wanted[..., 0]).max() <= 1, name
    bits = GREY > 100
    for name in ("1.png", "1.tif"):
        assert np.array_equal(read(saved(name, Image.fromarray(bits)))[..., 0], bits * np.uint8(255))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e6])
def test_grey_that_is_no_grey(value: float) -> None:
    assert "grey values from" in refused(saved("a.tif", np.full((8, 8), value, np.float32)))


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_of_moving_pictures_the_first_is_taken(name: str) -> None:
    first, *others = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    first.save(name, save_all=True, append_images=others, **({"lossless": True} if name == "a.webp" else {}))
    assert np.array_equal(read(name), flat("red"))


def test_a_turned_camera(capfd: pytest.CaptureFixture[str]) -> None:
    turned = Image.Exif()
    for number, operation in ((6, -1), (8, 1), (3, 2)):
        turned[0x112] = number
        assert np.array_equal(read(saved("a.png", RGB, exif=turned)), np.rot90(RGB, operation))
    saved("broken.jpg", flat("red"), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05garbage" + bytes(40))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert np.abs(read("broken.jpg").astype(int) - flat("red")).max() <= 3
    assert not told and capfd.readouterr() == ("", "")


def test_sizes_from_one_to_ten_thousand() -> None:
    for size in ((1, 1), (10_000, 1), (1, 10_000), (3, 700)):
        assert np.array_equal(read(saved("a.png", Image.new("RGB", size, "lime"))), flat("lime"))


def png(width: int, height: int) -> bytes:
    """A tiny PNG that says it is this large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_tiny_files_that_say_they_are_huge(capfd: pytest.CaptureFixture[str]) -> None:
    Path("bomb.png").write_bytes(png(60_000, 60_000))
    Path("near.png").write_bytes(png(10_000, 10_000))  # where Pillow warns
    Path("bomb.ppm").write_bytes(b"P6 100000 100000 255\n")
    Path("none.png").write_bytes(png(0, 5))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        message = refused("bomb.png", "near.png", "bomb.ppm", "none.png")
    assert message.startswith("4 of 4 pictures cannot be read: bomb.png (too large: ")
    assert all(name in message for name in ("near.png", "bomb.ppm", "none.png"))
    assert not told and capfd.readouterr() == ("", "")


def test_no_program_of_the_system_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bin").mkdir()
    for name in ("gs", "gswin64c"):
        Path("bin", name).write_text("#!/bin/sh\ntouch attacked\n")
        Path("bin", name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path('bin').absolute()}:{os.environ['PATH']}")
    saved("a.eps", RGB)
    Path("b.png").write_bytes(Path("a.eps").read_bytes())
    assert "a.eps (no picture); b.png (no picture)" in refused("a.eps", "b.png")
    assert not Path("attacked").exists()


def test_good_pictures_are_answered_and_one_error_lists_every_bad_file(plcnn: Command) -> None:
    folder = Path("mine")
    folder.mkdir()
    saved("mine/good.png", RGB)
    bad = {
        "text.png": b"hello",
        "empty.jpg": b"",
        "svg.png": b"<svg/>",
        "Grüße 日本.PNG": b"x",
        "new\nline\x1b[1m.png": b"",
    }
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    (folder / "dangling.png").symlink_to("nowhere")
    (folder / "loop.gif").symlink_to("loop.gif")
    os.mkfifo(folder / "pipe.png")
    message = refused("mine", "none.png", "~no_such_user/a.png", "x" * 5000, "a\0b.png")
    assert "~no_such_user/a.png (no such file" in message
    assert message.startswith("12 of 13 pictures cannot be read: ")
    for name in (
        *bad,
        "dangling.png",
        "loop.gif",
        "pipe.png",
        "none.png (no such file",
        "~no_such_user",
        "xxxx",
        "Grüße 日本",
    ):
        assert printable(name) in message
    assert "\x1b" not in message
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    outcome = plcnn("predict", "--ckpt_path", "tb_logs/run/version_0", "--data.pictures", "[mine]")
    assert outcome.code == 1 and outcome.err.startswith("error: 8 of 9 pictures")
    assert len(outcome.err.splitlines()) == 1
    assert [line.split()[0] for line in outcome.out.splitlines()] == ["mine/good.png"]


def test_what_in_a_folder_is_no_picture_is_passed_over() -> None:
    for name in (
        "mine/sub/a.png",
        "mine/B.JPEG",
        "mine/.hidden.png",
        "mine/._a.png",
        "mine/.git/a.png",
        "mine/__MACOSX/a.png",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        saved(name, RGB)
    Path("mine/folder.png").mkdir()
    Path("mine/notes.txt").touch()
    Path("mine/round").symlink_to(".")
    pictures, _ = meant_pictures(["mine"])
    assert [meant.name for meant in pictures] == ["mine/B.JPEG", "mine/sub/a.png"]
    Path("nothing").mkdir()
    assert refused("nothing") == "1 of 1 pictures cannot be read: nothing (a folder without pictures)"


FILES: dict[str, dict[str, Any]] = {
    "a.png": {},
    "a.jpg": {},
    "b.jpg": {"progressive": True},
    "a.gif": {},
    "a.webp": {},
    "a.tif": {"compression": "tiff_lzw"},
    "b.tif": {"compression": "jpeg"},
    "a.bmp": {},
    "a.ppm": {},
    "a.tga": {"compression": "tga_rle"},
    "a.jp2": {},
    "a.ico": {},
    "a.pcx": {},
    "a.avif": {},
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_cut_or_damaged_are_pictures_or_errors(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    size = 32 if name == "a.ico" else 24
    picture = np.random.default_rng(0).integers(256, size=(size, size, 3), dtype=np.uint8)
    try:
        saved(name, picture, **FILES[name])
    except (KeyError, OSError, ValueError):
        pytest.skip("this Pillow does not write it")
    good = Path(name).read_bytes()
    read(name)
    capfd.readouterr()
    for data in (*cuts(good, EXAMPLES), *flips(good, EXAMPLES), *flips(good[:120], EXAMPLES, seed=1)):
        data = data if len(data) != 120 else data + good[120:]
        Path(name).write_bytes(data)
        try:
            assert read(name).shape == (8, 8, 3)
        except UserError as error:
            assert name in str(error) and len(str(error).splitlines()) == 1
    assert capfd.readouterr() == ("", "")
    Path(name).write_bytes(good[: len(good) // 2])
    if name not in ("a.gif", "a.ico", "a.avif", "a.jp2"):  # which may be whole enough in their middle
        assert name in refused(name)


def test_a_test_picture_saved_as_a_file_gets_the_logits_that_test_computed(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    images, _ = Shapes(train_size=200, test_size=90, image_size=8).test()
    Path("mine").mkdir()
    for number, image in enumerate(images[:20]):
        saved(f"mine/{number:02d}.png", image.permute(1, 2, 0).numpy())
    ((read_back, _, _),) = PictureBatches(["mine"], (3, 8, 8), 64, 0)
    assert torch.equal(read_back, images[:20])
    classifier = product.load("tb_logs/run/version_0")
    with torch.no_grad():
        assert torch.equal(classifier(read_back), classifier(images[:20]))


def test_names_that_no_terminal_shows_are_printed_as_escapes(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    names = ["new\nline.png", "\x1b[31mred.png", os.fsdecode(b"\xff\xfe.png"), "x" * 200 + ".png"]
    Path("mine").mkdir()
    for name in names:
        saved(f"mine/{name}", RGB)
    outcome = plcnn("predict", "--ckpt_path", "tb_logs/run/version_0", "--data.pictures", "mine")
    assert outcome.code == 0, outcome.err
    assert len(outcome.out.splitlines()) == len(names) and "\x1b" not in outcome.out and "new\\nline" in outcome.out
