"""Pictures that are looked at: made up, so that only what a survey would find of them exists, or drawn."""

from typing import Any

import numpy as np
from PIL import Image

from plcnn.data.kept.survey import Survey
from plcnn.inspection.subject import Subject


class Nameless:
    """Pictures that are called p0, p1 ... and cannot be read."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def picture(self, index: int) -> Any:
        raise OSError("there is no such picture")

    def name(self, index: int) -> str:
        return f"p{index}"


def clean(count: int = 60, classes: int = 2, seed: int = 0) -> dict[str, Any]:
    """What a survey of different pictures of 32 × 32 pixels finds; two thirds are for training, the rest by halves."""
    draws = np.random.default_rng(seed)
    survey = Survey(
        sizes=np.full((count, 2), 32, np.int32),
        modes=["RGB"] * count,
        formats=["PNG"] * count,
        exact=draws.integers(0, 256, (count, 32), dtype=np.uint8),
        near=draws.integers(0, 2**64, (count, 2), dtype=np.uint64),
        moving=np.zeros(count, bool),
        transparent=np.zeros(count, bool),
        sums=np.full((count, 3), 100, np.uint32),  # of the values 0 and 100
        squares=np.full((count, 3), 10_000, np.uint64),
        values=2,
    )
    train = count * 2 // 3
    held = (count - train) // 2
    return {
        "classes": [f"class {label}" for label in range(classes)],
        "pictures": Nameless(count),
        "labels": np.arange(count) % classes,
        "parts": np.repeat(np.array([0, 1, 2], np.int8), [train, held, count - train - held]),
        "survey": survey,
        "image_shape": (3, 32, 32),
    }


def subject(given: dict[str, Any]) -> Subject:
    return Subject(**given)


def flipped(hashes: np.ndarray, perceptual: int, difference: int) -> np.ndarray:
    """Hashes that differ from others in some bits."""
    return hashes ^ np.array([(1 << perceptual) - 1, (1 << difference) - 1], np.uint64)


def blotches(seed: int, width: int = 64, height: int = 48) -> Image.Image:
    """A picture of soft colours, different for each seed."""
    colours = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((width, height), Image.Resampling.BICUBIC)
