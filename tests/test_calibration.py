import math

import pytest
import torch

from plcnn.calibration import COLDEST, HOTTEST, PRIOR, expected_calibration_error, fit_temperature, probabilities


@pytest.mark.parametrize(("logit", "right"), [(4.0, 0.75), (1.0, 0.9), (6.0, 0.6)])
def test_the_temperature_makes_confidence_equal_accuracy(logit: float, right: float) -> None:
    # two classes, always the same logits: softmax(logit / T) = right where T = logit / ln(right / (1 - right))
    logits, labels = _alike(logit, right, 100_000)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(logit / math.log(right / (1 - right)), rel=2e-3)
    shares = probabilities(logits, temperature)
    assert float(shares[0, 0]) == pytest.approx(right, abs=1e-3)
    assert expected_calibration_error(shares, labels) == pytest.approx(0, abs=1e-3)


def _alike(logit: float, right: float, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures that get the same logits, of which a share has the first of two classes."""
    labels = (torch.arange(count) >= round(right * count)).long()
    return torch.tensor([[logit, 0.0]]).repeat(count, 1), labels


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_few_pictures_move_the_temperature_little(count: int) -> None:
    # where the slope is 0, for such pictures: logit * (sigmoid(logit / T) - right) = PRIOR / count * (T - 1)
    logit, right = 6.0, 0.6
    temperature = fit_temperature(*_alike(logit, right, count))
    slope = logit * (1 / (1 + math.exp(-logit / temperature)) - right)
    assert slope == pytest.approx(PRIOR / count * (temperature - 1), abs=1e-5)
    assert 1 < temperature < logit / math.log(right / (1 - right))


def test_a_lucky_draw_of_pictures_does_not_make_the_network_sure() -> None:
    logits, labels = _alike(2.0, 1.0, 20)
    assert 0.5 < fit_temperature(logits, labels) < 1
    assert fit_temperature(logits, 1 - labels) < HOTTEST


def test_the_temperature_has_the_least_penalised_cross_entropy_of_all_on_a_grid() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(500, 7, generator=generator)
    labels = (logits / 2).softmax(1).multinomial(1, generator=generator)[:, 0]
    found = fit_temperature(logits, labels)
    grid = torch.linspace(0.5, 5, 901)
    prior = PRIOR / 500 * (1 / grid - 1 + grid.log())
    losses = torch.stack([torch.nn.functional.cross_entropy(logits / t, labels) for t in grid]) + prior
    assert found == pytest.approx(float(grid[losses.argmin()]), abs=0.006)


def test_the_temperature_stays_in_bounds() -> None:
    logits, labels = torch.tensor([[0.1, 0.0]]).repeat(100_000, 1), torch.zeros(100_000, dtype=torch.int64)
    assert fit_temperature(logits, labels) == pytest.approx(COLDEST, rel=1e-3)  # no mistake
    assert fit_temperature(100 * logits, 1 - labels) == pytest.approx(HOTTEST, rel=1e-3)  # nothing but mistakes


def test_without_pictures_or_with_values_that_are_no_numbers_there_is_nothing_to_fit() -> None:
    assert fit_temperature(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)) == 1
    assert fit_temperature(torch.tensor([[math.nan, 0.0]]), torch.tensor([0])) == 1


def test_calibration_error_of_one_confidence_is_its_distance_from_the_accuracy() -> None:
    shares = torch.tensor([[0.9, 0.1]]).repeat(10, 1)
    labels = torch.tensor([0] * 7 + [1] * 3)
    assert expected_calibration_error(shares, labels) == pytest.approx(0.2, abs=1e-6)
