"""What a run left, for comparison: everything but what differs from one to the next of the same training."""

import csv
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

TIMES = ("seconds", "pictures/s", "speed/pictures_per_second")


def rows(folder: Path) -> list[dict[str, str]]:
    """history.csv, less the times."""
    with (folder / "history.csv").open() as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """TensorBoard's scalars in the order in which they lie in the event files, less the times."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.tensor.dtype == 1 and not value.tensor.tensor_shape.dim and value.tag not in TIMES:
                    found.setdefault(value.tag, []).append((event.step, value.tensor.float_val[0]))
    return found


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two contents of checkpoints differ, bit for bit, less the times."""
    if isinstance(one, dict) and isinstance(other, dict):
        missing = [f"{place}/{key} is in one alone" for key in one.keys() ^ other.keys()]
        both = [key for key in one if key in other and key not in TIMES]
        return missing + [d for key in both for d in differences(one[key], other[key], f"{place}/{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return [d for i, pair in enumerate(zip(one, other, strict=True)) for d in differences(*pair, f"{place}/{i}")]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        same = one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
        return [] if same else [f"{place} differs"]
    return [] if one == other else [f"{place}: {one} and {other}"]


def read(path: Path) -> Any:
    """A checkpoint's content."""
    return torch.load(path, weights_only=True)


def assert_same(run: Path, whole: Path) -> None:
    """Two run folders hold the same training: checkpoints, history, curves, and no file more or less."""
    for path in sorted((whole / "checkpoints").iterdir()):
        assert differences(read(run / "checkpoints" / path.name), read(path)) == []
    assert rows(run) == rows(whole)
    assert scalars(run) == scalars(whole)
    assert names(run) == names(whole)


def names(run: Path) -> set[str]:
    """The files of a run, the event files counted as one."""
    return {"events" if "tfevents" in path.name else str(path.relative_to(run)) for path in run.rglob("*")}
