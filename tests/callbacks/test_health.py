"""Sick trainings are told once, in words; healthy ones are not: scripted epochs, and trainings of a second."""

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import SingleDeviceStrategy
from support import TINY, Outcome

from plcnn.callbacks.health import Health, fingerprint, label_entropy
from plcnn.callbacks.history import History

Command = Callable[..., Outcome]
GUESS = math.log(10)


class Sighted(LightningModule):
    """A linear classifier of 10 classes, or one that looks at nothing."""

    def __init__(self, blind: bool = False, label_smoothing: float = 0.0, classes: int = 10) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, classes))
        if blind:
            self.net[1].weight.data.zero_()
        self.classes, self.label_smoothing = list(range(classes)), label_smoothing

    def _scaled(self, images: torch.Tensor) -> torch.Tensor:
        return images.float() / 255


def told(
    capsys: pytest.CaptureFixture[str],
    epochs: list[tuple[float, float]],
    module: Any = None,
    steps: int = 200,
    rates: list[float] | None = None,
    still: bool = False,
    mix: str = "none",
    next_rate: float | None = None,
) -> list[str]:
    """The warnings after epochs of the given training losses and accuracies."""
    module = module or Sighted()
    classes = len(module.classes)
    rates = rates or [0.001] * len(epochs)
    group = {"lr": rates[0] if next_rate is None else next_rate}
    labels = torch.arange(classes).repeat(100)
    images = torch.randint(256, (len(labels), 3, 1, 1), dtype=torch.uint8)
    data = SimpleNamespace(
        classes=module.classes, mix=mix, mix_alpha=1.0, batch_size=64, sets={"train": (images, labels)}
    )
    history, health = History(), Health()
    trainer: Any = SimpleNamespace(
        global_step=0,
        optimizers=[SimpleNamespace(param_groups=[group])],
        datamodule=data,
        callbacks=[history, health],
        world_size=1,
        accumulate_grad_batches=1,
        is_global_zero=True,
        strategy=SingleDeviceStrategy(),
        precision_plugin=SimpleNamespace(forward_context=lambda: torch.no_grad()),
    )
    if next_rate is None and rates[0] < rates[-1]:
        group["lr"] = 0.0  # a warm-up begins at 0
    health.on_train_start(trainer, module)
    for number, ((loss, accuracy), rate) in enumerate(zip(epochs, rates, strict=True), 1):
        trainer.global_step += steps
        if not still:
            module.net[1].bias.data += 1e-3
        history.rate = rate
        history.rows.append({"epoch": number, "train/loss": loss, "train/acc": accuracy, "lr": rate})
        health.on_train_epoch_end(trainer, module)
    return capsys.readouterr().err.splitlines()


def test_one_that_learns_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, [(2.1, 0.2), (1.6, 0.4), (1.2, 0.6), (0.02, 0.99), (0.05, 0.98), (0.06, 0.98)]) == []


def test_no_better_than_guessing_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = told(capsys, [(GUESS, 0.1), (GUESS + 0.01, 0.1), (GUESS, 0.1)])
    assert line.startswith("warning: the training is no better than guessing, whose loss is 2.303 (epoch 1, ")
    assert (
        "training loss 2.303, accuracy 0.1000, learning rate 0.001" in line and "smaller --model.optimizer.lr" in line
    )


@pytest.mark.parametrize(
    ("epochs", "settings"),
    [
        ([(GUESS, 0.1)], {"steps": 50}),  # little has been trained
        ([(GUESS, 0.3)], {}),  # confident, but right
        ([(0.99 * GUESS, 0.1)], {}),
        ([(GUESS, 0.1), (GUESS, 0.1)], {"rates": [0.001, 0.002]}),  # the warm-up has not ended
        ([(math.log(1000), 0.001)], {"module": Sighted(classes=1000)}),  # 13 pictures a class
        ([(2.28, 0.2)], {"module": Sighted(label_smoothing=0.9)}),  # between the least, 2.266, and guessing
    ],
    ids=["few steps", "accurate", "better", "warm-up", "many classes", "smoothed"],
)
def test_a_beginning_is_no_fault(
    capsys: pytest.CaptureFixture[str], epochs: list[tuple[float, float]], settings: dict[str, Any]
) -> None:
    assert told(capsys, epochs, **settings) == []


def test_the_same_logits_for_every_picture_are_told_early(capsys: pytest.CaptureFixture[str]) -> None:
    blind = [(2.25, 0.1), (2.25, 0.1), (2.25, 0.1)]
    (line,) = told(capsys, blind, Sighted(blind=True), steps=3)
    assert line.startswith("warning: the network is dead: it gives every picture the same logits (epoch 2, ")
    assert "dead ReLUs" in line


@pytest.mark.parametrize(
    ("losses", "epoch"),
    [
        ([1.0, 0.5, 0.74, 0.76], 4),  # above 1.5 times the best
        ([1.0, 5.0], 2),
        ([4.0, 4.7], 2),  # above twice guessing, 4.605, but not 1.5 times the best
        ([0.01, 0.1, 0.2], None),  # small losses swing
        ([9.0, 8.0, 7.0], None),  # it gets better
    ],
)
def test_a_rising_loss_is_told(capsys: pytest.CaptureFixture[str], losses: list[float], epoch: int | None) -> None:
    lines = told(capsys, [(loss, 0.5) for loss in losses])
    assert len(lines) == (epoch is not None)
    if epoch:
        assert f"the training diverges: its best epoch's loss was {min(losses):.4g} (epoch {epoch}, " in lines[0]


def test_a_loss_beyond_any_beginning_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, [(9.9 * math.log(10), 0.5)] * 3) == []
    lines = told(capsys, [(1e4, 0.5), (9e3, 0.5), (8e3, 0.5)])
    assert len(lines) == 1 and "the training diverges: guessing has a loss of 2.303 (epoch 2, " in lines[0]


def test_mixed_labels_are_compared_above_their_least(capsys: pytest.CaptureFixture[str]) -> None:
    # a tenth of the pictures is mixed with its own class: 0.9 / 2 nats at least
    assert told(capsys, [(1.5, 0.6), (1.0, 0.7), (1.2, 0.7)], mix="mixup") == []
    assert told(capsys, [(1.5, 0.6), (1.0, 0.7), (1.2, 0.7)], mix="mixup", steps=3) == []
    assert len(told(capsys, [(1.5, 0.6), (0.9, 0.7), (1.3, 0.7)], mix="mixup")) == 1  # 0.45 + 1.5 * 0.45 = 1.125


def test_weights_that_stay_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = told(capsys, [(2.4, 0.1)] * 2, still=True, rates=[0.0, 0.0])
    assert "no weight has changed: the learning rate is 0 (epoch 1, " in line and "learning rate 0)" in line
    (line,) = told(capsys, [(2.4, 0.1)] * 2, still=True)
    assert "no gradient reaches them" in line
    # the first step of a warm-up from 0, in an epoch of one step
    assert told(capsys, [(2.4, 0.1)], still=True, rates=[0.0], next_rate=0.1, steps=1) == []
    # the last step of a schedule that ends at 0
    assert told(capsys, [(0.3, 0.9), (0.3, 0.9)], Sighted(), rates=[0.1, 0.0], steps=1) == []


def test_the_fingerprint_knows_each_bit() -> None:
    module = Sighted()
    before = fingerprint(module)
    weight = module.net[1].weight.data
    weight[3, 1] = torch.nextafter(weight[3, 1], torch.tensor(9.0))
    assert fingerprint(module) != before
    weight[3, 1] = torch.nextafter(weight[3, 1], torch.tensor(-9.0))
    assert fingerprint(module) == before


@pytest.mark.parametrize(("smoothing", "classes"), [(0.0, 10), (0.1, 10), (0.9, 3)])
def test_the_least_loss_of_smoothed_labels(smoothing: float, classes: int) -> None:
    labels = torch.full((classes,), smoothing / classes, dtype=torch.float64)
    labels[0] += 1 - smoothing
    assert label_entropy(classes, smoothing, "none", 1.0)[0] == pytest.approx(float(torch.special.entr(labels).sum()))


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_least_loss_of_mixed_labels(alpha: float) -> None:
    # the mean entropy of (share, 1 - share) with share from Beta(alpha, alpha) is digamma(2a + 1) - digamma(a + 1)
    two = torch.special.digamma(torch.tensor([2 * alpha + 1, alpha + 1]))
    expected = 0.9 * float(two[0] - two[1])
    mean, spread = label_entropy(10, 0.0, "mixup", alpha)
    assert mean == pytest.approx(expected, rel=0.05) and 0 < spread < math.log(2)


def test_it_can_be_switched_off(plcnn: Command) -> None:
    still = ["fit", *TINY, "--model.optimizer.lr", "0", "--trainer.max_epochs", "2"]
    assert "no weight has changed" in plcnn(*still).err
    assert plcnn(*still, "--health.enabled", "false").err == ""


def test_a_dead_network_is_told_by_a_run(plcnn: Command, registers: None) -> None:
    Path("dead_net.py").write_text(
        "import torch\nfrom plcnn import register\n\n@register\nclass DeadNet(torch.nn.Module):\n"
        "    def __init__(self, num_classes: int):\n        super().__init__()\n"
        "        self.hidden, self.dense = torch.nn.Linear(192, 8), torch.nn.Linear(8, num_classes)\n"
        "        torch.nn.init.constant_(self.hidden.bias, -100)\n"
        "    def forward(self, x):\n        return self.dense(self.hidden(x.flatten(1)).relu())\n"
    )
    outcome = plcnn("fit", *TINY, "--plugins", "dead_net.py", "--model.arch", "dead_net", "--trainer.max_epochs", "4")
    assert outcome.code == 0
    assert outcome.err.count("the network is dead") == 1 and len(outcome.err.splitlines()) == 1


def test_small_healthy_runs_are_left_alone(plcnn: Command) -> None:
    for more in (
        [],
        ["--data.mix", "mixup_or_cutmix", "--model.label_smoothing", "0.1"],
        ["--model.schedule", "cosine", "--model.schedule.warmup", "0.3", "--data.batch_size", "180"],
    ):
        outcome = plcnn("fit", *TINY, *more, "--trainer.max_epochs", "12", "--early_stopping.enabled", "false")
        assert outcome.code == 0 and outcome.err == "", outcome.err


def test_numpy_draws_are_those_of_a_fixed_seed() -> None:
    state = np.random.get_state()[1].tolist()  # noqa: NPY002  # what others draw from must not move
    label_entropy(10, 0.1, "cutmix", 0.5)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
