"""DenseNet-BC: the published counts, and the logits of pytorchcv's with the same weights."""

import math

import pytest
import torch
from torch import nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn

# Depth and growth; millions of parameters in table 2 of the paper; pytorchcv's published list at 10 classes.
PUBLISHED = [(100, 12, "0.8", 769_162), (250, 24, "15.3", 15_324_406), (190, 40, "25.6", 25_624_430)]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def formula(depth: int, growth: int, compression: float) -> int:
    """Count by the paper's section 3: kernels, two numbers a channel in each batch norm, ten logits."""
    channels = 2 * growth
    total = 3 * 9 * channels
    for block in range(3):
        if block:
            kept = math.floor(compression * channels)
            total += 2 * channels + channels * kept
            channels = kept
        for _ in range((depth - 4) // 6):
            total += 2 * channels + channels * 4 * growth + 2 * 4 * growth + 4 * growth * growth * 9
            channels += growth
    return total + 2 * channels + (channels + 1) * 10


@pytest.mark.parametrize(("depth", "growth", "millions", "listed"), PUBLISHED)
def test_parameter_count_is_the_published_one(depth, growth, millions, listed):
    with torch.device("meta"):
        network = plcnn.build("densenet_bc", num_classes=10, depth=depth, growth=growth)
    assert count(network) == listed == formula(depth, growth, 0.5)
    assert f"{count(network) / 1e6:.1f}" == millions


@pytest.mark.parametrize("compression", [0.3, 1.0])
def test_compression_is_the_share_of_channels_that_stay(compression):
    network = plcnn.build("densenet_bc", num_classes=10, depth=16, growth=5, compression=compression)
    assert count(network) == formula(16, 5, compression)


@pytest.mark.parametrize(("depth", "growth"), [(100, 12), (22, 5)])
def test_logits_equal_pytorchcvs(depth, growth):
    """pytorchcv's network gets a pooling for any size, for pictures of 16x16."""
    library = pytest.importorskip("pytorchcv.models.densenet_cifar")
    reference = library.get_densenet_cifar(num_classes=10, blocks=depth, growth_rate=growth, bottleneck=True)
    reference.features.final_pool = nn.AdaptiveAvgPool2d(1)
    network = plcnn.build("densenet_bc", num_classes=10, depth=depth, growth=growth)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 16, 16))


def test_dropout_follows_every_convolution_but_the_first():
    network = plcnn.build("densenet_bc", num_classes=10, depth=16, growth=4, dropout=0.3)
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Dropout)]
    assert len(layers) == 1 + 2 * (16 - 2)
    assert all(isinstance(layer, nn.Conv2d) for layer in layers[1::2])
    assert [layer.p for layer in layers[2::2]] == [0.3] * (16 - 2)


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_a_quarter(in_channels, size):
    network = plcnn.build("densenet_bc", num_classes=7, in_channels=in_channels, depth=10, growth=4)
    images = torch.rand(2, in_channels, size, size)
    assert network(images).shape == (2, 7)
    # 8 channels, then 12 of which 6 stay, 10 of which 5 stay, and 9
    assert network.stages(network.stem(images)).shape == (2, 9, size // 4, size // 4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"depth": 99}, ["depth: got 99", "6 n + 4", "depth: 100"]),
        ({"depth": 4}, ["depth: got 4", "10, 16"]),
        ({"growth": 0}, ["growth: got 0", "1 or more", "growth: 12"]),
        ({"compression": 0.0}, ["compression: got 0.0", "above 0", "compression: 0.5"]),
        ({"compression": 1.5}, ["compression: got 1.5", "at most 1"]),
        ({"dropout": 1.0}, ["dropout: got 1.0", "not including, 1", "dropout: 0.2"]),
        ({"dropout": -0.1}, ["dropout: got -0.1", "from 0"]),
    ],
)
def test_wrong_arguments_are_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError) as error:
        plcnn.build("densenet_bc", num_classes=10, **arguments)
    for word in words:
        assert word in str(error.value)
