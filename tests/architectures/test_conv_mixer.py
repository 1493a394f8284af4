"""ConvMixer: published counts, and the logits of timm's ConvMixer with the same weights."""

import pytest
import torch
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn


@pytest.mark.parametrize(
    ("width", "depth", "kernel_size", "patch_size", "num_classes", "millions"),
    [
        (1536, 20, 9, 7, 1000, "51.6"),  # Trockman & Kolter, table 1
        (768, 32, 7, 7, 1000, "21.1"),  # table 1
        (256, 8, 9, 1, 10, "0.7"),  # the abstract's network for CIFAR-10
    ],
)
def test_parameter_count_is_the_papers(width, depth, kernel_size, patch_size, num_classes, millions):
    with torch.device("meta"):
        network = plcnn.build(
            "conv_mixer",
            num_classes=num_classes,
            image_size=32 if patch_size == 1 else 224,
            width=width,
            depth=depth,
            kernel_size=kernel_size,
            patch_size=patch_size,
        )
    count = sum(p.numel() for p in network.parameters())
    assert f"{count / 1e6:.1f}" == millions
    # Each convolution has a bias and is followed by a batch norm with a weight and a bias.
    stem = width * (3 * patch_size**2 + 3)
    block = width * (kernel_size**2 + 3) + width * (width + 3)
    assert count == stem + depth * block + (width + 1) * num_classes


def test_defaults_are_the_papers_for_cifar_10():
    shapes = [parameter.shape for parameter in plcnn.build("conv_mixer", num_classes=10).parameters()]
    pinned = plcnn.build("conv_mixer", num_classes=10, width=256, depth=8, kernel_size=9, patch_size=1)
    assert shapes == [parameter.shape for parameter in pinned.parameters()]


@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_logits_equal_timms(patch_size):
    convmixer = pytest.importorskip("timm.models.convmixer")
    reference = convmixer.ConvMixer(64, 3, kernel_size=5, patch_size=patch_size, num_classes=10)
    network = plcnn.build("conv_mixer", num_classes=10, width=64, depth=3, kernel_size=5, patch_size=patch_size)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 32, 32))


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes(in_channels, size):
    sizes = {"width": 16, "depth": 2, "patch_size": 4}
    network = plcnn.build("conv_mixer", num_classes=7, in_channels=in_channels, image_size=size, **sizes)
    images = torch.rand(2, in_channels, size, size)
    assert network(images).shape == (2, 7)
    assert network.blocks(network.stem(images)).shape == (2, 16, size // 4, size // 4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"patch_size": 12}, "patch_size: got 12; allowed: a divisor of the picture's 32 pixels. .* patch_size: 4"),
        ({"patch_size": 0}, "patch_size: got 0; allowed: a divisor of the picture's 32 pixels"),
        ({"kernel_size": 4}, "kernel_size: got 4; allowed: an odd number, so that pictures keep their size"),
        ({"kernel_size": -1}, "kernel_size: got -1; allowed: an odd number, so that pictures keep their size"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError, match=words):
        plcnn.build("conv_mixer", num_classes=7, **arguments)
