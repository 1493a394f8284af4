"""The shape that is proposed for pictures of many sizes."""

import io
from pathlib import Path

import pytest
from PIL import Image

from plcnn.data.own.proposal import proposed_shape


class Contents:
    """A store of pictures that counts how many are looked at; what is no size is no picture."""

    def __init__(self, *sizes: tuple[int, int], mode: str = "RGB", times: int = 1) -> None:
        self.files = [_png(size, mode) for size in sizes] * times
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.files)

    def picture(self, index: int) -> bytes:
        self.asked.append(index)
        return self.files[index]

    def name(self, index: int) -> str:
        return str(index)


def _png(size: tuple[int, int], mode: str) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(28, 28)] * 3, 28),  # squares of one size: theirs
        ([(256, 256)] * 3, 256),
        ([(257, 257)] * 3, 224),  # too large to be meant
        ([(30, 28)] * 3, 32),  # one size, but no squares
        ([(28, 28), (29, 29)], 32),
        ([(500, 79), (81, 600), (2000, 80)], 64),  # of 79, 80, 81 the middle one lies between 64 and 96: the lower
        ([(500, 81)], 96),
        ([(5, 5), (6, 6)], 32),
        ([(4000, 3000)], 224),
        ([(300, 110), (110, 300), (2000, 1000)], 96),  # the median of 110, 110 and 1000, not the mean
    ],
)
def test_sizes(sizes: list[tuple[int, int]], side: int) -> None:
    assert proposed_shape(Contents(*sizes)) == (3, side, side)


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("I;16", 1), ("RGB", 3), ("RGBA", 3)])
def test_one_channel_for_grey_pictures_alone(mode: str, channels: int) -> None:
    assert proposed_shape(Contents((8, 8), mode=mode)) == (channels, 8, 8)
    mixed = Contents((8, 8), mode=mode, times=3)
    mixed.files.append(_png((8, 8), "RGB"))
    assert proposed_shape(mixed) == (3, 8, 8)


def test_what_cannot_be_read_is_passed_over() -> None:
    store = Contents((8, 8), mode="L")
    store.files += [b"", b"no picture"]
    assert proposed_shape(store) == (1, 8, 8)
    store.files = [b"no picture"]
    assert proposed_shape(store) == (3, 32, 32)


def test_files_are_looked_at_evenly_and_not_all() -> None:
    store = Contents((8, 8), times=1000)
    proposed_shape(store)
    assert 100 <= len(store.asked) <= 200 and {b - a for a, b in zip(store.asked, store.asked[1:], strict=False)} == {5}
    Path("a.png").write_bytes(store.files[0])
    store.files = [Path("a.png"), Path("none.png")]  # type: ignore[list-item]
    assert proposed_shape(store) == (3, 8, 8)
