"""Whether an exported network answers as its checkpoint does: counted over a whole set of pictures."""

from typing import NamedTuple

import torch
from torch import Tensor

from plcnn.classifier import Classifier
from plcnn.data.kept.stores import Pictures
from plcnn.errors import UserError
from plcnn.export.artifact import Run
from plcnn.inference import predict_probabilities

FIRST_BATCHES = (1, 2, 7)
"""Sizes of the first batches, so that each export is tried with small and odd ones."""

BATCH = 256


class Limits(NamedTuple):
    """What an export may differ by.

    Attributes:
        loss: points of accuracy that it may lose.
        agreement: the least share of pictures, 0 to 1, to which it gives the same class.
        difference: the greatest difference of a probability.
    """

    loss: float
    agreement: float
    difference: float


LIMITS = {
    "fp32": Limits(loss=0.05, agreement=0.999, difference=0.001),
    "fp16": Limits(loss=0.2, agreement=0.99, difference=0.1),
    "bf16": Limits(loss=1.0, agreement=0.97, difference=1.0),
    "int8": Limits(loss=1.0, agreement=0.9, difference=1.0),
}
"""The limits of each precision."""


class Parity(NamedTuple):
    """How an export compares with its checkpoint.

    Attributes:
        pictures: how many were compared.
        agreement: share of them, 0 to 1, to which both give the same class.
        difference: the greatest difference of a probability.
        checkpoint_acc: the checkpoint's accuracy, 0 to 1.
        acc: the export's.
    """

    pictures: int
    agreement: float
    difference: float
    checkpoint_acc: float
    acc: float

    @property
    def loss(self) -> float:
        """Points of accuracy lost; negative where the export is better."""
        return 100 * (self.checkpoint_acc - self.acc)


def compare(classifier: Classifier, run: Run, images: Pictures, labels: Tensor) -> Parity:
    """Ask the checkpoint and the export for the same pictures.

    Args:
        classifier: the checkpoint's, on the CPU.
        run: the export.
        images: at least one picture.
        labels: int64 (pictures,).

    Raises:
        UserError: if the export gives what are no probabilities.
    """
    same = right = checkpoint_right = start = 0
    difference = 0.0
    sizes = iter(FIRST_BATCHES)
    while start < len(labels):
        stop = start + next(sizes, BATCH)
        batch, truth = images[start:stop], labels[start:stop]
        expected, (found, _) = predict_probabilities(classifier, batch), run(batch)
        if found.shape != expected.shape or not bool(found.isfinite().all()):
            raise UserError(f"export: the exported network gave {_what(found)}; no file was written.")
        same += int((found.argmax(1) == expected.argmax(1)).sum())
        right += int((found.argmax(1) == truth).sum())
        checkpoint_right += int((expected.argmax(1) == truth).sum())
        difference = max(difference, float((found - expected).abs().max()))
        start = stop
    count = len(labels)
    return Parity(count, same / count, difference, checkpoint_right / count, right / count)


def _what(found: Tensor) -> str:
    if not bool(torch.isfinite(found).all()):
        return "probabilities that are infinite or no numbers"
    return f"probabilities of shape {tuple(found.shape)}"


def refuse_worse(parity: Parity, precision: str, max_loss: float | None) -> None:
    """Refuse an export that differs by more than its precision allows.

    Args:
        parity: as measured.
        precision: whose limits count.
        max_loss: points of accuracy that may be lost; the precision's if left out. With it, the share of equal classes
            and the probabilities may differ, too, except in fp32, where only a mistake can make them.

    Raises:
        UserError: naming what was measured and what is allowed.
    """
    limits = LIMITS[precision]
    if max_loss is not None:
        limits = limits._replace(loss=max_loss)
        limits = limits if precision == "fp32" else limits._replace(agreement=0.0, difference=1.0)
    faults = []
    if parity.loss > limits.loss:
        faults.append(
            f"its accuracy is {parity.acc:.4f} and the checkpoint's {parity.checkpoint_acc:.4f}, "
            f"{parity.loss:.2f} points less; allowed: {limits.loss:g}"
        )
    if parity.agreement < limits.agreement:
        faults.append(f"it agrees on {parity.agreement:.2%} of the pictures; needed: {limits.agreement:.1%}")
    if parity.difference > limits.difference:
        faults.append(f"a probability differs by {parity.difference:.2g}; allowed: {limits.difference:g}")
    if faults:
        way_out = "" if precision == "fp32" else " --max_loss POINTS allows more; --precision fp32 loses nothing."
        raise UserError(f"export: the {precision} export was refused: {'; '.join(faults)}.{way_out}")
