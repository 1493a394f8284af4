"""ViT-Lite and CCT: published counts, and the outputs of timm's and PyTorch's transformers with the same weights."""

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth
from transfer import assert_same_logits, copy_in_order, randomise

import plcnn
from plcnn.architectures.compact_transformer import Block

SMALL = {"width": 128, "heads": 2, "mlp_ratio": 1.0}
LARGE = {"width": 256, "heads": 4, "mlp_ratio": 2.0}


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def count_by_formula(depth: int, width: int, mlp_ratio: float, tokens: int) -> int:
    """All but the tokeniser and what reads the answer, at 10 classes: positions, blocks, last norm, head."""
    hidden = int(width * mlp_ratio)
    attention = 3 * width * width + (width + 1) * width
    block = attention + (width + 1) * hidden + (hidden + 1) * width + 2 * 2 * width
    return tokens * width + depth * block + 2 * width + (width + 1) * 10


# Hassani et al., in thousands, from the table in the authors' repository; the paper rounds to 3.72 M and 3.19 M.
@pytest.mark.parametrize(("arguments", "thousands"), [({}, 3717), ({"depth": 7, **LARGE}, 3717), ({"depth": 6}, 3191)])
def test_vit_lite_has_the_papers_count(arguments, thousands):
    count = parameters(plcnn.build("vit_lite", num_classes=10, **arguments))
    assert round(count / 1e3) == thousands
    patches_and_class_token = (3 * 4 * 4 + 1) * 256 + 256
    assert count == count_by_formula(arguments.get("depth", 7), 256, 2.0, 8 * 8 + 1) + patches_and_class_token


# The same table. The one for CCT-6/3x1 has no learnt positions: its network had those of sines.
@pytest.mark.parametrize(
    ("depth", "conv_layers", "sizes", "positions", "thousands"),
    [
        (2, 2, SMALL, 0, 284),
        (4, 2, SMALL, 0, 482),
        (6, 2, LARGE, 0, 3327),
        (7, 2, LARGE, 0, 3853),
        (7, 1, LARGE, 0, 3760),
        (6, 1, LARGE, 16 * 16 * 256, 3168),
    ],
)
def test_cct_has_the_papers_count(depth, conv_layers, sizes, positions, thousands):
    count = parameters(plcnn.build("cct", num_classes=10, depth=depth, conv_layers=conv_layers, **sizes))
    assert round((count - positions) / 1e3) == thousands
    width = sizes["width"]
    kernels = 9 * 3 * width if conv_layers == 1 else 9 * 3 * 64 + 9 * 64 * width
    tokens = (32 // 2**conv_layers) ** 2
    assert count == count_by_formula(depth, width, sizes["mlp_ratio"], tokens) + kernels + width


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        ("cct", {"depth": 4, "conv_layers": 2, **SMALL}),
        ("cct_7_3x1", {"depth": 7, "conv_layers": 1, **LARGE}),
    ],
)
def test_what_the_name_stands_for(name, pinned):
    network, expected = plcnn.build(name, num_classes=10), plcnn.build("cct", num_classes=10, **pinned)
    assert {k: v.shape for k, v in network.state_dict().items()} == {
        k: v.shape for k, v in expected.state_dict().items()
    }
    assert network.blocks[0].heads == pinned["heads"]


@pytest.mark.parametrize(("in_channels", "size", "patch_size"), [(3, 32, 4), (1, 28, 7)])
def test_vit_lite_equals_timms(in_channels, size, patch_size):
    """timm's network is given what this one has: no bias in queries, keys and values, and an epsilon of 1e-5."""
    vision_transformer = pytest.importorskip("timm.models.vision_transformer")
    reference = vision_transformer.VisionTransformer(
        img_size=size,
        patch_size=patch_size,
        in_chans=in_channels,
        num_classes=10,
        embed_dim=256,
        depth=7,
        num_heads=4,
        mlp_ratio=2.0,
        qkv_bias=False,
        norm_layer=nn.LayerNorm,
    )
    network = plcnn.build(
        "vit_lite", num_classes=10, in_channels=in_channels, image_size=size, patch_size=patch_size, drop_path=0.0
    )
    randomise(reference)
    copy_in_order(reference, network)
    assert_same_logits(reference, network, (2, in_channels, size, size))


@pytest.mark.parametrize("training", [False, True])
def test_block_equals_pytorchs(training):
    block = Block(width=48, heads=3, mlp_ratio=2.0, dropout=0.0, drop_path=0.0)
    reference = nn.TransformerEncoderLayer(
        48, nhead=3, dim_feedforward=96, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    randomise(block)
    weights = {
        name.replace("qkv", "self_attn.in_proj_")
        .replace("_.weight", "_weight")
        .replace("projection", "self_attn.out_proj")
        .replace("mlp.0", "linear1")
        .replace("mlp.3", "linear2"): tensor
        for name, tensor in block.state_dict().items()
    }
    reference.load_state_dict({**weights, "self_attn.in_proj_bias": torch.zeros(3 * 48)})
    block.train(training)
    reference.train(training)
    tokens = torch.randn(2, 17, 48, generator=torch.Generator().manual_seed(0))
    expected = reference(tokens)
    torch.testing.assert_close(block(tokens), expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_cct_pools_tokens_with_learnt_weights():
    """The answer is the head's of the mean of the last tokens, weighted by the exponential of a product with each."""
    network = plcnn.build("cct", num_classes=10).double().eval()
    randomise(network)
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    last_tokens = []
    network.norm.register_forward_hook(lambda module, given, tokens: last_tokens.append(tokens))
    logits = network(images)
    weights = torch.exp(last_tokens[0] @ network.pool.weight[0])
    pooled = torch.einsum("bt,btw->bw", weights, last_tokens[0]) / weights.sum(dim=1, keepdim=True)
    torch.testing.assert_close(logits, pooled @ network.head.weight.T + network.head.bias)


def test_cct_tokens_are_convolution_relu_and_pooling():
    network = plcnn.build("cct", num_classes=10, conv_layers=2, kernel_size=5)
    expected = images = torch.rand(2, 3, 32, 32)
    for layer in (0, 3):
        maps = torch.conv2d(expected, network.tokenizer[layer].weight, padding=2).clamp(min=0)
        expected = torch.max_pool2d(maps, kernel_size=3, stride=2, padding=1)
    assert expected.shape == (2, 128, 8, 8)
    torch.testing.assert_close(network.tokenizer(images), expected)


def test_initialisation_is_that_of_the_source():
    torch.manual_seed(0)
    network = plcnn.build("vit_lite", num_classes=10)
    assert network.positions.std().item() == pytest.approx(0.2, rel=0.05)
    assert torch.count_nonzero(network.class_token) == 0
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert layer.bias is None or torch.count_nonzero(layer.bias) == 0
    kernels = plcnn.build("cct", num_classes=10).tokenizer[0].weight
    assert kernels.std().item() == pytest.approx((2 / (9 * 3)) ** 0.5, rel=0.05)


@pytest.mark.parametrize("name", ["vit_lite", "cct"])
def test_rates_reach_their_layers(name):
    network = plcnn.build(name, num_classes=7, depth=3, dropout=0.2, drop_path=0.3)
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.2] * (1 + 3 * 3)
    rates = [module.p for module in network.modules() if isinstance(module, StochasticDepth)]
    assert rates == pytest.approx([0.0, 0.15, 0.3])


@pytest.mark.parametrize("name", ["vit_lite", "cct", "cct_7_3x1"])
@pytest.mark.parametrize(("in_channels", "size"), [(1, 28), (3, 32), (3, 64)])
def test_pictures_of_other_sizes(name, in_channels, size):
    network = plcnn.build(name, num_classes=7, in_channels=in_channels, image_size=size)
    assert network(torch.rand(2, in_channels, size, size)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("vit_lite", {"patch_size": 12}, "patch_size: got 12; allowed: .* picture's 32 pixels. .* patch_size: 4"),
        ("vit_lite", {"patch_size": 0}, "patch_size: got 0; allowed: a divisor of the picture's 32 pixels"),
        ("vit_lite", {"heads": 3}, "heads: got 3; allowed: a divisor of width, which is 256"),
        ("vit_lite", {"heads": 0}, "heads: got 0; allowed: a divisor of width, which is 256"),
        ("vit_lite", {"drop_path": 1.0}, "drop_path: got 1.0; allowed: a rate from 0 up to, not including, 1"),
        ("cct", {"conv_layers": 0}, "conv_layers: got 0; allowed: 1 or more"),
        ("cct", {"kernel_size": 2}, "kernel_size: got 2; allowed: an odd number, so that pictures keep their size"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_allowed(name, arguments, words):
    with pytest.raises(ValueError, match=words):
        plcnn.build(name, num_classes=7, **arguments)
