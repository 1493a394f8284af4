"""Two runs on the same pictures: whether their accuracies differ by more than chance."""

from typing import NamedTuple

from plcnn.hashes import IN_A_STORE
from plcnn.report.measures import QUANTILE, Interval
from plcnn.results import Result


class Paired(NamedTuple):
    """What two networks make of the same pictures.

    Attributes:
        both: pictures that both have right.
        first: that the first alone has right.
        second: that the second alone has right.
        none: that neither has right.
        difference: accuracy of the second less that of the first.
        interval: of the difference.
        p: of McNemar's exact test, two-sided.
    """

    both: int
    first: int
    second: int
    none: int
    difference: float
    interval: Interval
    p: float


def why_not_paired(one: Result | None, other: Result | None) -> str:
    """Why two results cannot be compared picture by picture, in a sentence; empty where they can."""
    if one is None or other is None:
        return "One of them has no result."
    if one.command != other.command:
        return "One was measured on the test pictures, the other on validation pictures."
    if one.outputs is None or other.outputs is None:
        return "One result is of an older version, without the answers to each picture."
    hashes = [result.figures.get("pictures_sha256") for result in (one, other)]
    if IN_A_STORE in hashes and (one.names is None or other.names is None):
        return "Their pictures lie in a store, so whether they are the same is not known."
    same = one.names == other.names if IN_A_STORE in hashes else hashes[0] is not None and hashes[0] == hashes[1]
    if not same or len(one.outputs.labels) != len(other.outputs.labels):
        return "They were not measured on the same pictures."
    labels = [result.figures.get("labels_sha256") for result in (one, other)]
    if labels[0] is None or labels[0] != labels[1]:
        return "The same pictures had other labels."
    return "" if len(one.outputs.labels) else "There are no pictures."


def paired(one: Result, other: Result) -> Paired:
    """Compare two results on the same pictures.

    The test is McNemar's, exact: of the pictures that one network alone has right, half would be each one's by chance.
    The interval is the adjusted Wald interval of Bonett and Price, "Adjusted Wald Confidence Interval for a Difference
    of Binomial Proportions Based on Paired Data", 2012.

    Args:
        one: a result for which `why_not_paired` has nothing to say.
        other: the other.
    """
    assert one.outputs is not None and other.outputs is not None
    right, also = one.outputs.right, other.outputs.right
    both, first, second = (int(found.sum()) for found in (right & also, right & ~also, ~right & also))
    number = len(right)
    gained, lost = (second + 1) / (number + 2), (first + 1) / (number + 2)
    middle = gained - lost
    half = QUANTILE * ((gained + lost - middle**2) / (number + 2)) ** 0.5
    interval = Interval(max(middle - half, -1.0), min(middle + half, 1.0))
    none, difference = number - both - first - second, (second - first) / number
    return Paired(both, first, second, none, difference, interval, mcnemar(first, second))


def mcnemar(first: int, second: int) -> float:
    """The probability that chance alone divides as unevenly what one of two networks has right; exact, two-sided.

    scipy has it too (`binomtest`), but where scipy is installed torchmetrics imports a part of it that takes a second
    of every command's start.

    Args:
        first: pictures that the first network alone has right.
        second: that the second alone has right.
    """
    number, term, ways = first + second, 1, 0
    for k in range(min(first, second) + 1):
        ways += term  # the binomial coefficients of `number` over 0, 1, 2 ...
        term = term * (number - k) // (k + 1)
    return min(1.0, float(2 * ways / 2**number))
