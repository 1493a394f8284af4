"""The reliability diagram: how often a network is right where it says how sure it is.

Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599.
"""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from plcnn.calibration import BINS
from plcnn.figures.style import MUTED, SERIES, look, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Bins(NamedTuple):
    """Pictures in equal bins of the confidence; bins without a picture are left out.

    Attributes:
        confidence: mean of the greatest probabilities, float64 (bins,).
        accuracy: share of the hits, float64 (bins,).
        counts: pictures, int64 (bins,).
    """

    confidence: Tensor
    accuracy: Tensor
    counts: Tensor


def binned(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> Bins:
    """Confidence and accuracy over equal bins of the confidence.

    Args:
        probabilities: (pictures, classes).
        labels: int64 (pictures,).
        bins: number of bins.
    """
    confidence, predicted = probabilities.max(1)
    place = (confidence * bins).long().clamp(0, bins - 1)
    counts = torch.bincount(place, minlength=bins)
    sums = torch.zeros(2, bins, dtype=torch.double, device=counts.device)
    sums[0].index_add_(0, place, confidence.double())
    sums[1].index_add_(0, place, (predicted == labels).double())
    held = counts > 0
    confidences, hits = sums[:, held] / counts[held]
    return Bins(confidences, hits, counts[held])


def reliability(
    probabilities: Tensor, labels: Tensor, uncalibrated: Tensor | None = None, bins: int = BINS
) -> "Figure":
    """Accuracy by confidence; a dot's area grows with its pictures.

    Args:
        probabilities: (pictures, classes), as they are given out.
        labels: int64 (pictures,).
        uncalibrated: the same without the temperature; none for one line alone.
        bins: number of bins.
    """
    with look():
        figure, axes = panel(3.9)
        axes.plot((0, 1), (0, 1), ":", color=MUTED, label="as sure as right")
        series = [("without temperature", uncalibrated, SERIES[1])] if uncalibrated is not None else []
        for name, shares, colour in [*series, ("with temperature" if series else "network", probabilities, SERIES[0])]:
            found = Bins(*(values.cpu() for values in binned(shares, labels, bins)))
            axes.plot(found.confidence, found.accuracy, color=colour, label=name)
            sizes = 8 + 150 * found.counts / max(len(labels), 1)
            axes.scatter(found.confidence, found.accuracy, s=sizes, color=colour, alpha=0.8)  # type: ignore[arg-type]
        axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
        axes.grid(True)
        axes.legend(fontsize=8, loc="upper left")  # curves of networks lie below the diagonal, mostly
        return figure
