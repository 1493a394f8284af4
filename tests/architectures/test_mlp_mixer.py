"""MLP-Mixer: published counts, and the logits of timm's MlpMixer with the same weights."""

import math

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn

S16 = {"patch_size": 16, "width": 512, "depth": 8, "token_mlp_width": 256, "channel_mlp_width": 2048}
B16 = {"patch_size": 16, "width": 768, "depth": 12, "token_mlp_width": 384, "channel_mlp_width": 3072}


# At 224x224 and 1000 classes, from timm's published benchmarks and its model card.
@pytest.mark.parametrize(("sizes", "name", "millions"), [(S16, "mixer_s16_224", 18.5), (B16, "mixer_b16_224", 59.9)])
def test_parameter_count_is_timms(sizes, name, millions):
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        network = plcnn.build("mlp_mixer", num_classes=1000, image_size=224, **sizes)
        reference = timm.create_model(name)
    count = sum(p.numel() for p in network.parameters())
    assert round(count / 1e6, 1) == millions
    assert count == sum(p.numel() for p in reference.parameters())


def test_logits_equal_timms():
    timm = pytest.importorskip("timm")
    reference = timm.create_model("mixer_s16_224", num_classes=10, img_size=64)
    network = plcnn.build("mlp_mixer", num_classes=10, image_size=64, drop_path=0.0, **S16)
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, 3, 64, 64))


def test_initialisation_is_lecun_normal_and_zero():
    torch.manual_seed(0)
    layers = [m for m in plcnn.build("mlp_mixer", num_classes=10).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 1 + 8 * 4 + 1
    for layer in layers:
        assert layer.weight.std().item() == pytest.approx(1 / math.sqrt(layer.weight[0].numel()), rel=0.05)
        assert torch.count_nonzero(layer.bias) == 0


def test_drop_path_rises_to_its_rate():
    network = plcnn.build("mlp_mixer", num_classes=7, depth=3, drop_path=0.3)
    rates = [module.p for module in network.modules() if isinstance(module, StochasticDepth)]
    assert rates == pytest.approx([0.0, 0.15, 0.3])


@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes(in_channels, size):
    network = plcnn.build("mlp_mixer", num_classes=7, in_channels=in_channels, image_size=size, depth=2, width=32)
    assert network(torch.rand(2, in_channels, size, size)).shape == (2, 7)
    assert network.blocks[0].mix_tokens[0].in_features == (size // 4) ** 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"patch_size": 12}, "patch_size: got 12; allowed: a divisor of the picture's 32 pixels. .* patch_size: 4"),
        ({"patch_size": 0}, "patch_size: got 0; allowed: a divisor of the picture's 32 pixels"),
        ({"drop_path": 1.0}, "drop_path: got 1.0; allowed: a rate from 0 up to, not including, 1"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError, match=words):
        plcnn.build("mlp_mixer", num_classes=7, **arguments)
