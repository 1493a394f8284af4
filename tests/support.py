"""What the tests of the command line share."""

from pathlib import Path
from typing import NamedTuple

CONFIGS = Path(__file__).parents[1] / "configs"

TINY = [
    *("--data.source", "shapes", "--data.source.train_size", "200", "--data.source.test_size", "90"),
    *("--data.source.image_size", "8", "--model.arch", "linear", "--trainer.accelerator", "cpu"),
]
"""A run of a second: 180 training, 20 validation and 90 test pictures of 8 × 8 pixels, a linear classifier."""


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str
