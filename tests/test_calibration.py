import math

import pytest
import torch

from plcnn.calibration import COLDEST, HOTTEST, expected_calibration_error, fit_temperature, probabilities


@pytest.mark.parametrize(("logit", "right"), [(4.0, 0.75), (1.0, 0.9), (6.0, 0.6)])
def test_the_temperature_makes_confidence_equal_accuracy(logit: float, right: float) -> None:
    # two classes, always the same logits: softmax(logit / T) = right where T = logit / ln(right / (1 - right))
    labels = torch.tensor([0] * round(right * 1000) + [1] * round((1 - right) * 1000))
    logits = torch.tensor([[logit, 0.0]]).repeat(1000, 1)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(logit / math.log(right / (1 - right)), rel=1e-4)
    shares = probabilities(logits, temperature)
    assert float(shares[0, 0]) == pytest.approx(right, abs=1e-4)
    assert expected_calibration_error(shares, labels) == pytest.approx(0, abs=1e-3)


def test_the_temperature_has_the_least_cross_entropy_of_all_on_a_grid() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(500, 7, generator=generator)
    labels = (logits / 2).softmax(1).multinomial(1, generator=generator)[:, 0]
    found = fit_temperature(logits, labels)
    grid = torch.linspace(0.5, 5, 901)
    losses = torch.stack([torch.nn.functional.cross_entropy(logits / t, labels) for t in grid])
    assert found == pytest.approx(float(grid[losses.argmin()]), abs=0.006)


def test_the_temperature_stays_in_bounds() -> None:
    logits = torch.tensor([[9.0, 0.0], [0.0, 9.0]])
    assert fit_temperature(logits, torch.tensor([0, 1])) == pytest.approx(COLDEST, rel=1e-3)  # no mistake
    assert fit_temperature(logits, torch.tensor([1, 0])) == pytest.approx(HOTTEST, rel=1e-3)  # nothing but mistakes


def test_without_pictures_or_with_values_that_are_no_numbers_there_is_nothing_to_fit() -> None:
    assert fit_temperature(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)) == 1
    assert fit_temperature(torch.tensor([[math.nan, 0.0]]), torch.tensor([0])) == 1


def test_calibration_error_of_one_confidence_is_its_distance_from_the_accuracy() -> None:
    shares = torch.tensor([[0.9, 0.1]]).repeat(10, 1)
    labels = torch.tensor([0] * 7 + [1] * 3)
    assert expected_calibration_error(shares, labels) == pytest.approx(0.2, abs=1e-6)
