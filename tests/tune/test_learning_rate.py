"""The range test's arithmetic, and that each group of parameters keeps its ratio."""

import math

import pytest
import torch

from plcnn.errors import UserError
from plcnn.optim import optimizers
from plcnn.tune.batch_size import Size, speed_of, suggested
from plcnn.tune.learning_rate import _keep_ratios, flags, raw_losses, reference, smoothed, steepest


def test_each_steps_loss_is_got_back_from_the_running_mean() -> None:
    losses, beta = [2.3, 2.1, 2.2, 1.5, 9.0], 0.98
    mean, running = 0.0, []
    for step, loss in enumerate(losses, 1):
        mean = beta * mean + (1 - beta) * loss
        running.append(mean / (1 - beta ** (step + 1)))  # as lightning.pytorch.tuner.lr_finder has it
    assert raw_losses(running, beta) == pytest.approx(losses)
    assert raw_losses([*running, math.nan, 1.0], beta) == pytest.approx(losses)


def test_averages_do_not_lag() -> None:
    line = [float(step) for step in range(50)]
    assert smoothed(line, 2.0)[20:30] == pytest.approx(line[20:30])
    assert smoothed([3.0] * 9, 2.0) == pytest.approx([3.0] * 9)
    assert smoothed([], 2.0) == []


def test_the_steepest_fall_is_over_the_logarithm() -> None:
    rates = [10 ** (-6 + 0.05 * step) for step in range(121)]
    fall = [
        2.3 - 2 / (1 + math.exp(-4 * (math.log10(rate) + 2))) + max(0, math.log10(rate) + 0.5) * 9 for rate in rates
    ]
    place = steepest(rates, fall)
    assert place is not None and rates[place] == pytest.approx(1e-2)  # where the logistic curve turns
    assert steepest(rates, [2.3] * 121) is None
    assert steepest(rates, sorted(fall)) is None
    assert steepest(rates[:3], [3.0, 2.0, 1.0]) is None


def test_flags_keep_the_ratio_of_an_optimizers_rates() -> None:
    muon = optimizers.choose("muon", lr=0.2, bias_lr=20.0, head_lr=300.0)
    assert flags(muon, 0.1) == [f"--model.optimizer.{rate}" for rate in ("lr 0.1", "bias_lr 10", "head_lr 150")]
    assert flags(optimizers.choose("adam"), 0.0123) == ["--model.optimizer.lr 0.0123"]
    with pytest.raises(UserError, match="above 0"):
        reference(optimizers.choose("adam", lr=0.0))


def test_groups_keep_their_ratio_at_every_step() -> None:
    parameters = [torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))]
    choice = optimizers.choose("sgdw", lr=0.5, bias_lr_factor=64.0, momentum=0.5, weight_decay=0.0)

    class Model:
        optimizer_choice = choice

        def configure_optimizers(self) -> dict[str, torch.optim.Optimizer]:
            optimizer = choice.build(parameters)
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
            return {"optimizer": optimizer}

    model = Model()
    _keep_ratios(model)
    optimizer = model.configure_optimizers()["optimizer"]
    for group in optimizer.param_groups:
        group["lr"] = 0.001  # what Lightning's finder gives to all
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moved = [1 - float(parameter.detach().flatten()[0]) for parameter in parameters]
    assert moved[1] / moved[0] == pytest.approx(64, rel=1e-3)
    assert moved[0] == pytest.approx(0.001 * 1.5, rel=1e-3)  # Nesterov's first step: 1 + momentum
    assert [group["lr"] for group in optimizer.param_groups] == [0.001, 0.001]


def test_the_smallest_batch_that_is_about_as_fast_is_suggested() -> None:
    sizes = [Size(16, 700.0, 0), Size(32, 960.0, 0), Size(64, 1000.0, 0), Size(128, 990.0, 0)]
    assert suggested(sizes) == 32
    assert speed_of([(0.0, 32), (2.0, 32), (3.0, 16)]) == pytest.approx(32.0)
