"""Wide ResNet: the paper's counts, and the logits of pytorchcv's with the same weights."""

import pytest
import torch
from torch import nn
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn

# Millions of parameters in the paper's tables of results on CIFAR.
PAPER = {"wide_resnet_40_4": "8.9", "wide_resnet_16_8": "11.0", "wide_resnet_28_10": "36.5", "wide_resnet": "36.5"}
# pytorchcv's published list at 10 classes.
LISTED = {(16, 10): 17_116_634, (28, 10): 36_479_194, (40, 8): 35_748_314}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("name", "millions"), PAPER.items())
def test_parameter_count_is_the_papers(name, millions):
    with torch.device("meta"):
        network = plcnn.build(name, num_classes=10)
    assert f"{count(network) / 1e6:.1f}" == millions


@pytest.mark.parametrize(("depth", "width"), LISTED)
def test_parameter_count_is_pytorchcvs(depth, width):
    with torch.device("meta"):
        network = plcnn.build("wide_resnet", num_classes=10, depth=depth, width=width)
    assert count(network) == LISTED[depth, width]


@pytest.mark.parametrize(
    ("name", "depth", "width"),
    [("wide_resnet_16_8", 16, 8), ("wide_resnet_28_10", 28, 10), ("wide_resnet_40_4", 40, 4)],
)
def test_named_sizes_have_as_many_parameters_as_pytorchcvs(name, depth, width):
    library = pytest.importorskip("pytorchcv.models.wrn_cifar")
    with torch.device("meta"):
        reference = library.get_wrn_cifar(num_classes=10, blocks=depth, width_factor=width)
        network = plcnn.build(name, num_classes=10)
    assert count(network) == count(reference)


@pytest.mark.parametrize(("depth", "width"), [(10, 4), (16, 2), (28, 1)])
def test_logits_equal_pytorchcvs(depth, width):
    library = pytest.importorskip("pytorchcv.models.wrn_cifar")
    reference = library.get_wrn_cifar(num_classes=10, blocks=depth, width_factor=width)
    network = plcnn.build("wide_resnet", num_classes=10, depth=depth, width=width)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 32, 32))


def test_dropout_is_between_the_convolutions_of_each_block_in_training():
    torch.manual_seed(0)
    network = plcnn.build("wide_resnet", num_classes=10, depth=16, width=1, dropout=0.8)
    zeros = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda module, inputs, output, name=name: zeros.update({name: (inputs[0] == 0).float().mean().item()})
            )
    network(torch.rand(4, 3, 32, 32))
    # Behind a batch norm, a ReLU lets about half of the values pass; dropout a fifth of these.
    assert sum(name.endswith("conv2") for name in zeros) == 6
    for name, share in zeros.items():
        if name != "stem":
            assert share == pytest.approx(0.9 if name.endswith("conv2") else 0.5, abs=0.1), name
    network.eval()(torch.rand(4, 3, 32, 32))
    assert all(share < 0.85 for share in zeros.values())


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes_end_at_a_quarter(in_channels, size):
    network = plcnn.build("wide_resnet", num_classes=7, in_channels=in_channels, depth=10, width=1)
    images = torch.rand(2, in_channels, size, size)
    assert network(images).shape == (2, 7)
    assert network.stages(network.stem(images)).shape == (2, 64, -(-size // 4), -(-size // 4))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"depth": 27}, ["depth: got 27", "6 n + 4", "depth: 28"]),
        ({"depth": 4}, ["depth: got 4", "10, 16, 22"]),
        ({"width": 0}, ["width: got 0", "1 or more", "width: 10"]),
        ({"dropout": 1.0}, ["dropout: got 1.0", "not including, 1", "dropout: 0.3"]),
        ({"dropout": -0.1}, ["dropout: got -0.1", "from 0"]),
    ],
)
def test_wrong_arguments_are_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError) as error:
        plcnn.build("wide_resnet", num_classes=10, **arguments)
    for word in words:
        assert word in str(error.value)
