"""The quick network: its size by formula, its logits by plain functions, what it refuses."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

import plcnn
from plcnn.architectures.quick_cnn import QuickCNN
from plcnn.errors import UserError


def test_it_has_the_size_of_its_widths() -> None:
    channels = (32, 32, 64, 64, 128, 128)
    whitening, mixing = 48 * 3 * 4 * 4, 48 * 32
    convolutions = sum(9 * a * b for a, b in pairwise(channels))
    norms = 2 * sum(channels)
    network = plcnn.build("quick_cnn")
    assert sum(p.numel() for p in network.parameters()) == whitening + mixing + convolutions + norms + 128 * 10
    frozen = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    assert frozen == 48 * 3 * 4 * 4 + sum(channels)


def test_logits_are_those_of_the_plain_functions() -> None:
    torch.manual_seed(0)
    network = QuickCNN(7, 3, 20, components=5, mixed=6, widths=((8, 9), (10,))).double().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.copy_(torch.rand_like(tensor) + 0.5)
    state, images = network.state_dict(), torch.rand(4, 3, 20, 20, dtype=torch.float64)

    def block(x: torch.Tensor, conv: int, norm: int, pool: bool = False) -> torch.Tensor:
        weight = state[f"layers.{conv}.weight"]
        x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        x = F.max_pool2d(x, 2) if pool else x
        mean, var, scale, bias = (
            state[f"layers.{norm}.{key}"].view(1, -1, 1, 1) for key in ("running_mean", "running_var", "weight", "bias")
        )
        return F.relu((x - mean) / (var + 1e-12).sqrt() * scale + bias)

    x = F.relu(F.conv2d(images, state["whiten.weight"], stride=2))
    assert x.shape == (4, 10, 9, 9)
    x = block(x, 1, 2)
    x = block(x, 4, 5)
    x = block(x, 7, 9, pool=True)
    x = block(x, 11, 12)
    assert x.shape == (4, 10, 4, 4)
    torch.testing.assert_close(network(images), x.amax((2, 3)) @ state["head.weight"].T / 10)


def test_the_filters_are_the_greatest_components_of_the_patches() -> None:
    torch.manual_seed(0)
    images = F.avg_pool2d(torch.randn(60, 3, 16, 16), 3, 1, 1)
    network = QuickCNN(10, 3, 16, components=6, widths=((8,),))
    network.init_from_images(images)
    patches = torch.stack(
        [images[:, :, y : y + 4, x : x + 4].flatten(1) for y in range(0, 13, 2) for x in range(0, 13, 2)], 1
    ).flatten(0, 1).double()  # fmt: skip
    eigenvalues = torch.linalg.eigvalsh(patches.T @ patches / len(patches)).flip(0)[:6]
    answers = F.conv2d(images, network.whiten.weight[:6], stride=2).double().transpose(0, 1).flatten(1)
    covariance = answers @ answers.T / answers.shape[1]
    torch.testing.assert_close(covariance, torch.diag(eigenvalues / (eigenvalues + 5e-4)), rtol=0, atol=1e-4)
    assert torch.equal(network.whiten.weight[6:], -network.whiten.weight[:6])


@pytest.mark.parametrize(
    ("key", "value"),
    [("widths", ((),)), ("widths", ((8, 0),)), ("components", 0), ("mixed", 0), ("norm_momentum", 0.0)],
)
def test_values_out_of_range_are_refused(key: str, value: object) -> None:
    with pytest.raises(UserError, match=key):
        plcnn.build("quick_cnn", **{key: value})


def test_a_picture_too_small_for_the_stages_is_refused() -> None:
    assert plcnn.build("quick_cnn", image_size=10)(torch.rand(2, 3, 10, 10)).shape == (2, 10)
    with pytest.raises(UserError, match="image_size: got 9; allowed: 10 pixels or more for 3 stages"):
        plcnn.build("quick_cnn", image_size=9)
