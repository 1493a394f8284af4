"""Shift, zoom and flip: against the stated formula pixel by pixel, and by ramps that tell what was read."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from plcnn.data.augmentations.shift_zoom_flip import ShiftZoomFlip
from plcnn.data.randomness import Draws, uniforms
from plcnn.errors import UserError

FORMATS = [torch.contiguous_format, torch.channels_last]


class Given(Draws):
    """Numbers given by hand."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__(0, 0, torch.arange(len(numbers)))
        object.__setattr__(self, "numbers", numbers)

    def uniforms(self, count: int) -> Tensor:
        assert count == 5
        return self.numbers  # type: ignore[attr-defined]


STILL = [0.9, 0.5, 0.5, 0.5, 0.5]  # no flip, no shift, no zoom


def expected(image: np.ndarray, numbers: np.ndarray, shift: float, zoom: float, flip: float) -> np.ndarray:
    """Keras' semantics for one picture (channels, height, width), pixel by pixel in float64."""
    _, height, width = image.shape
    shift_x, shift_y = (2 * numbers[1] - 1) * shift * width, (2 * numbers[2] - 1) * shift * height
    zoom_x, zoom_y = (1 - zoom + number * 2 * zoom for number in numbers[3:5])
    moved = np.empty_like(image)
    for row in range(height):
        y = min(max(zoom_y * (row - (height - 1) / 2) + shift_y + (height - 1) / 2, 0), height - 1)
        for column in range(width):
            x = min(max(zoom_x * (column - (width - 1) / 2) + shift_x + (width - 1) / 2, 0), width - 1)
            top, left = math.floor(y), math.floor(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper = image[:, top, left] * (left + 1 - x) + image[:, top, right] * (x - left)
            lower = image[:, bottom, left] * (left + 1 - x) + image[:, bottom, right] * (x - left)
            moved[:, row, column] = upper * (top + 1 - y) + lower * (y - top)
    return moved[:, :, ::-1] if numbers[0] < flip else moved


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 9, 14), (2, 14, 9), (3, 1, 5)])
@pytest.mark.parametrize("shift, zoom, flip", [(0.2, 0.2, 0.5), (1.0, 0.9, 0.5), (0.3, 0.0, 0.0), (0.0, 0.4, 1.0)])
def test_every_pixel_is_the_formulas(shape: tuple[int, int, int], shift: float, zoom: float, flip: float) -> None:
    numbers = uniforms(0, 0, torch.arange(6), 5)
    images = torch.rand(6, *shape, generator=torch.Generator().manual_seed(0))
    found = ShiftZoomFlip(shift, zoom, flip)(images, Given(numbers))
    for image, own, one in zip(images.double().numpy(), numbers.double().numpy(), found, strict=True):
        np.testing.assert_allclose(one, expected(image, own, shift, zoom, flip), atol=2e-5)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_nothing_moves_at_zero_ranges(dtype: torch.dtype, channels: int, memory_format: torch.memory_format) -> None:
    images = torch.rand(7, channels, 30, 45).to(dtype).contiguous(memory_format=memory_format)
    numbers = uniforms(0, 0, torch.arange(7), 5)
    found = ShiftZoomFlip(0, 0, 0)(images, Given(numbers))
    assert torch.equal(found, images)
    assert found.dtype == dtype and found.is_contiguous(memory_format=memory_format)
    assert torch.equal(ShiftZoomFlip(0, 0, 1)(images, Given(numbers)), images.flip(3))


@pytest.mark.parametrize("memory_format", FORMATS)
def test_a_picture_is_changed_alike_in_every_batch(memory_format: torch.memory_format) -> None:
    images = torch.rand(96, 3, 32, 32).contiguous(memory_format=memory_format)
    numbers = uniforms(0, 0, torch.arange(96), 5)
    whole = ShiftZoomFlip()(images, Given(numbers))
    order = torch.randperm(96)
    assert torch.equal(ShiftZoomFlip()(images[order], Given(numbers[order])), whole[order])
    for count in (1, 2, 31):
        assert torch.equal(ShiftZoomFlip()(images[:count], Given(numbers[:count])), whole[:count])


def test_autocast_does_not_round_the_pictures() -> None:
    images, numbers = torch.rand(4, 3, 32, 32), uniforms(0, 0, torch.arange(4), 5)
    with torch.autocast("cpu", torch.bfloat16):
        found = ShiftZoomFlip()(images, Given(numbers))
    assert torch.equal(found, ShiftZoomFlip()(images, Given(numbers)))


def test_edge_pixels_fill_what_is_uncovered() -> None:
    images = torch.zeros(1, 1, 20, 20)
    images[..., 0], images[..., -1] = 2, 3  # left and right edge
    for number, uncovered, value in ((0.0, slice(0, 5), 2), (1.0, slice(15, 20), 3)):
        numbers = torch.tensor([STILL])
        numbers[0, 1] = number  # a shift by a fifth of 20 pixels, to the left or to the right
        found = ShiftZoomFlip(0.2, 0, 0)(images, Given(numbers))
        assert (found[..., uncovered] == value).all()
        assert found.count_nonzero() == 5 * 20


def read_back(augment: ShiftZoomFlip, count: int, height: int, width: int) -> tuple[Tensor, ...]:
    """Flip, shift x, y (in parts of the size) and zoom x, y of each picture, from the pixels of coordinate ramps."""
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    ramps = torch.stack([across, down]).double().expand(count, 2, height, width)
    moved = augment(ramps, Draws(0, 0, torch.arange(count)))
    middle_y, middle_x = height // 2, width // 2
    slope_x = moved[:, 0, middle_y, middle_x + 1] - moved[:, 0, middle_y, middle_x]
    slope_y = moved[:, 1, middle_y + 1, middle_x] - moved[:, 1, middle_y, middle_x]
    # odd sizes: the centre is a pixel, and reads its own coordinate plus the shift
    shift_x = (moved[:, 0, middle_y, middle_x] - middle_x) / width
    shift_y = (moved[:, 1, middle_y, middle_x] - middle_y) / height
    return slope_x < 0, shift_x, shift_y, slope_x.abs(), slope_y


def test_flip_shift_and_zoom_have_the_ranges_and_moments_of_uniforms() -> None:
    count = 4000
    flipped, *measures = read_back(ShiftZoomFlip(shift=0.2, zoom=0.3, flip=0.5), count, 33, 41)
    for numbers, middle, reach in zip(measures, (0, 0, 1, 1), (0.2, 0.2, 0.3, 0.3), strict=True):
        scaled = (numbers - middle) / reach  # uniform in -1..1: mean 0, variance 1/3, fourth moment 1/5
        assert -1 - 1e-4 < scaled.min() < -0.99 and 0.99 < scaled.max() < 1 + 1e-4
        assert abs(scaled.mean()) < 4 * (1 / 3 / count) ** 0.5
        assert abs(scaled.square().mean() - 1 / 3) < 4 * ((1 / 5 - 1 / 9) / count) ** 0.5
    assert abs(flipped.double().mean() - 0.5) < 4 * 0.5 / count**0.5
    together = torch.corrcoef(torch.stack([flipped.double(), *measures])) * count**0.5
    assert together.triu(diagonal=1).abs().max() < 4  # each picture's five numbers are independent


@pytest.mark.parametrize("flip", [0.0, 0.25, 1.0])
def test_flips_as_often_as_told(flip: float) -> None:
    flipped = read_back(ShiftZoomFlip(flip=flip), 2000, 9, 9)[0].double().mean().item()
    assert abs(flipped - flip) <= 4 * (flip * (1 - flip) / 2000) ** 0.5


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"shift": -0.1}, "shift=-0.1: a fraction of the picture, 0 to 1"),
        ({"shift": 3}, "shift=3: "),
        ({"zoom": 1.0}, "zoom=1.0: at least 0 and below 1"),
        ({"zoom": math.nan}, "zoom=nan: "),
        ({"flip": 50}, "flip=50: a probability, 0 to 1"),
    ],
)
def test_a_range_that_cannot_be_is_refused_in_words(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        ShiftZoomFlip(**arguments)
