"""SE-ResNet: pytorchcv's count, and the logits of timm's with the same weights, stem and squeezed widths."""

import pytest
import torch
from torch import nn
from torchvision.ops import SqueezeExcitation
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn


def test_parameter_count_is_pytorchcvs_less_the_stems_difference():
    with torch.device("meta"):
        network = plcnn.build("se_resnet18", num_classes=1000)
    # pytorchcv's published list at 1000 classes; a 7x7 stem in place of 3x3.
    listed, stem = 11_778_592, 64 * 3 * (7 * 7 - 3 * 3)
    assert sum(parameter.numel() for parameter in network.parameters()) == listed - stem


@pytest.mark.parametrize("reduction", [16, 8])
def test_logits_equal_timms(reduction):
    """timm's network gets the stem for small pictures, and squeezed channels that are not rounded up to 8."""
    timm = pytest.importorskip("timm")
    reference = timm.create_model("seresnet18", num_classes=10)
    reference.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
    reference.maxpool = nn.Identity()
    for block in reference.modules():
        if hasattr(block, "se"):
            channels = block.se.fc1.in_channels
            block.se = timm.layers.SEModule(channels, rd_channels=channels // reduction)
    network = plcnn.build("se_resnet18", num_classes=10, reduction=reduction)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 16, 16))


def test_excitation_is_initialised_by_fan_out_without_bias():
    torch.manual_seed(0)
    network = plcnn.build("se_resnet18", num_classes=10)
    excitations = [module for module in network.modules() if isinstance(module, SqueezeExcitation)]
    assert len(excitations) == 8
    for excitation in excitations:
        for conv in (excitation.fc1, excitation.fc2):
            assert torch.count_nonzero(conv.bias) == 0
            assert conv.weight.std().item() == pytest.approx((2 / conv.out_channels) ** 0.5, rel=0.2)


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_an_eighth(in_channels, size):
    network = plcnn.build("se_resnet18", num_classes=7, in_channels=in_channels)
    last_features = []
    network.layer4.register_forward_hook(lambda module, inputs, output: last_features.append(output.shape))
    assert network(torch.rand(2, in_channels, size, size)).shape == (2, 7)
    assert last_features == [(2, 512, -(-size // 8), -(-size // 8))]


@pytest.mark.parametrize("reduction", [0, 65])
def test_a_reduction_that_leaves_no_channel_is_refused(reduction):
    with pytest.raises(ValueError, match=f"reduction: got {reduction}; allowed: 1 to 64.*reduction: 16"):
        plcnn.build("se_resnet18", num_classes=10, reduction=reduction)
