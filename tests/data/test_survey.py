"""One pass over all pictures: every value against hashlib, Pillow, NumPy and ImageHash; faults; Ctrl-C."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
import torch
from PIL import Image

from plcnn.data.kept import near_hashes
from plcnn.data.kept import survey as module
from plcnn.data.kept.survey import Survey, survey
from plcnn.data.module import LARGEST_PICTURE
from plcnn.data.reading.pictures import fitted
from plcnn.errors import UserError

SHAPE = (3, 8, 6)
RANDOM = np.random.default_rng(0)


class Store:
    """Pictures in a list."""

    def __init__(self, pictures: Sequence[Any]) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def picture(self, index: int) -> Any:
        return self.pictures[index]

    def name(self, index: int) -> str:
        return f"number {index}"


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return RANDOM.integers(256, size=(height, width, channels), dtype=np.uint8).squeeze()


def kinds() -> dict[str, Image.Image]:
    """Pictures of all kinds, as they are once they are decoded."""
    colours = Image.fromarray(noise(20, 12))
    transparent = Image.fromarray(noise(9, 30, 4))
    pictures = {
        "colours.png": colours,
        "grey.png": Image.fromarray(noise(5, 40, 1)),
        "transparent.png": transparent,
        "palette.gif": colours.quantize(8),
        "two.gif": colours.quantize(4),
        "cmyk.jpg": Image.fromarray(noise(16, 16, 4), "CMYK"),
        "deep.png": Image.fromarray(noise(7, 7, 1).astype(np.uint16) << 8),
        "photo.jpg": Image.fromarray(noise(30, 20)),
    }
    for name, picture in pictures.items():
        more = {"save_all": True, "append_images": [picture.rotate(90)]} if name == "two.gif" else {}
        picture.save(name, **more)
    opened = {}
    for name in pictures:
        with Image.open(name) as file:
            opened[name] = file
            file.load()
    return opened


def test_every_value_equals_an_independent_computation() -> None:
    opened = kinds()
    found = survey(Store([Path(name) for name in opened]), SHAPE, "stretch")
    assert found.faults == {}
    for row, (name, picture) in enumerate(opened.items()):
        stored = picture.mode
        assert found.sizes[row].tolist() == [picture.height, picture.width], name
        assert (found.modes[row], found.formats[row]) == (stored, picture.format), name
        assert found.moving[row] == (name == "two.gif"), name
        assert found.transparent[row] == (name == "transparent.png"), name
        colours = fitted(picture, (3, picture.height, picture.width)).transpose(1, 2, 0)
        text = f"{picture.width} {picture.height} RGB\n".encode()
        assert found.exact[row].tobytes() == hashlib.sha256(text + colours.tobytes()).digest(), name
        values = fitted(picture, SHAPE).astype(int)
        assert found.sums[row].tolist() == values.sum((1, 2)).tolist(), name
        assert found.squares[row].tolist() == (values**2).sum((1, 2)).tolist(), name
    images = np.stack([fitted(picture, SHAPE) for picture in opened.values()]) / 255
    scaling = found.scaling()
    assert scaling and found.values == 48
    np.testing.assert_allclose(scaling.mean, images.mean((0, 2, 3)))
    np.testing.assert_allclose(scaling.std, images.std((0, 2, 3)))
    assert found.sizes.dtype == np.int32 and found.near.dtype == np.uint64


def test_what_a_network_sees_alike_is_a_copy_whatever_its_mode() -> None:
    grey = noise(20, 12, 1)
    values = np.asarray(Image.fromarray(grey)).reshape(20, 12)
    opaque = np.dstack([values, values, values, np.full_like(values, 255)])
    pictures = {
        "grey.png": Image.fromarray(values),
        "colours.png": Image.fromarray(np.dstack([values] * 3)),
        "opaque.png": Image.fromarray(opaque),
        "palette.png": Image.fromarray(values).quantize(256),
        "sixteen.png": Image.fromarray(values.astype(np.uint16) * 257),
        "clear.png": Image.fromarray(np.dstack([opaque[..., :3], np.full_like(values, 254)])),
    }
    for name, picture in pictures.items():
        picture.save(name)
    found = survey(Store([Path(name) for name in pictures]), SHAPE, "stretch")
    assert found.faults == {} and len({exact.tobytes() for exact in found.exact[:5]}) == 1
    assert found.transparent.tolist() == [False] * 5 + [True]
    assert found.exact[5].tobytes() != found.exact[0].tobytes()


def test_near_hashes_are_imagehashs() -> None:
    smooth = [Image.fromarray(noise(6, 6)).resize((32, 32), Image.Resampling.BICUBIC) for _ in range(40)]
    large = [Image.fromarray(noise(6, 6)).resize((300, 200), Image.Resampling.BICUBIC) for _ in range(10)]
    found = survey(Store([*smooth, *large]), SHAPE)
    for row, picture in enumerate([*smooth, *large]):
        expected = [imagehash.phash(picture), imagehash.dhash(picture)]
        bits = [np.unpackbits(found.near[row, kind : kind + 1].view(np.uint8)).reshape(8, 8) for kind in (0, 1)]
        for hashed, other in zip(expected, bits, strict=True):
            assert np.array_equal(hashed.hash, other), row


def test_an_even_picture_has_no_noise_in_its_hash() -> None:
    greys = [np.full((50, 50), value, np.uint8) for value in (3, 100, 251)]
    assert not survey(Store(greys), (1, 8, 8)).near.any()


def test_without_imagehash_nothing_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(near_hashes, "version", missing)
    found = survey(Store([noise(32, 32)]), (1, 8, 8))
    assert not found.near.any() and found.exact.any()


def test_pictures_that_are_no_files() -> None:
    colours, planes = noise(10, 10), noise(10, 10, 5)
    tensor = torch.from_numpy(colours).permute(2, 0, 1)
    found = survey(Store([colours, tensor, Image.fromarray(colours)]), SHAPE)
    assert found.modes == ["RGB"] * 3 and found.formats == [""] * 3 and len(set(map(bytes, found.exact))) == 1
    many = survey(Store([planes]), (5, 10, 10))
    assert many.modes == ["5 channels"] and many.sums.tolist() == [planes.sum((0, 1)).tolist()]


def test_what_cannot_be_read_is_told_and_stops_nothing() -> None:
    noise_file = Path("noise.png")
    noise_file.write_bytes(b"no picture")
    Image.fromarray(noise(9, 9)).save("cut.png")
    Path("cut.png").write_bytes(Path("cut.png").read_bytes()[:100])
    good = noise(8, 6)
    into = np.memmap("into", np.uint8, "w+", shape=(5, *SHAPE))
    into[:] = 7
    found = survey(Store([noise_file, good, Path("none.png"), Path("cut.png"), good[..., :2]]), SHAPE, "stretch", into)
    assert list(found.faults) == [0, 2, 3, 4] and found.faults[0] == "no picture"
    assert "No such file" in found.faults[2]
    assert found.modes[0] == "" and not found.exact[[0, 2, 3]].any() and not found.near[[0, 2, 3]].any()
    assert np.array_equal(into[1], good.transpose(2, 0, 1)) and not into[[0, 2, 3, 4]].any()
    assert found.sums.sum(0).tolist() == good.sum((0, 1)).tolist()
    scaling = found.scaling()
    assert scaling and scaling.mean == pytest.approx((good.mean((0, 1)) / 255).tolist())


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_many_pictures_in_processes_fill_the_map_as_one_does(monkeypatch: pytest.MonkeyPatch, resize: Any) -> None:
    pictures = Store([noise(int(h), int(w)) for h, w in RANDOM.integers(4, 30, size=(150, 2))])
    maps, surveys = [], []
    for cores in (1, 3):
        monkeypatch.setattr(module, "usable_cores", lambda cores=cores: cores)
        maps.append(np.memmap(f"{cores}", np.uint8, "w+", shape=(150, *SHAPE)))
        surveys.append(survey(pictures, SHAPE, resize, maps[-1]))
    expected = np.stack([fitted(Image.fromarray(picture), SHAPE, resize) for picture in pictures.pictures])
    assert np.array_equal(maps[0], expected) and np.array_equal(maps[1], expected)
    one, other = surveys
    assert np.array_equal(one.near, other.near) and np.array_equal(one.exact, other.exact)
    assert one.sums.tolist() == other.sums.tolist() and one.squares.tolist() == other.squares.tolist()


def test_what_is_saved_is_read_again() -> None:
    Path("bad.png").write_bytes(b"")
    found = survey(Store([*(Path(name) for name in kinds()), Path("bad.png")]), SHAPE)
    found.save(Path("survey.npz"))
    read = Survey.load(Path("survey.npz"))
    assert vars(read).keys() == vars(found).keys() and read.faults and read.faults == found.faults
    for name, value in vars(found).items():
        assert np.array_equal(getattr(read, name), value) if name != "faults" else True, name
        assert type(getattr(read, name)) is type(value), name


def test_the_sums_of_the_largest_white_picture_fit() -> None:
    white = np.full((LARGEST_PICTURE, LARGEST_PICTURE), 255, np.uint8)
    found = survey(Store([white]), (1, LARGEST_PICTURE, LARGEST_PICTURE))
    scaling = found.scaling()
    assert scaling and scaling.mean == [1] and scaling.std == [0]


def test_a_set_without_pictures() -> None:
    found = survey(Store([]), SHAPE)
    assert len(found.sizes) == 0 and found.sums.shape == (0, 3) and found.scaling() is None


class Slow(Store):
    def picture(self, index: int) -> Any:
        time.sleep(30)


def test_ctrl_c_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        survey(Slow([0] * 100), SHAPE)
    assert time.monotonic() - started < 3


class Deadly(Store):
    def picture(self, index: int) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    with pytest.raises(UserError, match=r"died \(exit code -9\)"):
        survey(Deadly([0] * 100), SHAPE)
