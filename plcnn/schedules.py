"""Learning-rate schedules by name.

A builder returns the factor on the learning rate as a function of the share of the training that is done, from 0 at the
first step to 1 at the last.
"""

import math
from collections.abc import Callable

import torch

from plcnn.choice import Choice
from plcnn.errors import UserError
from plcnn.registry import Registry

Factor = Callable[[float], float]


class Schedule(Choice):
    """A learning-rate schedule by its registered name, with its arguments."""


schedules = Registry(Schedule)


@schedules.register
def constant(warmup: float = 0.0) -> Factor:
    """The same learning rate throughout.

    Args:
        warmup: share of the training, 0 to 1, over which the rate rises linearly from 0.
    """
    return _after_warmup(warmup, lambda done: 1.0)


@schedules.register
def cosine(warmup: float = 0.0, final: float = 0.0) -> Factor:
    """Half a cosine from the learning rate down to a share of it (Loshchilov and Hutter, 2016, arXiv:1608.03983).

    Args:
        warmup: share of the training, 0 to 1, over which the rate rises linearly from 0.
        final: the last step's rate as a share of the learning rate.
    """
    return _after_warmup(warmup, lambda done: final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done)))


@schedules.register
def linear(warmup: float = 0.0, final: float = 0.0, start: float = 0.0) -> Factor:
    """A straight line from the learning rate down to a share of it; with warm-up, a triangle.

    Args:
        warmup: share of the training, 0 to 1, over which the rate rises linearly.
        final: the last step's rate as a share of the learning rate.
        start: the first step's rate as a share of the learning rate, where there is a warm-up.
    """
    return _after_warmup(warmup, lambda done: 1 + (final - 1) * done, start)


@schedules.register
def steps(milestones: list[float] = [0.5, 0.75], gamma: float = 0.1, warmup: float = 0.0) -> Factor:  # noqa: B006
    """The learning rate times `gamma` once more at each milestone.

    Args:
        milestones: shares of the training done, each between 0 and 1.
        gamma: factor at each milestone.
        warmup: share of the training, 0 to 1, over which the rate rises linearly from 0.
    """
    if not all(0 < m < 1 for m in milestones):
        raise UserError(f"steps: milestones must lie between 0 and 1 (shares of the training), got {milestones}.")
    warm = _after_warmup(warmup, lambda done: 1.0)
    return lambda done: warm(done) * gamma ** sum(done >= m for m in milestones)


def _after_warmup(warmup: float, factor: Factor, start: float = 0.0) -> Factor:
    if not 0 <= warmup < 1:
        raise UserError(f"warmup must be a share of the training from 0 to below 1, got {warmup}.")
    return lambda done: start + (1 - start) * done / warmup if done < warmup else factor((done - warmup) / (1 - warmup))


def scheduler(
    optimizer: torch.optim.Optimizer, schedule: Schedule, total_steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """A scheduler to be stepped after each optimizer step.

    Args:
        optimizer: the optimizer whose learning rates are scaled.
        schedule: the chosen schedule.
        total_steps: optimizer steps of the whole training; the last of them runs at the schedule's final factor.

    Returns:
        The scheduler.
    """
    factor = schedule.build()
    last = max(total_steps - 1, 1)
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(min(step / last, 1.0)))
