"""ResNeXt for CIFAR: the published counts, and the logits of pytorchcv's with the same weights."""

import pytest
import torch
from torch import nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("cardinality", "millions"), [(8, 34.4), (16, 68.1)])
def test_parameter_count_is_the_papers(cardinality, millions):
    """The paper cuts the decimals that it leaves out: pytorchcv's list has 68,155,210 for 16x64d."""
    with torch.device("meta"):
        network = plcnn.build("resnext29", num_classes=10, cardinality=cardinality)
    assert count(network) // 100_000 / 10 == millions


@pytest.mark.parametrize(("cardinality", "width", "listed"), [(32, 4, 4_775_754), (16, 64, 68_155_210)])
def test_parameter_count_is_pytorchcvs_published_one(cardinality, width, listed):
    with torch.device("meta"):
        network = plcnn.build("resnext29", num_classes=10, cardinality=cardinality, width=width)
    assert count(network) == listed


def test_default_has_as_many_parameters_as_pytorchcvs_8x64d():
    library = pytest.importorskip("pytorchcv.models.resnext_cifar")
    with torch.device("meta"):
        reference = library.get_resnext_cifar(num_classes=10, blocks=29, cardinality=8, bottleneck_width=64)
        network = plcnn.build("resnext29", num_classes=10)
    assert count(network) == count(reference)


@pytest.mark.parametrize(("cardinality", "width"), [(8, 4), (3, 12)])
def test_logits_equal_pytorchcvs(cardinality, width):
    """pytorchcv's network gets a pooling for any size, for pictures of 16x16."""
    library = pytest.importorskip("pytorchcv.models.resnext_cifar")
    reference = library.get_resnext_cifar(num_classes=10, blocks=29, cardinality=cardinality, bottleneck_width=width)
    reference.features.final_pool = nn.AdaptiveAvgPool2d(1)
    network = plcnn.build("resnext29", num_classes=10, cardinality=cardinality, width=width)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 16, 16))


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_a_quarter(in_channels, size):
    network = plcnn.build("resnext29", num_classes=7, in_channels=in_channels, cardinality=2, width=4)
    images = torch.rand(2, in_channels, size, size)
    assert network(images).shape == (2, 7)
    assert network.stages(network.stem(images)).shape == (2, 1024, -(-size // 4), -(-size // 4))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cardinality": 0}, ["cardinality: got 0", "1 or more", "cardinality: 8"]),
        ({"width": 0}, ["width: got 0", "1 or more", "width: 64"]),
    ],
)
def test_wrong_arguments_are_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError) as error:
        plcnn.build("resnext29", num_classes=10, **arguments)
    for word in words:
        assert word in str(error.value)
