"""The quick dropout of CPUs: what it drops, how it scales, and that it is torch's elsewhere."""

import pytest
import torch

from plcnn.dropout import Dropout


@pytest.mark.parametrize("shape", [(7, 3, 5, 5), (64, 10), (33,)])
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_values_are_dropped_or_scaled_and_the_gradient_with_them(shape: tuple[int, ...], rate: float) -> None:
    x = torch.full(shape, 2.0, requires_grad=True)
    y = Dropout(rate).train()(x)
    y.sum().backward()
    kept = 2 / (1 - round(rate * 65536) / 65536)
    assert x.grad is not None
    assert y.unique().tolist() == pytest.approx([0.0, kept])
    torch.testing.assert_close(y, 2 * x.grad)


def test_the_share_dropped_is_the_rate_and_no_two_steps_are_alike() -> None:
    torch.manual_seed(0)
    layer, x, rate = Dropout(0.3).train(), torch.ones(1_000_000), 0.3
    first, second = layer(x), layer(x)
    deviation = (rate * (1 - rate) / len(x)) ** 0.5
    assert float((first == 0).float().mean()) == pytest.approx(rate, abs=5 * deviation)
    both = float(((first == 0) & (second == 0)).float().mean())
    assert both == pytest.approx(rate**2, abs=5 * deviation)
    neighbours = float(((first[1:] == 0) & (first[:-1] == 0)).float().mean())
    assert neighbours == pytest.approx(rate**2, abs=5 * deviation)


def test_the_seed_decides() -> None:
    layer, x = Dropout(0.5).train(), torch.ones(100)
    drawn = [layer(x) for seed in (1, 1, 2) if torch.manual_seed(seed)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_memory_format_and_dtype_stay() -> None:
    x = torch.rand(4, 8, 6, 6).contiguous(memory_format=torch.channels_last)
    assert Dropout(0.5).train()(x).is_contiguous(memory_format=torch.channels_last)
    assert Dropout(0.5).train()(x.bfloat16()).dtype == torch.bfloat16
    assert Dropout(0.5).train()(x[:, ::2, 1:]).shape == (4, 4, 5, 6)


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.5, False)])
def test_nothing_is_dropped_in_evaluation_or_at_rate_0(rate: float, training: bool) -> None:
    x = torch.rand(50)
    assert torch.equal(Dropout(rate).train(training)(x), x)


def test_rate_1_drops_all() -> None:
    assert not Dropout(1.0).train()(torch.ones(50)).any()
