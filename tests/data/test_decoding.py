"""Decoded files: JPEGs have Pillow's pixels by either way; large ones are reduced where that is exact in size."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plcnn.data.reading import decoding
from plcnn.data.reading.decoding import Decoded, decoded
from plcnn.data.reading.pictures import fitted, read_picture

RANDOM = np.random.default_rng(0)


def smooth(height: int, width: int) -> Image.Image:
    """A picture with little in its highest frequencies, as photos have."""
    values = RANDOM.integers(256, size=(6, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(picture: Image.Image, **settings: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **settings)
    return buffer.getvalue()


def files() -> dict[str, bytes]:
    colours = Image.fromarray(RANDOM.integers(256, size=(37, 53, 3), dtype=np.uint8))
    cmyk = Image.fromarray(RANDOM.integers(256, size=(20, 20, 4), dtype=np.uint8), "CMYK")
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = jpeg(colours)
    return {
        **{f"subsampling {kind}": jpeg(colours, subsampling=kind) for kind in (0, 1, 2)},
        "progressive": jpeg(colours, progressive=True),
        "optimised": jpeg(colours, optimize=True, quality=35),
        "restarts": jpeg(colours, restart_marker_blocks=2),
        "grey": jpeg(colours.convert("L")),
        "cmyk": jpeg(cmyk),
        "RGB": jpeg(colours, keep_rgb=True),
        "comment": jpeg(colours, comment=b"Exif"),
        "turned": jpeg(colours, exif=exif),
        "trailing": plain + b"more",
        "one pixel": jpeg(colours.crop((0, 0, 1, 1))),
    }


def by_pillow(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Decoded:
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "simplejpeg", None)
        return decoded(io.BytesIO(content))


def test_both_decoders_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("simplejpeg")
    for name, content in files().items():
        one, other = decoded(io.BytesIO(content)), by_pillow(content, monkeypatch)
        assert one[1:] == other[1:], name
        assert isinstance(one.picture, Image.Image) and isinstance(other.picture, Image.Image)
        assert one.picture.mode == other.picture.mode and one.picture.tobytes() == other.picture.tobytes(), name


def test_small_plain_jpegs_do_not_go_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("simplejpeg")
    monkeypatch.setattr(decoding, "_by_pillow", None)
    for name in ("subsampling 2", "grey", "progressive"):
        assert decoded(io.BytesIO(files()[name])).format == "JPEG"


def test_damaged_jpegs_have_pillows_fate(monkeypatch: pytest.MonkeyPatch) -> None:
    fates: list[bool] = []
    for content in (jpeg(smooth(80, 80)), jpeg(smooth(80, 80), progressive=True)):
        for _ in range(150):
            damaged = bytearray(content)
            for place in RANDOM.integers(len(content), size=2):
                damaged[place] = RANDOM.integers(256)
            data = bytes(damaged[: RANDOM.choice([len(content) - 200, len(content) - 1, len(content), len(content)])])
            results = []
            for read in (lambda data=data: decoded(io.BytesIO(data)), lambda data=data: by_pillow(data, monkeypatch)):
                try:
                    results.append(read().picture.tobytes())  # type: ignore[union-attr]
                except Exception as error:
                    results.append(f"{type(error)} {error}".split(" <_io")[0])
            assert results[0] == results[1]
            fates.append(isinstance(results[0], bytes))
    assert 20 < sum(fates) < len(fates) - 20  # both happen


@pytest.mark.parametrize(
    ("height", "width", "least", "reduced"),
    [
        (320, 480, 20, (40, 60)),
        (320, 480, 41, (80, 120)),
        (320, 484, 20, (80, 121)),
        (322, 484, 20, (161, 242)),
        (321, 480, 20, (321, 480)),
        (320, 480, 161, (320, 480)),
        (320, 480, 160, (160, 240)),
        (320, 480, 0, (320, 480)),
    ],
)
def test_large_jpegs_are_decoded_at_a_part_of_their_size(
    height: int, width: int, least: int, reduced: tuple[int, int]
) -> None:
    found = decoded(io.BytesIO(jpeg(smooth(height, width))), least)
    assert isinstance(found.picture, Image.Image)
    assert (found.picture.height, found.picture.width) == reduced and (found.height, found.width) == (height, width)


def test_a_reduced_picture_is_turned_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    picture = smooth(320, 480)
    found = decoded(io.BytesIO(jpeg(picture, exif=exif, quality=98)), 20)
    assert isinstance(found.picture, Image.Image) and found.picture.size == (40, 60)
    expected = np.asarray(picture.rotate(-90, expand=True).resize((40, 60), Image.Resampling.BOX), float)
    assert np.abs(np.asarray(found.picture, float) - expected).max() < 12


def test_reading_at_a_part_of_the_size_changes_little() -> None:
    content = jpeg(smooth(480, 640), quality=90)
    whole = fitted(Image.open(io.BytesIO(content)), (3, 32, 32)).astype(int)
    assert np.abs(read_picture(io.BytesIO(content), (3, 32, 32)) - whole).max() <= 2


def test_other_formats_are_never_reduced() -> None:
    smooth(320, 480).save("a.png")
    found = decoded(Path("a.png"), 20)
    assert isinstance(found.picture, Image.Image) and found.picture.size == (480, 320) and found.format == "PNG"
