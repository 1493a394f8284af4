"""Every registered architecture, whatever its name: builds, maps shapes, is finite, trains every parameter."""

import pytest
import torch

import plcnn


def test_there_are_architectures() -> None:
    assert {"keras_cnn", "linear"} <= set(plcnn.names())


@pytest.mark.parametrize("name", plcnn.names())
@pytest.mark.parametrize(("num_classes", "in_channels"), [(10, 3), (7, 1)])
def test_it_maps_pictures_to_finite_logits_and_trains_every_parameter(
    name: str, num_classes: int, in_channels: int
) -> None:
    torch.manual_seed(0)
    network = plcnn.build(name, num_classes=num_classes, in_channels=in_channels, image_size=32)
    logits = network(torch.rand(4, in_channels, 32, 32))
    assert logits.shape == (4, num_classes) and torch.isfinite(logits).all()
    torch.nn.functional.cross_entropy(logits, torch.arange(4) % num_classes).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key
    assert any(float(p.grad.abs().sum()) > 0 for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", plcnn.names())
def test_its_arguments_are_documented(name: str) -> None:
    from plcnn.architectures import architectures

    choice = architectures[name]
    assert choice.__doc__ and all(f"{key}:" in choice.__doc__ for key in choice.signature.parameters)
