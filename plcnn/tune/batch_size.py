"""The batch size: doubled until memory, the pictures or a limit end it, or twice as many are no faster.

Each size is one trial of Lightning's Tuner, which knows when a device's memory is full.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.pytorch.tuner.tuning import Tuner

from plcnn.tune.trial import Trial

LARGEST = 8192
"""Lightning's Tuner (2.6) tries no larger one."""

ENOUGH = 0.95
"""The smallest size with this share of the best speed is suggested."""

LEVEL = 1.05
"""A size that is not so many times as fast as all before it brings nothing; two in a row end the search."""

TURNS = 3
"""So often each size is measured."""


class Size(NamedTuple):
    """What was measured of a batch size.

    Attributes:
        pictures: in a batch.
        speed: pictures a second in the fastest step.
        memory: the most bytes in use: on a GPU those that PyTorch has taken of it, else those of the process.
    """

    pictures: int
    speed: float
    memory: int


class Scaling(NamedTuple):
    """What a search for a batch size found.

    Attributes:
        sizes: the smallest first.
        suggestion: the smallest that is about as fast as the fastest.
        ended: why the search ended.
        memory_of: whose memory was measured.
    """

    sizes: list[Size]
    suggestion: int
    ended: str
    memory_of: str


def scale(trial: Trial, steps: int, first: int, largest: int) -> Scaling:
    """Try batch sizes, each twice the one before.

    Other work on the machine slows now this size, now that: before the search ends, all sizes are measured again, turn
    by turn, and of each the fastest step counts, which was disturbed least. (So does Python's `timeit`.) Small batches,
    whose steps are short, are still disturbed less: a doubt is in favour of the smaller size.

    Args:
        trial: what is trained.
        steps: optimizer steps of each size and turn, 3 or more; the first is not timed, nor the last.
        first: the first size.
        largest: the last at most.

    Raises:
        RuntimeError: if not even the first size fits the memory.
    """
    trial.datamodule.prepare_data()
    trial.datamodule.setup("fit")
    there = trial.datamodule.counts()["train"]
    largest = min(largest, LARGEST)
    memory_of = _memory_of(trial.trainer.strategy.root_device)

    def measure(size: int) -> Size | None:
        return _measure(trial, size, steps)

    sizes: list[Size] = []
    while not (ended := _limit(sizes, largest, there)):
        size = 2 * sizes[-1].pictures if sizes else first
        measured = measure(size)
        if measured is None:
            ended = f"the device's memory does not hold a batch of {size}"
            break
        sizes.append(measured)
        if is_idle(sizes) and is_idle(sizes := measured_again(sizes, measure)):
            return Scaling(sizes, suggested(sizes), "twice as many pictures at once are no faster", memory_of)
    if not sizes:
        raise RuntimeError(ended)
    sizes = measured_again(sizes, measure)
    return Scaling(sizes, suggested(sizes), ended, memory_of)


def _limit(sizes: list[Size], largest: int, there: int) -> str:
    """Why there is no size after these; empty where there is one."""
    following = 2 * sizes[-1].pictures if sizes else 0
    if following > largest:
        return f"the next would be above the largest size, {largest:,}"
    if following > there:
        return f"the next would be more than the {there:,} training pictures"
    return ""


def is_idle(sizes: list[Size]) -> bool:
    """Whether neither of the last two sizes is faster than all before.

    Args:
        sizes: the smallest first.
    """
    speeds = [size.speed for size in sizes]
    return len(speeds) > 2 and max(speeds[-2:]) < LEVEL * max(speeds[:-2])


def measured_again(sizes: list[Size], measure: Callable[[int], Size | None]) -> list[Size]:
    """The sizes with their best speed over further turns; memory is that of the first, when none larger had been tried.

    Args:
        sizes: as they were measured.
        measure: measures a size; none where the memory is full now.
    """
    for _ in range(TURNS - 1):
        found = [measure(size.pictures) or size for size in sizes]
        sizes = [one._replace(speed=max(one.speed, other.speed)) for one, other in zip(sizes, found, strict=True)]
    return sizes


def suggested(sizes: list[Size]) -> int:
    """The smallest size with about the best speed.

    Args:
        sizes: one or more.
    """
    best = max(size.speed for size in sizes)
    return min(size.pictures for size in sizes if size.speed >= ENOUGH * best)


def _measure(trial: Trial, size: int, steps: int) -> Size | None:
    """One trial; none where the memory is full."""
    device, marks = trial.trainer.strategy.root_device, []

    def mark(_: Any, inputs: tuple[torch.Tensor]) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        marks.append((time.perf_counter(), len(inputs[0])))

    _forget_peak(device)
    handle = trial.model.register_forward_pre_hook(mark)
    try:
        fitting = Tuner(trial.trainer).scale_batch_size(
            trial.model,
            datamodule=trial.datamodule,
            steps_per_trial=steps,
            init_val=size,
            max_trials=1,
            max_val=size + 1,  # it ends before a size that is no smaller
        )
    finally:
        handle.remove()
    if fitting != size:
        return None
    return Size(size, speed_of(marks[1:]), _peak(device))


def speed_of(marks: list[tuple[float, int]]) -> float:
    """Pictures a second of the fastest step: what else the machine does slows the others.

    Args:
        marks: when each batch was begun, and its pictures; the last one is the end of those before it.
    """
    steps = pairwise(marks)
    return max(pictures / max(end - start, 1e-9) for (start, pictures), (end, _) in steps)


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):  # Linux alone can
        Path("/proc/self/clear_refs").write_text("5")


def _memory_of(device: torch.device) -> str:
    if device.type == "cuda":
        whole = torch.cuda.get_device_properties(device)
        return f"{whole.name}, which has {whole.total_memory / 2**20:,.0f} MiB"
    return "the process, with Python and PyTorch"


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes there, KiB elsewhere
