"""How fast an export is against its checkpoint in PyTorch: measured turn by turn, so that a busy machine slows both."""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import NamedTuple

from torch import Tensor

from plcnn.classifier import Classifier
from plcnn.export.artifact import Run
from plcnn.inference import predict_probabilities

BATCHES = (1, 256)
TURNS = 7
LEAST_TURNS = 3
SECONDS_A_TURN = 0.1
REST = 0.02
MOST_SECONDS = 10.0
"""For one size of batch, once the least number of turns is taken."""


class Speed(NamedTuple):
    """Pictures a second.

    Attributes:
        batch: pictures at once.
        checkpoint: of the checkpoint in PyTorch, in fp32.
        exported: of the export.
        ratio: how many times as fast the export is; the median over the turns.
    """

    batch: int
    checkpoint: float
    exported: float
    ratio: float


def measure(classifier: Classifier, run: Run, images: Tensor) -> list[Speed]:
    """Time both on the CPU, from pixels to probabilities.

    Args:
        classifier: the checkpoint's.
        run: the export.
        images: uint8 (pictures, channels, height, width), one or more; repeated to fill a batch.
    """
    found = []
    for batch in BATCHES:
        pictures = images.repeat(-(-batch // len(images)), 1, 1, 1)[:batch]
        found.append(_turns(batch, partial(predict_probabilities, classifier, pictures), partial(run, pictures)))
    return found


def _turns(batch: int, checkpoint: Callable[[], object], exported: Callable[[], object]) -> Speed:
    calls = [_calls(one) for one in (checkpoint, exported)]
    times: list[tuple[float, float]] = []
    start = time.perf_counter()
    while len(times) < TURNS and (len(times) < LEAST_TURNS or time.perf_counter() - start < MOST_SECONDS):
        times.append((_seconds(checkpoint, calls[0]), _seconds(exported, calls[1])))
    there, here = (batch / median(turn[which] for turn in times) for which in (0, 1))
    return Speed(batch, there, here, median(a / b for a, b in times))


def _calls(function: Callable[[], object]) -> int:
    """How many calls fill a turn."""
    return max(1, int(SECONDS_A_TURN / max(_seconds(function, 1), 1e-6)))


def _seconds(function: Callable[[], object], calls: int) -> float:
    """Seconds a call, once the other's threads have come to rest and this one's are awake."""
    time.sleep(REST)
    function()
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls
