"""ResNet with a small stem: torchvision's counts, and the logits of timm's with the same weights and stem."""

import pytest
import torch
from torch import nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn

# torchvision's published num_params at 1000 classes.
PUBLISHED = {"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032}
# A 7x7 stem has so many weights more than a 3x3 one.
STEM = 64 * 3 * (7 * 7 - 3 * 3)


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items())
def test_parameter_count_is_torchvisions_less_the_stems_difference(name, published):
    with torch.device("meta"):
        network = plcnn.build(name, num_classes=1000)
    assert sum(parameter.numel() for parameter in network.parameters()) == published - STEM


@pytest.mark.parametrize("name", PUBLISHED)
def test_logits_equal_timms(name):
    """timm's network gets the stem for small pictures."""
    timm = pytest.importorskip("timm")
    reference = timm.create_model(name, num_classes=10)
    reference.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
    reference.maxpool = nn.Identity()
    network = plcnn.build(name, num_classes=10)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 16, 16))


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_an_eighth(in_channels, size):
    network = plcnn.build("resnet18", num_classes=7, in_channels=in_channels)
    last_features = []
    network.layer4.register_forward_hook(lambda module, inputs, output: last_features.append(output.shape))
    assert network(torch.rand(2, in_channels, size, size)).shape == (2, 7)
    assert last_features == [(2, 512, -(-size // 8), -(-size // 8))]


def test_the_stem_is_initialised_like_the_rest():
    torch.manual_seed(0)
    network = plcnn.build("resnet18", num_classes=7)
    for kernel in (network.conv1.weight, network.layer1[0].conv1.weight):
        assert kernel.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)
