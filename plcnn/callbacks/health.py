"""Trainings that learn nothing or get worse are told in words, once each; they go on."""

import math
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from plcnn.callbacks.history import history_of
from plcnn.data.batchwise.mixing import Mix
from plcnn.data.kept.stores import read_rows
from plcnn.processes import has_whole_weights
from plcnn.terminal import warn

LEAST_STEPS = 100
LEAST_PICTURES_A_CLASS = 100
"""How much must have been trained before a loss that is no better than guessing tells anything."""

FAR = 10
"""A loss so many times that of guessing is no beginning any more in the second epoch."""

PROBES = 16
"""Training pictures whose logits are compared."""

TRY = (
    "Try a smaller --model.optimizer.lr, a warm-up (--model.schedule.warmup 0.1), or --trainer.gradient_clip_val 1; "
    "for dead ReLUs an architecture with normalisation, or other initial weights."
)


class Health(Callback):
    """Warns of a training that changes no weight, has died, or diverges, at the end of the epoch that shows it.

    Dead: loss and accuracy are no better than guessing, or every picture gets the same logits. Diverging: the mean
    training loss is far above that of the best epoch, or above twice that of guessing. Losses are compared above the
    least that smoothed and mixed labels allow, and not before a warm-up's rate has risen to its full height.

    Args:
        enabled: whether to look.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._told: set[str] = set()
        self._weights: list[int] = []
        self._step = 0
        self._rate = self._highest = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the weights and the learning rate from which the training starts."""
        self._weights, self._step = fingerprint(pl_module), trainer.global_step
        self._rate = self._highest = _rate(trainer)
        data: Any = trainer.datamodule
        smoothing = getattr(pl_module, "label_smoothing", 0.0)
        self._floor, self._spread = label_entropy(len(data.classes), smoothing, data.mix, data.mix_alpha)
        labels = data.sets["train"][1]
        self._most_frequent = float(torch.bincount(labels, minlength=len(data.classes)).max()) / len(labels)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the epoch that just ended."""
        history = history_of(trainer)
        row, rate = history.rows[-1], history.rate
        weights, steps = fingerprint(pl_module), trainer.global_step - self._step
        still = weights == self._weights and steps > 0
        before, self._weights, self._step = self._rate, weights, trainer.global_step
        self._rate, rising = rate, rate > self._highest
        self._highest = max(self._highest, rate)
        if still and (rate > 0 or (before == 0 and _rate(trainer) == 0)):
            why = "the learning rate is 0" if rate == 0 else "no gradient reaches them, or the rate is too small"
            self._tell(trainer, "still", row, f"no weight has changed: {why}", "Look at --model.optimizer.lr.")
        elif "train/loss" in row and not still:
            self._look_at_losses(trainer, pl_module, row, steps, rising)

    def _look_at_losses(
        self, trainer: Trainer, pl_module: Any, row: dict[str, float], steps: int, rising: bool
    ) -> None:
        classes, loss = len(pl_module.classes), row["train/loss"]
        guess = math.log(classes)
        best = min((r["train/loss"] for r in history_of(trainer).rows[:-1] if "train/loss" in r), default=math.inf)
        chance = self._at_chance(trainer, row, steps)
        if self._diverges(loss, best, guess, steps):
            self._tell(trainer, "diverging", row, f"the training diverges: its best epoch's loss was {best:.4g}", TRY)
        elif row["epoch"] >= 2 and loss > FAR * guess:
            self._tell(trainer, "diverging", row, f"the training diverges: guessing has a loss of {guess:.4g}", TRY)
        elif chance and (row["epoch"] >= 2 or steps >= LEAST_STEPS) and _same_logits(trainer, pl_module):
            self._tell(trainer, "dead", row, "the network is dead: it gives every picture the same logits", TRY)
        elif chance and not rising and self._has_trained(trainer, classes) and loss >= self._hopeless(guess):
            words = f"the training is no better than guessing, whose loss is {guess:.4g}"
            self._tell(trainer, "dead", row, words, TRY)

    def _hopeless(self, guess: float) -> float:
        return self._floor + 0.995 * (guess - self._floor)

    def _diverges(self, loss: float, best: float, guess: float, steps: int) -> bool:
        noise = 4 * self._spread / math.sqrt(max(steps, 1))  # of the shares that are mixed
        above = loss > self._floor + 1.5 * max(best - self._floor, 0) and loss > best + 0.1 * guess + noise
        return math.isfinite(best) and (above or (loss > 2 * guess > best))

    def _at_chance(self, trainer: Trainer, row: dict[str, float], steps: int) -> bool:
        """Whether an epoch's accuracy is at most what always naming the most frequent class would have."""
        share = self._most_frequent
        pictures = max(steps * _pictures_a_step(trainer), 1)
        return row.get("train/acc", 1.0) <= share + 3 * math.sqrt(share * (1 - share) / pictures)

    def _has_trained(self, trainer: Trainer, classes: int) -> bool:
        steps = trainer.global_step
        return steps >= LEAST_STEPS and steps * _pictures_a_step(trainer) >= LEAST_PICTURES_A_CLASS * classes

    def _tell(self, trainer: Trainer, kind: str, row: dict[str, float], what: str, remedy: str) -> None:
        if kind in self._told:
            return
        self._told.add(kind)
        if trainer.is_global_zero:
            loss = f", training loss {row['train/loss']:.4g}" if "train/loss" in row else ""
            accuracy = f", accuracy {row['train/acc']:.4f}" if "train/acc" in row else ""
            numbers = f"epoch {int(row['epoch'])}{loss}{accuracy}, learning rate {row['lr']:g}"
            warn(f"{what} ({numbers}). {remedy}")


def _rate(trainer: Trainer) -> float:
    return float(trainer.optimizers[0].param_groups[0]["lr"])


def _pictures_a_step(trainer: Trainer) -> int:
    """Pictures of an optimizer step, over all devices."""
    return int(trainer.datamodule.batch_size * trainer.world_size * trainer.accumulate_grad_batches)


def fingerprint(module: torch.nn.Module) -> list[int]:
    """A number for each trainable parameter that changes with any of its bits."""
    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    sums = [
        parameter.detach().view(integers[parameter.element_size()]).sum(dtype=torch.int64)
        for parameter in module.parameters()
        if parameter.requires_grad and not parameter.is_complex()
    ]
    return torch.stack([value.to(sums[0].device) for value in sums]).tolist() if sums else []


def _same_logits(trainer: Trainer, classifier: Any) -> bool:
    """Whether some training pictures that differ all get the same logits; not known where weights are sharded."""
    if not has_whole_weights(trainer):
        return False
    images, _ = trainer.datamodule.sets["train"]
    rows = torch.linspace(0, len(images) - 1, min(PROBES, len(images))).long()
    chosen = read_rows(images, rows)
    if not bool((chosen != chosen[:1]).any()):
        return False
    was_training = classifier.net.training
    try:
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            # `forward` itself: a compiled network would be compiled anew for these few
            scaled = classifier._scaled(chosen.to(classifier.device))
            logits = classifier.net.eval().forward(scaled).float()
    finally:
        classifier.net.train(was_training)
    spread = float((logits.amax(0) - logits.amin(0)).max())
    return spread <= 1e-6 * max(1.0, float(logits.abs().max()))


def label_entropy(classes: int, smoothing: float, mix: Mix, alpha: float) -> tuple[float, float]:
    """The least mean cross-entropy that training labels allow, and its spread over batches.

    Args:
        classes: how many.
        smoothing: share of each label that is spread over all classes.
        mix: how pictures are mixed.
        alpha: of the Beta(alpha, alpha) distribution of the shares that are mixed.

    Returns:
        Mean and standard deviation, in nats; CutMix's, whose boxes are clipped, is at most so much.
    """
    draws = np.random.default_rng(0).beta(alpha, alpha, 4096) if mix != "none" else np.ones(1)
    other = smoothing / classes
    parts = [(1 - smoothing) * draws + other, (1 - smoothing) * (1 - draws) + other]
    mixed = sum(_entropy(part) for part in parts) + (classes - 2) * _entropy(np.array(other))
    alone = _entropy(np.array(1 - smoothing + other)) + (classes - 1) * _entropy(np.array(other))
    values = mixed if mix != "none" else np.array([alone])
    mean = float(values.mean())
    if mix != "none":  # a picture may be mixed with one of its own class
        mean = (1 - 1 / classes) * mean + float(alone) / classes
    return mean, float(values.std())


def _entropy(shares: np.ndarray) -> np.ndarray:
    result: np.ndarray = -shares * np.log(np.maximum(shares, 1e-300))
    return result
