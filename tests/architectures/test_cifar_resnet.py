"""ResNet for CIFAR: the paper's counts, and the logits of pytorchcv's with the same weights and shortcuts."""

import pytest
import torch
from torch import Tensor, nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn

# Millions of parameters in table 6 of the paper.
PAPER = {20: "0.27", 32: "0.46", 44: "0.66", 56: "0.85", 110: "1.7"}
# pytorchcv's published list, which has projections in two shortcuts: a 1x1 kernel and a batch norm.
LISTED = {20: 272_474, 56: 855_770, 110: 1_730_714}
PROJECTIONS = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)


class ZeroPadding(nn.Module):
    """Option A another way: an average over single pixels, and zeros as many as the input's channels."""

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.avg_pool2d(x, kernel_size=1, stride=2)
        return torch.cat([x, torch.zeros_like(x)], dim=1)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("depth", "millions"), PAPER.items())
def test_parameter_count_is_the_papers(depth, millions):
    with torch.device("meta"):
        network = plcnn.build(f"resnet{depth}", num_classes=10)
    decimals = len(millions.partition(".")[2])
    assert f"{count(network) / 1e6:.{decimals}f}" == millions


@pytest.mark.parametrize(("depth", "listed"), LISTED.items())
def test_parameter_count_is_pytorchcvs_less_the_projections(depth, listed):
    with torch.device("meta"):
        network = plcnn.build(f"resnet{depth}", num_classes=10)
    assert count(network) == listed - PROJECTIONS


@pytest.mark.parametrize("depth", PAPER)
def test_count_and_logits_equal_pytorchcvs(depth):
    """pytorchcv's network gets the shortcuts without parameters."""
    library = pytest.importorskip("pytorchcv.models.resnet_cifar")
    reference = library.get_resnet_cifar(num_classes=10, blocks=depth, bottleneck=False)
    for stage in (reference.features.stage2, reference.features.stage3):
        stage.unit1.identity_conv = ZeroPadding()
    network = plcnn.build(f"resnet{depth}", num_classes=10)
    assert count(network) == count(reference)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 32, 32))


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64), (4, 9)])
def test_pictures_of_other_sizes_end_at_a_quarter(in_channels, size):
    network = plcnn.build("resnet20", num_classes=7, in_channels=in_channels)
    images = torch.rand(2, in_channels, size, size)
    assert network(images).shape == (2, 7)
    assert network.stages(network.stem(images)).shape == (2, 64, -(-size // 4), -(-size // 4))


def test_initialisation_is_he_normal_by_fan_out():
    torch.manual_seed(0)
    network = plcnn.build("resnet20", num_classes=10)
    kernels = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(kernels) == 19
    for kernel in kernels:
        assert kernel.std().item() == pytest.approx((2 / (9 * len(kernel))) ** 0.5, rel=0.1)
    assert torch.count_nonzero(network.head.bias) == 0
