"""Optimizers and schedules by name."""

import inspect
import math

import pytest
import torch
from torch.nn import Parameter

from plcnn.errors import UserError
from plcnn.optim import optimizers
from plcnn.schedules import scheduler, schedules


def rates(name: str, steps: int, **arguments: object) -> list[float]:
    """The learning rate of each of `steps` optimizer steps, from a rate of 1."""
    optimizer = torch.optim.SGD([Parameter(torch.zeros(1))], lr=1.0)
    schedule = scheduler(optimizer, schedules.choose(name, **arguments), steps)
    taken = []
    for _ in range(steps):
        taken.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return taken


def groups(name: str, **arguments: object) -> list[dict[str, object]]:
    """The settings of an optimizer's groups, for a filter bank, a last matrix and a bias."""
    params = [Parameter(torch.zeros(shape)) for shape in ((2, 2, 1, 1), (2, 2), (2,))]
    built = optimizers.choose(name, **arguments).build(params)
    return [{k: v for k, v in group.items() if k != "params"} for group in built.param_groups]


@pytest.mark.parametrize("name", optimizers.names())
def test_every_argument_of_an_optimizer_takes_effect(name: str) -> None:
    builder = optimizers[name].builder
    own = [p for p in inspect.signature(builder).parameters.values() if p.name != "params"]
    assert own
    for parameter in own:
        value = parameter.default
        changed = (
            tuple(v / 2 for v in value) if isinstance(value, tuple) else not value if value is True else value + 0.25
        )
        assert groups(name, **{parameter.name: changed}) != groups(name), parameter.name


@pytest.mark.parametrize("name", schedules.names())
def test_every_schedule_starts_from_nothing_in_a_warm_up(name: str) -> None:
    taken = rates(name, 11, warmup=0.4)
    assert taken[:4] == pytest.approx([0, 0.25, 0.5, 0.75])
    assert max(taken) == pytest.approx(1)


def test_cosine_is_half_a_cosine_that_ends_where_it_promises() -> None:
    expected = [0.1 + 0.9 * (1 + math.cos(math.pi * k / 20)) / 2 for k in range(21)]
    assert rates("cosine", 21, final=0.1) == pytest.approx(expected)


def test_linear_can_start_its_warm_up_above_nothing() -> None:
    assert rates("linear", 6, warmup=0.4, start=0.2) == pytest.approx([0.2, 0.6, 1, 2 / 3, 1 / 3, 0])


def test_linear_with_warm_up_is_a_triangle() -> None:
    assert rates("linear", 9, warmup=0.5, final=0.2) == pytest.approx([0, 0.25, 0.5, 0.75, 1, 0.8, 0.6, 0.4, 0.2])


def test_steps_fall_at_the_milestones() -> None:
    assert rates("steps", 5, milestones=[0.5, 0.75], gamma=0.1) == pytest.approx([1, 1, 0.1, 0.01, 0.01])


def test_constant_stays() -> None:
    assert rates("constant", 4) == [1, 1, 1, 1]


def test_a_single_step_is_allowed() -> None:
    assert rates("cosine", 1) == [1]


@pytest.mark.parametrize(("name", "arguments"), [("cosine", {"warmup": 1.0}), ("steps", {"milestones": [3.0]})])
def test_arguments_out_of_range_are_refused(name: str, arguments: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(arguments))):
        schedules.choose(name, **arguments).build()
