"""The batch size's arithmetic on a machine whose speed is scripted: other work slows a size in one turn, not in all."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from plcnn.tune import batch_size
from plcnn.tune.batch_size import Size, is_idle, scale, speed_of, suggested


class Machine:
    """Measures what a script says: the true speed of a size, but in disturbed turns a third of it.

    Args:
        speeds: pictures a second, by size; the memory does not hold others.
        disturbed: turns of a size, counted from 0.
    """

    def __init__(self, speeds: dict[int, float], disturbed: set[tuple[int, int]]) -> None:
        self.speeds, self.disturbed, self.sizes = speeds, disturbed, []

    def __call__(self, trial: Any, size: int, steps: int) -> Size | None:
        if size not in self.speeds:
            return None
        turn = self.sizes.count(size)
        self.sizes.append(size)
        return Size(size, self.speeds[size] / (3 if (size, turn) in self.disturbed else 1), 1000 * len(self.sizes))


def scaled(machine: Machine, monkeypatch: pytest.MonkeyPatch, largest: int = 8192) -> batch_size.Scaling:
    monkeypatch.setattr(batch_size, "_measure", machine)
    data = SimpleNamespace(prepare_data=list, setup=str, counts=lambda: {"train": 5000})
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")))
    trial: Any = SimpleNamespace(datamodule=data, trainer=trainer)
    return scale(trial, 3, 16, largest)


def test_a_size_that_other_work_slowed_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = {16: 100.0, 32: 150.0, 64: 200.0, 128: 202.0, 256: 203.0, 512: 204.0}
    quiet = scaled(Machine(speeds, set()), monkeypatch)
    machine = Machine(speeds, {(32, 0), (64, 0), (64, 1), (128, 2)})
    found = scaled(machine, monkeypatch)
    assert found.suggestion == quiet.suggestion == 64
    assert found.ended == quiet.ended == "twice as many pictures at once are no faster"
    assert {size.pictures: size.speed for size in found.sizes} == {
        size: speeds[size] for size in (16, 32, 64, 128, 256)
    }
    assert machine.sizes[:9] == [16, 32, 64, 16, 32, 64, 16, 32, 64]  # two idle sizes end nothing before a second look
    assert [size.memory for size in found.sizes[:3]] == [1000, 2000, 3000]  # of the first turn


@pytest.mark.parametrize(
    ("speeds", "largest", "ended"),
    [
        ({16: 1.0, 32: 2.0}, 8192, "the device's memory does not hold a batch of 64"),
        ({16: 1.0, 32: 2.0, 64: 4.0}, 32, "the next would be above the largest size, 32"),
        (
            {16 << place: 2.0**place for place in range(12)},
            8192,
            "the next would be more than the 5,000 training pictures",
        ),
    ],
)
def test_why_it_ends(speeds: dict[int, float], largest: int, ended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(speeds, set())
    found = scaled(machine, monkeypatch, largest)
    assert found.ended == ended and found.suggestion == found.sizes[-1].pictures
    assert all(machine.sizes.count(size.pictures) == 3 for size in found.sizes)


def test_not_even_the_first_size_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="does not hold a batch of 16"):
        scaled(Machine({}, set()), monkeypatch)


def test_about_as_fast_is_within_a_twentieth() -> None:
    assert suggested([Size(8, 94.9, 0), Size(16, 95.0, 0), Size(32, 100.0, 0)]) == 16
    assert not is_idle([Size(8, 9.0, 0), Size(16, 9.0, 0)])
    assert speed_of([(0.0, 8), (2.0, 8), (3.0, 6), (3.5, 8)]) == 12.0  # 6 pictures in half a second
