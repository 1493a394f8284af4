"""VGG: published counts, and the logits of timm's VGG with the same weights."""

import pytest
import torch
from torch import nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn

# torchvision's published num_params of vgg*_bn at 1000 classes.
PUBLISHED = {"vgg11": 132_868_840, "vgg13": 133_053_736, "vgg16": 138_365_992, "vgg19": 143_678_248}
# Its three dense layers after 512 maps of 7x7, with biases.
DENSE = (512 * 7 * 7 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items())
def test_parameter_count_is_torchvisions_with_one_dense_layer(name, published):
    with torch.device("meta"):
        network = plcnn.build(name, num_classes=1000)
    assert sum(p.numel() for p in network.parameters()) == published - DENSE + (512 + 1) * 1000


@pytest.mark.parametrize("name", PUBLISHED)
def test_logits_equal_timms(name):
    """Compare with timm's features, which end as ours do: mean over the picture, one linear layer."""
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        features = timm.create_model(f"{name}_bn").features
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    reference = nn.Sequential(features.to_empty(device="cpu"), *pool)
    network = plcnn.build(name, num_classes=10)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 32, 32))


def test_initialisation_is_he_normal_with_a_small_head():
    torch.manual_seed(0)
    network = plcnn.build("vgg11", num_classes=1000)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 4:
            fan_out = parameter.shape[0] * parameter[0, 0].numel()
            assert parameter.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
        elif name.endswith("bias"):
            assert torch.count_nonzero(parameter) == 0
    assert network.head.weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 64), (4, 5)])
def test_pictures_of_other_sizes(in_channels, size):
    network = plcnn.build("vgg11", num_classes=7, in_channels=in_channels, image_size=size)
    assert network(torch.rand(2, in_channels, size, size)).shape == (2, 7)
    assert network.features(torch.rand(2, in_channels, size, size)).shape == (2, 512, -(-size // 32), -(-size // 32))
