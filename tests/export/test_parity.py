"""The comparison with the checkpoint, on scripted answers."""

import pytest
import torch
from torch import Tensor

from plcnn.classifier import Classifier
from plcnn.errors import UserError
from plcnn.export.parity import LIMITS, Parity, compare, refuse_worse
from plcnn.inference import predict_probabilities


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(["a", "b"], (1, 8, 8), "linear").eval()


def images(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_counts_are_over_all_pictures_in_batches_of_every_kind(classifier: Classifier) -> None:
    given = images(300)
    labels = predict_probabilities(classifier, given).argmax(1)
    labels[:30] = 1 - labels[:30]  # the checkpoint is right on 270 of 300
    batches: list[int] = []

    def run(batch: Tensor) -> tuple[Tensor, Tensor]:
        shares = predict_probabilities(classifier, batch)
        if not batches:  # the first picture is answered the other way, so rightly
            shares = shares.flip(1)
        batches.append(len(batch))
        return shares, shares

    found = compare(classifier, run, given, labels)
    assert batches == [1, 2, 7, 256, 34]
    first = predict_probabilities(classifier, given[:1])[0]
    expected = Parity(300, 299 / 300, float((first[0] - first[1]).abs()), 270 / 300, 271 / 300)
    assert found == pytest.approx(expected)
    assert found.loss == pytest.approx(-100 / 300)


@pytest.mark.parametrize("wrong", [torch.full((1, 2), torch.nan), torch.zeros(1, 3)])
def test_what_are_no_probabilities_is_refused(classifier: Classifier, wrong: Tensor) -> None:
    with pytest.raises(UserError, match="no numbers|of shape \\(1, 3\\)"):
        compare(classifier, lambda batch: (wrong, wrong), images(1), torch.zeros(1))


@pytest.mark.parametrize("precision", LIMITS)
def test_each_limit_refuses_what_is_beyond_it(precision: str) -> None:
    limits = LIMITS[precision]
    at = Parity(1000, limits.agreement, limits.difference, 0.8, 0.8 - limits.loss / 100 + 1e-9)
    refuse_worse(at, precision, None)
    with pytest.raises(UserError, match=f"points less; allowed: {limits.loss:g}"):
        refuse_worse(at._replace(acc=0.8 - limits.loss / 100 - 0.001), precision, None)
    with pytest.raises(UserError, match="it agrees on"):
        refuse_worse(at._replace(agreement=limits.agreement - 0.001), precision, None)
    if limits.difference < 1:
        with pytest.raises(UserError, match="a probability differs by"):
            refuse_worse(at._replace(difference=limits.difference * 1.01), precision, None)


def test_more_loss_can_be_allowed_but_not_a_wrong_file() -> None:
    worse = Parity(1000, 0.5, 0.9, 0.8, 0.75)
    refuse_worse(worse, "int8", 6)
    with pytest.raises(UserError, match=r"5\.00 points less; allowed: 4"):
        refuse_worse(worse, "int8", 4)
    with pytest.raises(UserError, match="a probability differs by 0.9; allowed: 0.001"):
        refuse_worse(worse, "fp32", 6)
