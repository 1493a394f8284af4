"""RegNet: published counts, and the logits of timm's with the same weights and strides."""

import pytest
import torch
from torch import nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn

# pytorchcv's published list at 1000 classes, of which torchvision publishes the last, too; in millions the table of the
# authors' models, 2.7, 5.2, 3.2 and 4.3.
PUBLISHED = {
    "regnet_x_200mf": 2_684_792,
    "regnet_x_400mf": 5_157_512,
    "regnet_y_200mf": 3_162_996,
    "regnet_y_400mf": 4_344_144,
}
TIMMS = {
    "regnet_x_200mf": "regnetx_002",
    "regnet_x_400mf": "regnetx_004",
    "regnet_y_200mf": "regnety_002",
    "regnet_y_400mf": "regnety_004",
}


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items())
def test_parameter_count_is_the_published_one(name, published):
    with torch.device("meta"):
        network = plcnn.build(name, num_classes=1000)
    # No projection where the first stage keeps the size and the stem's 32 channels: a kernel and a batch norm.
    projection = 32 * 32 + 2 * 32 if name == "regnet_x_400mf" else 0
    assert sum(p.numel() for p in network.parameters()) == published - projection


@pytest.mark.parametrize("name", TIMMS)
def test_logits_equal_timms(name):
    """timm's network gets the strides for small pictures: stem and first stage of stride 1.

    Its blocks list the projection last, ours first.
    """
    timm = pytest.importorskip("timm")
    reference = timm.create_model(TIMMS[name], num_classes=10)
    first = reference.s1.b1
    for convolution in (reference.stem.conv, first.conv2.conv, first.downsample.conv):
        convolution.stride = (1, 1)
    if name == "regnet_x_400mf":
        first.downsample = nn.Identity()
    for block in reference.modules():
        if hasattr(block, "downsample"):
            for layer in ("conv1", "conv2", "se", "conv3"):
                block.register_module(layer, block._modules.pop(layer))
    network = plcnn.build(name, num_classes=10)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 32, 32))


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_an_eighth(in_channels, size):
    network = plcnn.build("regnet_y_200mf", num_classes=7, in_channels=in_channels)
    images = torch.rand(2, in_channels, size, size)
    assert network(images).shape == (2, 7)
    assert network.trunk_output(network.stem(images)).shape == (2, 368, -(-size // 8), -(-size // 8))
