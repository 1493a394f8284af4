"""Ten coloured shapes on cluttered ground, made on the spot: a data set that needs no disk and no network.

Each shape is a signed distance function, drawn anti-aliased at a random place, size, turn and colour. A picture is a
pure function of (seed, split, its place), made of counter-based uniforms and of +, -, *, /, sqrt, floor and comparisons
alone: IEEE 754 rounds each of these exactly, so every machine draws the same bytes. Hence no sin, cos, sum or matmul.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from plcnn.data.facts import Facts
from plcnn.data.randomness import uniforms
from plcnn.data.sources import sources
from plcnn.errors import UserError

_TRAIN, _TEST = -1, -2  # in place of an epoch, where training's epochs 0, 1, ... never come
_SCENE_DRAWS = 34  # one for each next(draws) in _draw; the pixels' noise follows
_CHUNK = 250  # pictures drawn at a time, so that the planes stay in the processor's cache


@sources.register
class Shapes:
    """Ten classes of shapes, as many pictures of each; the picture at place i shows class i modulo 10.

    Args:
        train_size: number of training pictures, at least 10.
        test_size: number of test pictures, at least 10.
        image_size: height and width in pixels, at least 8.
        seed: any integer; another seed draws other pictures of the same kind.

    Raises:
        UserError: a size lies below its minimum.
    """

    verified = True
    in_random_order = True

    def __init__(self, train_size: int = 8000, test_size: int = 2000, image_size: int = 32, seed: int = 0) -> None:
        for name, size, least in (
            ("train_size", train_size, 10),
            ("test_size", test_size, 10),
            ("image_size", image_size, 8),
        ):
            if size < least:
                raise UserError(f"{name}={size}: the shapes need at least {least}; raise {name}")
        self.classes = tuple(_DISTANCES)
        self.image_shape = (3, image_size, image_size)
        self.facts = Facts(train_size, test_size)
        self._train_size, self._test_size, self._seed = train_size, test_size, seed

    def prepare(self) -> None:
        """Do nothing: the pictures are made when they are asked for."""

    def train(self) -> tuple[Tensor, Tensor]:
        """Draw the training set.

        Returns:
            (train_size, 3, image_size, image_size), uint8, and the labels, (train_size,), int64.
        """
        return self._split(_TRAIN, self._train_size)

    def test(self) -> tuple[Tensor, Tensor]:
        """Draw the test set.

        Returns:
            (test_size, 3, image_size, image_size), uint8, and the labels, (test_size,), int64.
        """
        return self._split(_TEST, self._test_size)

    def _split(self, split: int, count: int) -> tuple[Tensor, Tensor]:
        places = torch.arange(count)
        labels = places % len(self.classes)
        images = torch.empty(count, *self.image_shape, dtype=torch.uint8)
        for label, distance in enumerate(_DISTANCES.values()):
            for chunk in torch.split(places[labels == label], _CHUNK):
                size = self.image_shape[1]
                numbers = uniforms(self._seed, split, chunk, _SCENE_DRAWS + size * size)
                images[chunk] = _draw(distance, numbers, size)
        return images, labels


def _draw(distance: Callable[[Tensor, Tensor], Tensor], numbers: Tensor, size: int) -> Tensor:
    """Draw one shape's pictures, (batch, 3, size, size), uint8, from uniforms (batch, _SCENE_DRAWS + size * size)."""
    scene, noise = numbers[:, :_SCENE_DRAWS], numbers[:, _SCENE_DRAWS:].reshape(-1, 1, size, size)
    draws = (number.reshape(-1, 1, 1) for number in scene.unbind(1))
    # the picture spans -1..1
    across = ((torch.arange(size) * 2 + 1) / size - 1).expand(len(numbers), size, size)
    down = across.transpose(1, 2)

    dark = next(draws) < 0.85  # whether a bright shape stands on dark ground, or the reverse
    hue = next(draws)
    along, _ = _turned(across, down, _range(next(draws), -1.0, 1.0))
    blend = (along * 0.35 + 0.5).unsqueeze(1)
    first = _colour(hue, next(draws), _ground_level(dark, next(draws)))
    second = _colour(hue + _range(next(draws), -0.15, 0.15), next(draws), _ground_level(dark, next(draws)))
    canvas = first + blend * (second - first)

    along, _ = _turned(across, down, _range(next(draws), -1.0, 1.0))
    phase = along * _range(next(draws), 1.0, 3.5) + next(draws)
    stripes = (phase - phase.floor() - 0.5).abs() - 0.25
    canvas = canvas + (stripes * _range(next(draws), 0.0, 0.25)).unsqueeze(1)

    for _ in range(2):
        canvas = _dot(canvas, across, down, draws, size)

    radius = _range(next(draws), 0.45, 0.75)
    left, up = _range(next(draws), -0.32, 0.32), _range(next(draws), -0.32, 0.32)
    x, y = _turned((across - left) / radius, (down - up) / radius, _range(next(draws), -0.12, 0.12))
    edges = distance(x, y) * radius
    level = torch.where(dark, _range(next(draws), 0.8, 1.0), _range(next(draws), 0.1, 0.4))
    paint = _colour(hue + _range(next(draws), 0.2, 0.8), next(draws) * 0.8, level)
    shade = 1 + y.unsqueeze(1) * _range(next(draws), -0.15, 0.15).unsqueeze(1)
    canvas = canvas * (1 - 0.5 * _cover(edges - 0.08, size))  # a dark rim
    canvas = _over(canvas, paint * shade, _cover(edges, size))

    canvas = canvas + (noise - 0.5) * _range(next(draws), 0.02, 0.15).unsqueeze(1)
    return (canvas.clamp(0, 1) * 255 + 0.5).to(torch.uint8)


def _ground_level(dark: Tensor, number: Tensor) -> Tensor:
    level = _range(number, 0.05, 0.35)
    return torch.where(dark, level, 1 - level)


def _dot(canvas: Tensor, across: Tensor, down: Tensor, draws: Iterator[Tensor], size: int) -> Tensor:
    left, up = _range(next(draws), -1.0, 1.0), _range(next(draws), -1.0, 1.0)
    edges = _length(across - left, down - up) - _range(next(draws), 0.06, 0.16)
    return _over(canvas, _colour(next(draws), next(draws), _range(next(draws), 0.2, 0.8)), _cover(edges, size))


def _over(canvas: Tensor, paint: Tensor, cover: Tensor) -> Tensor:
    return canvas + cover * (paint - canvas)


def _cover(edges: Tensor, size: int) -> Tensor:
    """Turn distances in half pictures, (batch, size, size), into the share of each pixel inside, with a channel."""
    return (0.5 - edges * (size / 2)).clamp(0, 1).unsqueeze(1)


def _colour(hue: Tensor, saturation: Tensor, level: Tensor) -> Tensor:
    """Turn hue (in turns), saturation and level, (batch, 1, 1) each, into (batch, 3, 1, 1) RGB."""
    wheel = torch.stack([hue, hue + 2 / 3, hue + 1 / 3], dim=1)
    bright = (((wheel - wheel.floor()) * 6 - 3).abs() - 1).clamp(0, 1)
    return level.unsqueeze(1) * (1 - saturation.unsqueeze(1) * (1 - bright))


def _range(number: Tensor, low: float, high: float) -> Tensor:
    return number * (high - low) + low


def _length(x: Tensor, y: Tensor) -> Tensor:
    # NumPy's root is the processor's, rounded exactly; PyTorch's is the Intel library's, which differs by processor.
    return torch.from_numpy(np.sqrt((x * x + y * y).numpy()))


def _turned(x: Tensor, y: Tensor, half_tangent: Tensor) -> tuple[Tensor, Tensor]:
    """Turn the plane by 2 atan(half_tangent), without sin and cos."""
    square = half_tangent * half_tangent
    cosine, sine = (1 - square) / (1 + square), 2 * half_tangent / (1 + square)
    return x * cosine - y * sine, x * sine + y * cosine


# Signed distances (far from the edge: lower bounds), negative inside; y points down, a shape fills |x|, |y| <= 1.


def _bars(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(_wave(y + 0.3, 0.3), torch.maximum(x.abs(), y.abs()) - 0.85)


def _checkerboard(x: Tensor, y: Tensor) -> Tensor:
    across, down = _wave(x + 0.225, 0.45), _wave(y + 0.225, 0.45)
    unlike = torch.maximum(torch.minimum(across, down), -torch.maximum(across, down))
    return torch.maximum(unlike, torch.maximum(x.abs(), y.abs()) - 0.9)


def _circle(x: Tensor, y: Tensor) -> Tensor:
    return _length(x, y) - 0.85


def _columns(x: Tensor, y: Tensor) -> Tensor:
    return _bars(y, x)


def _crescent(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(_length(x, y) - 0.95, 0.75 - _length(x, y + 0.5))


def _cross(x: Tensor, y: Tensor) -> Tensor:
    longer, shorter = torch.maximum(x.abs(), y.abs()), torch.minimum(x.abs(), y.abs())
    return torch.maximum(longer - 0.95, shorter - 0.28)


def _dots(x: Tensor, y: Tensor) -> Tensor:
    across, down = (along - (along / 0.65).round().clamp(-1, 1) * 0.65 for along in (x, y))
    return _length(across, down) - 0.22


def _ring(x: Tensor, y: Tensor) -> Tensor:
    return (_length(x, y) - 0.7).abs() - 0.2


def _star(x: Tensor, y: Tensor) -> Tensor:
    # the pentagram's five lines; a point of the star may lie beyond one of them, not beyond two
    normals = ((0.0, 1.0), (0.951057, 0.309017), (0.587785, -0.809017), (-0.587785, -0.809017), (-0.951057, 0.309017))
    lines = torch.stack([x * across + y * down - 0.33 for across, down in normals])
    return lines.topk(2, dim=0).values[1]


def _triangle(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(y, x.abs() * 0.75**0.5 - y * 0.5) - 0.5


def _wave(along: Tensor, stripe: float) -> Tensor:
    """Distances from stripes of a width that alternate with gaps of that width; 0 lies amid a gap."""
    phase = along / (2 * stripe)
    return ((phase - phase.floor() - 0.5).abs() - 0.25) * (2 * stripe)


_DISTANCES = {
    "bars": _bars,
    "checkerboard": _checkerboard,
    "circle": _circle,
    "columns": _columns,
    "crescent": _crescent,
    "cross": _cross,
    "dots": _dots,
    "ring": _ring,
    "star": _star,
    "triangle": _triangle,
}
