"""What a network's answers to a set of pictures say of it: the figures of a report."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

from torch import Tensor

from plcnn.calibration import expected_calibration_error, probabilities
from plcnn.outputs import Outputs

LEVEL = 0.95
"""Confidence level of every interval."""

QUANTILE = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard deviations on either side of the mean that hold `LEVEL` of a normal distribution."""

MOST_PAIRS = 12
"""How many pairs of confused classes are named."""


class Interval(NamedTuple):
    """A confidence interval.

    Attributes:
        low: its lower end.
        high: its upper end.
    """

    low: float
    high: float


class ClassScore(NamedTuple):
    """How one class fares; a share of nothing is none.

    Attributes:
        name: the class.
        precision: share of hits among what is taken for it.
        recall: share of hits among its pictures.
        f1: the harmonic mean of both.
        support: its pictures.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Pair(NamedTuple):
    """A class that is taken for another.

    Attributes:
        truth: the pictures' class.
        predicted: what they are taken for.
        pictures: how many.
        share: of the pictures of the true class.
    """

    truth: str
    predicted: str
    pictures: int
    share: float


class Calibration(NamedTuple):
    """How far confidence and accuracy lie apart.

    Attributes:
        temperature: fitted on the validation pictures.
        before: expected calibration error without the temperature.
        after: and with it.
    """

    temperature: float
    before: float
    after: float


def wilson(right: int, pictures: int) -> Interval:
    """Wilson's interval of a share.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.

    Args:
        right: hits.
        pictures: all, 1 or more.
    """
    middle = (right + QUANTILE**2 / 2) / (pictures + QUANTILE**2)
    spread = right * (pictures - right) / pictures + QUANTILE**2 / 4
    half = QUANTILE * spread**0.5 / (pictures + QUANTILE**2)
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


def class_scores(outputs: Outputs, classes: Sequence[str]) -> list[ClassScore]:
    """Precision, recall, F1 and support of each class.

    Args:
        outputs: of a set of pictures.
        classes: their names.
    """
    from torchmetrics.functional.classification import (
        multiclass_f1_score,
        multiclass_precision,
        multiclass_recall,
        multiclass_stat_scores,
    )

    given: dict[str, Any] = {"num_classes": len(classes), "average": "none"}
    predicted, labels = outputs.logits.argmax(1), outputs.labels
    found: list[list[float]] = [
        score(predicted, labels, **given).tolist()
        for score in (multiclass_precision, multiclass_recall, multiclass_f1_score)
    ]
    scores = []
    counts = multiclass_stat_scores(predicted, labels, **given).tolist()
    for name, precision, recall, f1, (true, false, _, _, support) in zip(classes, *found, counts, strict=True):
        taken, any_of_it = true + false, true + false + support
        scores.append(
            ClassScore(
                name,
                precision if taken else None,
                recall if support else None,
                f1 if any_of_it else None,
                int(support),
            )
        )
    return scores


def confused_pairs(counts: Tensor, classes: Sequence[str], most: int = MOST_PAIRS) -> list[Pair]:
    """The classes that are most often taken for another.

    Args:
        counts: (classes, classes), as `Outputs.confusion` gives them.
        classes: their names.
        most: how many pairs.
    """
    support, number = counts.sum(1).tolist(), len(classes)
    mistakes = counts.clone().fill_diagonal_(0).flatten()
    order = mistakes.argsort(descending=True, stable=True)[:most].tolist()
    found = [(place // number, place % number, int(mistakes[place])) for place in order if mistakes[place]]
    return [Pair(classes[row], classes[column], n, n / support[row]) for row, column, n in found]


def calibration(outputs: Outputs, temperature: float) -> Calibration:
    """The expected calibration error without and with a temperature.

    Args:
        outputs: of a set of pictures on which the temperature was not fitted.
        temperature: the network's.
    """
    before, after = (
        expected_calibration_error(probabilities(outputs.logits, heat), outputs.labels) for heat in (1.0, temperature)
    )
    return Calibration(temperature, before, after)
