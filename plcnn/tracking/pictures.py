"""The pictures of a run that its trackers show: what it trains on, what it confuses, where it errs."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.nn.functional import one_hot

from plcnn.calibration import probabilities
from plcnn.classifier import Classifier
from plcnn.data.kept.stores import read_rows
from plcnn.examples import examples
from plcnn.outputs import Outputs
from plcnn.tracking.loggers import log_picture, writers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MISTAKES = 16
"""How many of the most confident mistakes are shown."""

MOST_CURVES = 20
"""With more classes, one precision-recall curve stands for all of them."""

DPI = 120
"""Of figures."""

LEAST_SIDE = 512
"""Pixels along a grid of small pictures, which are enlarged so far."""


def training_grid(trainer: Trainer, count: int) -> np.ndarray:
    """The first training pictures as the network gets them, tiled: uint8 (height, width, 3)."""
    from torchvision.utils import make_grid

    # neither workers nor another copy of the pictures for one batch
    images = next(iter(trainer.datamodule.train_dataloader(place="host"))).images[:count].cpu()
    images = images if images.dtype == torch.uint8 else images.mul(255).round().clamp(0, 255).to(torch.uint8)
    columns = max(1, int(len(images) ** 0.5))
    return _as_picture(make_grid(_enlarged(images, columns), nrow=columns, padding=2))


def _enlarged(images: Tensor, columns: int) -> Tensor:
    """Small pictures with every pixel as a square of several, so that a row of them has `LEAST_SIDE` pixels."""
    factor = max(1, LEAST_SIDE // (columns * images.shape[-1]))
    return images.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def _as_picture(image: Tensor) -> np.ndarray:
    """(channels, height, width), uint8, as (height, width, 3)."""
    three = image[:3] if len(image) >= 3 else image[:1].expand(3, -1, -1)
    picture: np.ndarray = three.permute(1, 2, 0).contiguous().numpy()
    return picture


def log_outputs(trainer: Trainer, stage: str, outputs: Outputs, epoch: int, step: int) -> None:
    """Draw what a network answered to a set, for the loggers that show pictures; TensorBoard gets curves, too.

    Args:
        trainer: its loggers get it, on rank zero.
        stage: "val" or "test", the set of the trainer's data.
        outputs: of that set.
        epoch: the epoch, from 1.
        step: the optimizer step at its end.
    """
    from plcnn import figures

    outputs = Outputs(*(tensor.cpu() for tensor in outputs))
    classifier, (logits, labels) = trainer.lightning_module, outputs
    assert isinstance(classifier, Classifier)
    if not bool(logits.isfinite().all()):
        return  # the training or the test says so itself
    shares = probabilities(logits, classifier.temperature)
    drawn = {
        "confusion matrix": figures.confusion(outputs.confusion, classifier.classes),
        "calibration": figures.reliability(shares, labels, logits.softmax(1)),
    }
    mistakes = examples(outputs, MISTAKES)["mistakes"]
    if len(mistakes):
        titles = _titles(classifier.classes, shares[mistakes], labels[mistakes])
        drawn["mistakes"] = figures.pictures(read_rows(trainer.datamodule.sets[stage][0], mistakes), titles, columns=4)
    for name, figure in drawn.items():
        log_picture(trainer, f"{stage}/{name}", _rendered(figure), epoch, step)
    for writer in writers(trainer):
        for name, (truth, share) in _curves(classifier.classes, labels, shares).items():
            writer.add_pr_curve(f"{stage} precision-recall/{name}", truth, share, epoch)


def _titles(classes: list[str], shares: Tensor, labels: Tensor) -> list[str]:
    """What each picture is, and what it was taken for, with the probability."""
    surest = zip(*shares.max(1), labels.tolist(), strict=True)
    return [f"{classes[truth]}\n→ {classes[int(taken)]} {float(share):.0%}" for share, taken, truth in surest]


def _rendered(figure: "Figure") -> np.ndarray:
    """A figure's pixels on white, uint8 (height, width, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from plcnn.figures.style import look

    figure.set_facecolor("white")
    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)
    with look():
        canvas.draw()
    pixels: np.ndarray = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return pixels


def _curves(classes: list[str], labels: Tensor, shares: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Whether each picture is of a class, and its probability, for each class that there is; for all, of many."""
    hits = one_hot(labels, len(classes)).bool()
    if len(classes) > MOST_CURVES:
        return {"all classes": (hits.flatten(), shares.flatten())}
    return {classes[c]: (hits[:, c], shares[:, c]) for c in hits.any(0).nonzero()[:, 0].tolist()}
