"""ShuffleNetV2: published counts, and the logits of pytorchcv's with the same weights and stem."""

import pytest
import torch
from torch import nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn


# torchvision's published num_params at 1000 classes; pytorchcv lists the same for 0.5 and 1.0.
@pytest.mark.parametrize(
    ("width", "published"), [(0.5, 1_366_792), (1.0, 2_278_604), (1.5, 3_503_624), (2.0, 7_393_996)]
)
def test_parameter_count_is_torchvisions(width, published):
    with torch.device("meta"):
        network = plcnn.build("shufflenet_v2", num_classes=1000, width=width)
    assert sum(p.numel() for p in network.parameters()) == published


@pytest.mark.parametrize(("width", "name"), [(0.5, "shufflenetv2_wd2"), (1.0, "shufflenetv2_w1")])
def test_logits_equal_pytorchcvs(width, name):
    """pytorchcv's network gets a stem of stride 1 without max-pool, and a mean over 4x4 in place of 7x7.

    Its downsampling units list the branch of three convolutions first, ours the other one.
    """
    model_provider = pytest.importorskip("pytorchcv.model_provider")
    reference = model_provider.get_model(name, num_classes=10)
    reference.features.init_block.conv.conv.stride = (1, 1)
    reference.features.init_block.pool = nn.Identity()
    reference.features.final_pool = nn.AdaptiveAvgPool2d(1)
    for unit in reference.modules():
        if getattr(unit, "downsample", False):
            for layer in ("compress_conv1", "compress_bn1", "dw_conv2", "dw_bn2", "expand_conv3", "expand_bn3"):
                unit.register_module(layer, unit._modules.pop(layer))
    network = plcnn.build("shufflenet_v2", num_classes=10, width=width)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 32, 32))


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_an_eighth(in_channels, size):
    network = plcnn.build("shufflenet_v2", num_classes=7, in_channels=in_channels, width=0.5)
    last_maps = []
    network.conv5.register_forward_hook(lambda module, given, maps: last_maps.append(maps.shape))
    assert network(torch.rand(2, in_channels, size, size)).shape == (2, 7)
    assert last_maps == [(2, 1024, -(-size // 8), -(-size // 8))]


def test_a_width_that_was_not_published_is_refused():
    with pytest.raises(ValueError, match=r"width: got 0.75; allowed: 0.5 or 1.0 or 1.5 or 2.0. For example width: 1.0"):
        plcnn.build("shufflenet_v2", num_classes=7, width=0.75)
