"""Pre-activation ResNet: pytorchcv's count, and its logits with the same weights, stem and first shortcut."""

import pytest
import torch
from torch import nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn


def test_parameter_count_is_pytorchcvs_less_the_stems_difference():
    with torch.device("meta"):
        network = plcnn.build("preact_resnet18", num_classes=1000)
    # pytorchcv's published list at 1000 classes; its stem has a 7x7 kernel in place of 3x3 and a batch norm.
    listed, kernel, norm = 11_687_848, 64 * 3 * (7 * 7 - 3 * 3), 2 * 64
    assert sum(parameter.numel() for parameter in network.parameters()) == listed - kernel - norm


def test_logits_equal_pytorchcvs():
    """pytorchcv's network gets the stem for small pictures, and the paper's shortcut after it: the activated input."""
    library = pytest.importorskip("pytorchcv.models.preresnet")
    reference = library.preresnet18(num_classes=10)
    reference.features.init_block = nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
    first = reference.features.stage1.unit1
    first.resize_identity, first.identity_conv = True, nn.Identity()
    reference.features.final_pool = nn.AdaptiveAvgPool2d(1)
    network = plcnn.build("preact_resnet18", num_classes=10)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 16, 16))


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_an_eighth(in_channels, size):
    network = plcnn.build("preact_resnet18", num_classes=7, in_channels=in_channels)
    images = torch.rand(2, in_channels, size, size)
    assert network(images).shape == (2, 7)
    assert network.stages(network.stem(images)).shape == (2, 512, -(-size // 8), -(-size // 8))
