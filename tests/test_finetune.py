"""Fine-tuning: what is frozen stays as it was, what thaws does so on time, on any device and after any interruption."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from runs import differences, read
from support import TINY, Outcome
from torch.nn import Parameter

import plcnn as product
from plcnn.callbacks.finetune import FineTune
from plcnn.classifier import Classifier
from plcnn.errors import UserError
from plcnn.layer_groups import layer_groups
from plcnn.optim import optimizers, scale_rates
from plcnn.schedules import schedules

Command = Callable[..., Outcome]
RUN = Path("tb_logs/run/version_0")
NETWORK = ["--model.arch", "resnet20", "--opening.layers", "false", "--curves.enabled", "false"]
"""Stem, nine blocks and a head, with batch norm."""

SCHEDULE = ["--model.schedule", "cosine", "--model.schedule.warmup", "0.2"]
AVERAGES = ["--ema.enabled", "true", "--lookahead.enabled", "true", "--model.schedule", "cosine"]


def weights(run: Path) -> dict[str, torch.Tensor]:
    found = read(run / "checkpoints" / "last.ckpt")["state_dict"]
    return {name.removeprefix("net."): tensor for name, tensor in found.items()}


@pytest.mark.parametrize(
    ("policy", "every", "expected"),
    [
        ("none", 1, [5, 5, 5, 5, 5, 5]),
        ("head", 1, [1, 1, 1, 1, 1, 1]),
        ("head_first", 2, [1, 1, 5, 5, 5, 5]),
        ("gradual", 1, [1, 2, 3, 4, 5, 5]),
        ("gradual", 2, [1, 1, 2, 2, 3, 3]),
    ],
)
def test_what_is_trained_depends_on_the_epoch_alone(policy: Any, every: int, expected: list[int]) -> None:
    callback = FineTune(policy, every)
    callback._groups = [[str(n)] for n in range(5)]
    assert [callback.groups_in(epoch) for epoch in range(6)] == expected


@pytest.mark.parametrize("chosen", [[], AVERAGES, *(["--model.optimizer", n] for n in ("sgdw", "muon", "rmsprop"))])
def test_of_a_frozen_network_nothing_changes_but_the_head(plcnn: Command, chosen: list[str]) -> None:
    torch.manual_seed(1)
    start = {k: v.clone() for k, v in product.build("resnet20", 10).state_dict().items()}
    torch.save(start, "start.pth")
    frozen = ["--model.weights", "start.pth", "--finetune.policy", "head", "--trainer.max_epochs", "2", *chosen]
    outcome = plcnn("fit", *TINY, *NETWORK, *frozen)
    assert outcome.code == 0, outcome.err
    assert "finetune   650 of 269,722 parameters are trained\n" in outcome.out
    after = weights(RUN)
    same = torch.allclose if chosen == AVERAGES else torch.equal  # an average of equal values is rounded
    assert {name for name in start if not same(start[name], after[name])} == {"head.weight", "head.bias"}


def test_layers_thaw_one_by_one_with_their_statistics(plcnn: Command) -> None:
    gradual = ["--finetune.policy", "gradual", "--trainer.max_epochs", "3", "--finetune.rate_decay", "0.5"]
    outcome = plcnn("fit", *TINY, *NETWORK, *gradual)
    assert outcome.code == 0, outcome.err
    said = [line for line in outcome.out.splitlines() if line.startswith(("finetune", "thawed", "   "))]
    assert said[:2] == [
        "finetune   650 of 269,722 parameters are trained, one more of 11 layer groups every epoch;",
        "           learning rates × 0.5 a layer group, down to × 0.000977",
    ]
    # a block of 64 channels: two convolutions of 64 × 64 × 9, two norms of 64 × 2
    assert [line for line in said if line.startswith("thawed")] == [
        "thawed     down to stages.8: 74,634 of 269,722 parameters are trained",
        "thawed     down to stages.7: 148,618 of 269,722 parameters are trained",
    ]
    changed = {name for name, tensor in weights(RUN).items() if name.endswith("running_mean") and tensor.any()}
    assert changed == {f"stages.{block}.bn{norm}.running_mean" for block in (7, 8) for norm in (1, 2)}


def test_a_run_that_goes_on_ends_as_one_that_was_never_stopped(plcnn: Command) -> None:
    policy = ["--finetune.policy", "gradual", "--finetune.rate_decay", "0.8", "--model.optimizer", "muon"]
    several = ["fit", *TINY, *NETWORK, *SCHEDULE, *policy, "--trainer.max_epochs", "4"]
    several += ["--checkpoints.every_n_steps", "1", "--data.batch_size", "60"]
    assert plcnn(*several).code == 0
    assert plcnn(*several, "--trainer.callbacks+=disk_faults.StopWithin", "--name", "stopped").code == 1
    stopped = Path("tb_logs/stopped/version_0")
    assert read(stopped / "checkpoints" / "last.ckpt")["global_step"] == 7  # of three an epoch: within the third
    outcome = plcnn("fit", "--resume", stopped, "--trainer.callbacks", "null")
    assert outcome.code == 0 and "finetune   148,618 of 269,722 parameters are trained, one more" in outcome.out
    one, whole = (read(run / "checkpoints" / "last.ckpt") for run in (stopped, RUN))
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks"):
        assert differences(one[key], whole[key]) == []


def test_single_rates_are_not_switched_on_or_off_within_a_run(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    outcome = plcnn("fit", "--resume", RUN, "--trainer.max_epochs", "2", "--finetune.rate_decay", "0.5")
    assert outcome.code == 2 and "--finetune.rate_decay: the run goes on with 1.0" in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("name", optimizers.names())
def test_a_factor_on_the_rate_is_a_factor_on_the_first_step(name: str) -> None:
    """The step of each parameter is in proportion to its rate, whatever else the optimizer does with it."""
    shapes, factors = [(4, 3, 3, 3), (4,), (5, 4), (5,)], [0.25, 0.25, 0.5, 1.0]
    plain = {"weight_decay": 0.0} | ({"normalize": False} if name == "muon" else {})

    def steps(factors: list[float]) -> list[torch.Tensor]:
        torch.manual_seed(0)
        params = [Parameter(torch.randn(shape, dtype=torch.float64)) for shape in shapes]
        before = [p.detach().clone() for p in params]
        optimizer = optimizers.build(name, params=params, **plain)
        scale_rates(optimizer, {p: f for p, f in zip(params, factors, strict=True) if f != 1})
        assert sorted(id(p) for group in optimizer.param_groups for p in group["params"]) == sorted(map(id, params))
        for p in params:
            p.grad = p.detach().sin()
        optimizer.step()
        return [p.detach() - old for p, old in zip(params, before, strict=True)]

    for slow, usual, factor in zip(steps(factors), steps([1.0] * 4), factors, strict=True):
        torch.testing.assert_close(slow, usual * factor)


@pytest.mark.parametrize("schedule", schedules.names())
@pytest.mark.parametrize("name", optimizers.names())
def test_each_groups_rate_is_its_share_all_along(name: str, schedule: str) -> None:
    steps, warm = 6, {"class_path": schedule, "init_args": {"warmup": 0.4}}
    module = Classifier(["a", "b"], (3, 8, 8), "keras_cnn", name, warm)  # type: ignore[arg-type]
    plain = module.optimizer_choice.build(module.parameters()).param_groups
    whole = {id(parameter): group["lr"] for group in plain for parameter in group["params"]}
    depths = {n: depth for depth, group in enumerate(reversed(layer_groups(module.net, 2))) for n in group}
    module.rate_factors = {name: 0.5**depth for name, depth in depths.items()}
    module._trainer = SimpleNamespace(estimated_stepping_batches=steps)  # type: ignore[assignment]
    built: Any = module.configure_optimizers()
    optimizer, factor = built["optimizer"], module.schedule_choice.build()
    for step in range(steps):
        rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
        for own, parameter in module.net.named_parameters():
            share = factor(step / (steps - 1)) * 0.5 ** depths[own]
            assert rates[id(parameter)] == pytest.approx(whole[id(parameter)] * share)
        for parameter in module.net.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        built["lr_scheduler"]["scheduler"].step()


def test_statistics_of_norms_with_fixed_scales_are_frozen_too(plcnn: Command) -> None:
    """airbench's norms have a scale that is never trained."""
    network = ["--model.arch", "airbench", "--model.arch.widths", "[8, 8, 8]", "--data.source.image_size", "32"]
    frozen = ["--finetune.policy", "head_first", "--finetune.every_n_epochs", "5", "--trainer.max_epochs", "1"]
    outcome = plcnn("fit", *TINY, *network, *frozen, "--curves.enabled", "false")
    assert outcome.code == 0, outcome.err
    assert "are trained, all from epoch 6 on, after the last\n" in outcome.out
    counts = {name: int(tensor) for name, tensor in weights(RUN).items() if name.endswith("num_batches_tracked")}
    assert len(counts) == 6 and set(counts.values()) == {0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"every_n_epochs": 0}, "--finetune.every_n_epochs: got 0; allowed: a number of epochs, 1 or more"),
        ({"rate_decay": 0}, "--finetune.rate_decay: got 0; allowed: a share above 0, up to 1"),
        ({"rate_decay": 1.5}, "--finetune.rate_decay: got 1.5"),
    ],
)
def test_values_out_of_range_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        FineTune(**arguments)


def test_spread_weights_are_refused() -> None:
    classifier = Classifier(["a", "b"], (3, 8, 8), "linear")  # type: ignore[arg-type]
    trainer: Any = SimpleNamespace(strategy=object())
    with pytest.raises(UserError, match="where each device holds all weights"):
        FineTune("head").setup(trainer, classifier, "fit")
    FineTune().setup(trainer, classifier, "fit")
    assert len(layer_groups(classifier.net, 2)) == 1
