"""Optimizers and learning-rate schedules by name.

An optimizer's builder takes the parameters first; a schedule's builder returns the factor on the learning rate as a
function of the share of the training that is done, from 0 at the first step to 1 at the last.
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch.nn import Parameter

from plcnn.choice import Choice
from plcnn.errors import UserError
from plcnn.registry import Registry

Factor = Callable[[float], float]


class Optimizer(Choice):
    """An optimizer by its registered name, with its arguments."""


class Schedule(Choice):
    """A learning-rate schedule by its registered name, with its arguments."""


optimizers = Registry(Optimizer, given=("params",), needs=("params",))
schedules = Registry(Schedule)


@optimizers.register
def adam(
    params: Iterable[Parameter],
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba, 2014, arXiv:1412.6980).

    Args:
        params: the parameters to train.
        lr: learning rate.
        betas: decay of the running averages of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: L2 penalty, added to the gradient.
    """
    return torch.optim.Adam(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


@optimizers.register
def adamw(
    params: Iterable[Parameter],
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017, arXiv:1711.05101).

    Args:
        params: the parameters to train.
        lr: learning rate.
        betas: decay of the running averages of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: share of each weight taken off a step, times the learning rate.
    """
    return torch.optim.AdamW(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


@optimizers.register
def sgd(
    params: Iterable[Parameter],
    lr: float = 0.1,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum.

    Args:
        params: the parameters to train.
        lr: learning rate.
        momentum: decay of the running sum of gradients.
        nesterov: look ahead along the momentum; needs momentum above 0.
        weight_decay: L2 penalty, added to the gradient.
    """
    if nesterov and momentum <= 0:
        raise UserError(f"momentum={momentum}: nesterov needs a momentum above 0; add --model.optimizer.nesterov false")
    return torch.optim.SGD(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


@optimizers.register
def rmsprop(
    params: Iterable[Parameter],
    lr: float = 1e-3,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """RMSprop (Hinton, lecture 6e of Neural Networks for Machine Learning, 2012).

    Args:
        params: the parameters to train.
        lr: learning rate.
        alpha: decay of the running average of the squared gradient.
        eps: added to the denominator.
        momentum: decay of the running sum of gradients.
        weight_decay: L2 penalty, added to the gradient.
    """
    return torch.optim.RMSprop(params, lr=lr, alpha=alpha, eps=eps, momentum=momentum, weight_decay=weight_decay)


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
def linear(warmup: float = 0.0, final: float = 0.0) -> Factor:
    """A straight line from the learning rate down to a share of it; with warm-up, a triangle.

    Args:
        warmup: share of the training, 0 to 1, over which the rate rises linearly from 0.
        final: the last step's rate as a share of the learning rate.
    """
    return _after_warmup(warmup, lambda done: 1 + (final - 1) * done)


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


def _after_warmup(warmup: float, factor: Factor) -> Factor:
    if not 0 <= warmup < 1:
        raise UserError(f"warmup must be a share of the training from 0 to below 1, got {warmup}.")
    return lambda done: done / warmup if done < warmup else factor((done - warmup) / (1 - warmup))


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
