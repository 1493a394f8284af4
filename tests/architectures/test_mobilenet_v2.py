"""MobileNetV2: published counts, and the logits of timm's with the same weights and strides."""

import pytest
import torch
from torch import nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count_is_torchvisions():
    with torch.device("meta"):
        network = plcnn.build("mobilenet_v2", num_classes=1000)
    assert parameters(network) == 3_504_872  # torchvision's published num_params


@pytest.mark.parametrize(("width", "name"), [(0.5, "mobilenetv2_050"), (1.0, "mobilenetv2_100")])
def test_counts_and_logits_equal_timms(width, name):
    """timm's network gets the strides for small pictures: stem and second stage of stride 1."""
    timm = pytest.importorskip("timm")
    reference = timm.create_model(name, num_classes=10)
    reference.conv_stem.stride = (1, 1)
    reference.blocks[1][0].conv_dw.stride = (1, 1)
    network = plcnn.build("mobilenet_v2", num_classes=10, width=width, dropout=0.0)
    assert parameters(network) == parameters(reference)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 32, 32))


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_an_eighth(in_channels, size):
    network = plcnn.build("mobilenet_v2", num_classes=7, in_channels=in_channels, width=0.35)
    images = torch.rand(2, in_channels, size, size)
    assert network(images).shape == (2, 7)
    assert network.features(images).shape == (2, 1280, -(-size // 8), -(-size // 8))


def test_initialisation_is_he_normal_the_stem_included():
    torch.manual_seed(0)
    network = plcnn.build("mobilenet_v2", num_classes=1000)
    for convolution in (network.features[0][0], network.features[18][0]):
        fan_out = convolution.out_channels * convolution.weight[0, 0].numel()
        assert convolution.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.1)
    assert network.classifier[1].weight.std().item() == pytest.approx(0.01, rel=0.05)


def test_dropout_reaches_the_head():
    assert plcnn.build("mobilenet_v2", num_classes=7, width=0.35, dropout=0.6).classifier[0].p == 0.6


def test_a_width_of_zero_is_refused():
    with pytest.raises(ValueError, match=r"width: got 0.0; allowed: a number above 0. For example width: 1.0"):
        plcnn.build("mobilenet_v2", num_classes=7, width=0.0)
