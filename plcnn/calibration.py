"""Temperature scaling: probabilities that say how often they are right.

Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599.
"""

import math

from torch import Tensor
from torch.nn import functional as F

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of a temperature; a network that makes no mistake would want 0."""

UNFITTED = 1.0
"""The temperature of a network that no validation pictures were there to fit one for."""

BINS = 15
"""Of the confidence, over which accuracy is compared with it."""

_STEPS = 60


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature that makes the cross-entropy of softmax(logits / temperature) least.

    Cross-entropy is convex in 1 / temperature, so bisection on its slope finds the one minimum.

    Args:
        logits: (pictures, classes).
        labels: int64 (pictures,).

    Returns:
        A number from `COLDEST` to `HOTTEST`; `UNFITTED` where there are no pictures.
    """
    if not len(labels) or not bool(logits.isfinite().all()):
        return UNFITTED
    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _slope(logits, labels, middle) > 0 else (middle, high)
        if high / low < 1 + 1e-6:
            break
    return 1 / math.sqrt(low * high)


def _slope(logits: Tensor, labels: Tensor, sharpness: float) -> float:
    """The derivative of the mean cross-entropy of softmax(sharpness * logits) by `sharpness`."""
    expected = ((logits * sharpness).softmax(1) * logits).sum(1)
    return float((expected - logits.gather(1, labels[:, None])[:, 0]).double().mean())


def probabilities(logits: Tensor, temperature: float) -> Tensor:
    """Softmax of logits at a temperature: float32 (pictures, classes)."""
    return F.softmax(logits.float() / temperature, dim=1)


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """The mean distance between confidence and accuracy over equal bins of the confidence, weighted by pictures.

    Args:
        probabilities: (pictures, classes).
        labels: int64 (pictures,).
        bins: number of bins.
    """
    from torchmetrics.functional.classification import multiclass_calibration_error

    error: Tensor = multiclass_calibration_error(probabilities, labels, probabilities.shape[1], n_bins=bins)
    return float(error)
