"""The figures of a report, against formulas and cases by hand."""

from math import comb, sqrt
from pathlib import Path

import pytest
import torch

from plcnn.hashes import IN_A_STORE
from plcnn.outputs import Outputs
from plcnn.report.measures import Pair, calibration, class_scores, confused_pairs, wilson
from plcnn.report.pairs import mcnemar, paired, why_not_paired
from plcnn.results import Result

CLASSES = ["cat", "dog", "ship", "unicorn"]
TRUTH = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2])
SAID = torch.tensor([0, 0, 1, 2, 1, 0, 2, 2, 0])


def outputs(said: torch.Tensor, truth: torch.Tensor = TRUTH, classes: int = 4) -> Outputs:
    return Outputs(torch.nn.functional.one_hot(said, classes).float(), truth)


def result(said: torch.Tensor, **figures: object) -> Result:
    given = {"pictures_sha256": "p", "labels_sha256": "l", **figures}
    return Result(Path("test.json"), given, outputs(said), torch.arange(len(said)), {})


@pytest.mark.parametrize(("right", "pictures"), [(0, 7), (7, 7), (1888, 2000)])
def test_an_interval_is_wilsons(right: int, pictures: int) -> None:
    z, share = 1.959963984540054, right / pictures
    middle = (share + z**2 / (2 * pictures)) / (1 + z**2 / pictures)
    half = z / (1 + z**2 / pictures) * sqrt(share * (1 - share) / pictures + z**2 / (4 * pictures**2))
    assert wilson(right, pictures) == pytest.approx((max(0, middle - half), min(1, middle + half)), abs=1e-12)


def test_each_class_has_its_scores() -> None:
    cat, dog, ship, unicorn = class_scores(outputs(SAID), CLASSES)
    assert cat == ("cat", pytest.approx(2 / 4), pytest.approx(2 / 4), pytest.approx(1 / 2), 4)
    assert dog == ("dog", pytest.approx(1 / 2), pytest.approx(1 / 2), pytest.approx(1 / 2), 2)
    assert ship == ("ship", pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3), 3)
    assert unicorn == ("unicorn", None, None, None, 0)
    (_, never_said, *_) = class_scores(outputs(torch.zeros(2).long(), torch.tensor([0, 1]), 2), ["a", "b"])
    assert never_said == ("b", None, 0.0, 0.0, 1)


def test_pairs_are_the_greatest_counts_off_the_diagonal() -> None:
    counts = outputs(SAID).confusion
    assert counts.tolist() == [[2, 1, 1, 0], [1, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]
    mistaken = outputs(torch.tensor([1, 1, 0]), torch.tensor([0, 0, 1]), 2)
    assert mistaken.confusion.tolist() == [[0, 2], [1, 0]]
    counts[1, 0] = 3
    assert confused_pairs(counts, CLASSES, 2) == [Pair("dog", "cat", 3, 0.75), Pair("cat", "dog", 1, 0.25)]
    assert confused_pairs(torch.eye(4).long(), CLASSES) == []


def test_calibration_is_without_and_with_the_temperature() -> None:
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
    truth = torch.tensor([0, 0, 0, 1])
    sure = [1 / (1 + 2.718281828459045 ** (-2 / heat)) for heat in (1, 4)]
    found = calibration(Outputs(logits, truth), 4.0)
    assert found == pytest.approx((4, abs(sure[0] - 0.75), abs(sure[1] - 0.75)), abs=1e-6)


@pytest.mark.parametrize(("first", "second"), [(447, 461), (0, 3), (5, 0), (7, 7), (30, 12), (3000, 2600), (0, 0)])
def test_mcnemars_test_is_the_exact_binomial_one(first: int, second: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


def test_two_runs_are_compared_by_mcnemars_exact_test() -> None:
    truth = torch.zeros(40).long()
    one, other = truth.clone(), truth.clone()
    one[:12], other[10:13] = 1, 1  # 10 wrong for the first alone, 1 for the second alone, 2 for both
    first, second = (result(said)._replace(outputs=outputs(said, truth)) for said in (one, other))
    assert why_not_paired(first, second) == ""
    found = paired(first, second)
    assert found[:4] == (27, 1, 10, 2)
    assert found.difference == pytest.approx(9 / 40)
    assert found.p == pytest.approx(2 * (comb(11, 0) + comb(11, 1)) / 2**11)
    gained, lost = 11 / 42, 2 / 42
    half = 1.959963984540054 * sqrt((gained + lost - (gained - lost) ** 2) / 42)
    assert found.interval == pytest.approx((gained - lost - half, gained - lost + half))
    same = paired(first, first)
    assert (same.p, same.difference) == (1, 0) and same.interval.low < 0 < same.interval.high


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (None, "no result"),
        (result(SAID, pictures_sha256="other"), "same pictures"),
        (result(SAID, pictures_sha256=None), "same pictures"),
        (result(SAID, pictures_sha256=IN_A_STORE), "store"),
        (result(SAID, labels_sha256="other"), "other labels"),
        (result(SAID)._replace(outputs=None), "older version"),
        (result(SAID)._replace(path=Path("validate_2.json")), "validation"),
    ],
)
def test_results_of_other_pictures_are_not_compared(other: Result | None, reason: str) -> None:
    assert reason in why_not_paired(result(SAID), other)
    assert why_not_paired(other, result(SAID))


def test_pictures_in_a_store_are_the_same_by_their_names() -> None:
    one, other = (result(SAID, pictures_sha256=IN_A_STORE)._replace(names=[f"{n}.png" for n in range(9)]) for _ in "12")
    assert why_not_paired(one, other) == ""
    assert why_not_paired(one, other._replace(names=["x.png", *other.names[1:]])).startswith("They were not")
    assert why_not_paired(one, other._replace(names=None)).startswith("Their pictures lie in a store")
