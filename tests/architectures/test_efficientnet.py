"""EfficientNet-B0: published count, and the logits of timm's with the same weights and strides."""

import pytest
import torch
from torchvision.ops import StochasticDepth
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn


def test_parameter_count_is_torchvisions():
    with torch.device("meta"):
        network = plcnn.build("efficientnet_b0", num_classes=1000)
    # torchvision's published num_params, and pytorchcv's list; Tan & Le, table 2: 5.3 M
    assert sum(p.numel() for p in network.parameters()) == 5_288_548


def test_logits_equal_timms():
    """timm's network gets the strides for small pictures: stem and second stage of stride 1."""
    timm = pytest.importorskip("timm")
    reference = timm.create_model("efficientnet_b0", num_classes=10)
    reference.conv_stem.stride = (1, 1)
    reference.blocks[1][0].conv_dw.stride = (1, 1)
    network = plcnn.build("efficientnet_b0", num_classes=10, dropout=0.0, drop_path=0.0)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 32, 32))


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_an_eighth(in_channels, size):
    network = plcnn.build("efficientnet_b0", num_classes=7, in_channels=in_channels)
    images = torch.rand(2, in_channels, size, size)
    assert network(images).shape == (2, 7)
    assert network.features(images).shape == (2, 1280, -(-size // 8), -(-size // 8))


def test_initialisation_is_normal_with_two_over_fan_out_the_stem_included():
    torch.manual_seed(0)
    network = plcnn.build("efficientnet_b0", num_classes=1000)
    for convolution in (network.features[0][0], network.features[8][0]):
        fan_out = convolution.out_channels * convolution.weight[0, 0].numel()
        assert convolution.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.1)


def test_dropout_reaches_the_head_and_drop_path_rises_to_its_rate_over_16_blocks():
    network = plcnn.build("efficientnet_b0", num_classes=7, dropout=0.6, drop_path=0.32)
    assert network.classifier[0].p == 0.6
    rates = [module.p for module in network.modules() if isinstance(module, StochasticDepth)]
    assert rates == pytest.approx([0.02 * block for block in range(16)])


def test_a_drop_path_of_one_is_refused():
    with pytest.raises(ValueError, match=r"drop_path: got 1.0; allowed: a rate from 0 up to, not including, 1"):
        plcnn.build("efficientnet_b0", num_classes=7, drop_path=1.0)
