"""The learning-rate range test: the rate grows from step to step, and the loss shows where a network learns fastest.

Smith, "Cyclical Learning Rates for Training Neural Networks", 2015, https://arxiv.org/abs/1506.01186. Lightning's Tuner
takes the steps. What it suggests (2.6) is not taken: it looks for the steepest fall over the rate itself, of which the
first, tiny rates have most; here it is the steepest fall over the rate's logarithm, as in the paper.
"""

import contextlib
import io
import math
import sys
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.pytorch.tuner.lr_finder import _LRCallback
from lightning.pytorch.tuner.tuning import Tuner

from plcnn.choice import Choice
from plcnn.errors import UserError
from plcnn.tune.trial import Trial

DIVERGED = 4.0
"""The test ends where the running loss is so many times the least."""

WIDTH = 0.03
"""Of the bell under which losses are averaged, as a share of all steps."""

LEAST_FALL = 0.02
"""Share of the first loss by which it must fall before a rate is suggested."""


class RangeTest(NamedTuple):
    """What a range test found.

    Attributes:
        rates: of each step: the optimizer's `lr`; its other rates keep their ratio to it.
        losses: of each step's batch.
        smooth: the losses averaged over steps before and after.
        suggestion: the rate at which the loss falls fastest; none where it does not fall.
        lowest: the rate at which the smooth loss is least.
        ended: why the test ended.
    """

    rates: list[float]
    losses: list[float]
    smooth: list[float]
    suggestion: float | None
    lowest: float | None
    ended: str


def range_test(trial: Trial, steps: int, low: float, high: float) -> RangeTest:
    """Take steps at growing rates.

    Args:
        trial: what is trained; its weights are as before afterwards.
        steps: how many.
        low: the first rate.
        high: the last.

    Raises:
        UserError: if the optimizer's learning rates are not all above 0.
    """
    _keep_ratios(trial.model)
    quiet = contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO())
    with quiet:  # Lightning draws a progress bar, whoever looks
        found = Tuner(trial.trainer).lr_find(
            trial.model,
            datamodule=trial.datamodule,
            min_lr=low,
            max_lr=high,
            num_training=steps,
            early_stop_threshold=DIVERGED,
            update_attr=False,
        )
    assert found is not None
    losses = raw_losses(found.results["loss"], _LRCallback(steps).beta)
    rates = found.results["lr"][: len(losses)]
    smooth = smoothed(losses, WIDTH * steps)
    place = steepest(rates, smooth)
    if len(losses) == steps:
        ended = f"all {steps} steps are taken"
    elif len(losses) < len(found.results["loss"]):
        ended = f"the loss is no number at step {len(losses) + 1}"
    else:
        ended = f"the loss diverges at step {len(losses)}"
    lowest = rates[int(np.argmin(smooth))] if smooth else None
    return RangeTest(rates, losses, smooth, None if place is None else rates[place], lowest, ended)


def reference(optimizer: Choice) -> float:
    """The optimizer's `lr`, to which its other rates are in ratio.

    Raises:
        UserError: if it has none above 0.
    """
    rate = optimizer.arguments.get("lr")
    if not isinstance(rate, int | float) or not rate > 0:
        raise UserError(f"tune lr needs an optimizer with an lr above 0, got {optimizer!r}.", exit_code=2)
    return float(rate)


def flags(optimizer: Choice, suggestion: float) -> list[str]:
    """What to type for a rate: `lr`, and the optimizer's other rates in the same ratio.

    Args:
        optimizer: with its present rates.
        suggestion: the new `lr`.
    """
    factor = suggestion / reference(optimizer)
    rates = {key: value for key, value in optimizer.arguments.items() if key == "lr" or key.endswith("_lr")}
    return [f"--model.optimizer.{key} {value * factor:.3g}" for key, value in rates.items() if value]


def raw_losses(running: list[float], beta: float) -> list[float]:
    """Each step's own loss from Lightning's running mean of them, up to the first that is no number.

    Args:
        running: `m_k / (1 - beta ** (k + 1))` for k = 1, 2 ..., where `m_k = beta * m_{k-1} + (1 - beta) * loss_k`.
        beta: of the running mean.
    """
    losses: list[float] = []
    before = 0.0
    for k, value in enumerate(running, 1):
        mean = value * (1 - beta ** (k + 1))
        loss = (mean - beta * before) / (1 - beta)
        if not math.isfinite(loss):
            break
        losses.append(loss)
        before = mean
    return losses


def smoothed(losses: list[float], width: float) -> list[float]:
    """Averages over steps before and after, weighted by a bell: they do not lag, as a running mean does.

    Args:
        losses: of each step.
        width: standard deviation of the bell, in steps.
    """
    if not losses:
        return []
    steps = np.arange(len(losses))
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / max(width, 1e-9)) ** 2)
    means: list[float] = (weights @ np.array(losses) / weights.sum(1)).tolist()
    return means


def steepest(rates: list[float], smooth: list[float]) -> int | None:
    """The step at which the loss falls fastest over the rate's logarithm; none where it falls too little.

    Args:
        rates: of each step.
        smooth: its averaged loss.
    """
    if len(smooth) < 4:
        return None
    end = int(np.argmin(smooth)) + 1
    if end < 3 or not smooth[end - 1] < (1 - LEAST_FALL) * smooth[0]:
        return None
    slopes = np.gradient(np.array(smooth[:end]), np.log(np.array(rates[:end])))
    return int(np.argmin(slopes))


def _keep_ratios(model: Any) -> None:
    """Have each group of parameters keep the ratio of its rate to `lr`: Lightning gives one rate to all."""
    rate, configure = reference(model.optimizer_choice), model.configure_optimizers

    def configured() -> Any:
        found = configure()
        optimizer = found["optimizer"]
        ratios = [group["initial_lr"] / rate for group in optimizer.param_groups]
        at_hand: list[float] = []

        def before(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            at_hand[:] = [group["lr"] for group in optimizer.param_groups]
            for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
                group["lr"] *= ratio

        def after(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            for group, given in zip(optimizer.param_groups, at_hand, strict=True):
                group["lr"] = given

        optimizer.register_step_pre_hook(before)
        optimizer.register_step_post_hook(after)
        return found

    model.configure_optimizers = configured
