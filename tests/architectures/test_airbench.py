"""Airbench: the published size, whitening by its formula, the forward computed again from the state dict alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import plcnn
from plcnn.architectures.airbench import Airbench


def pictures(count: int = 8, channels: int = 3, side: int = 32) -> torch.Tensor:
    """Random pictures whose neighbouring pixels and channels go together, as in photographs."""
    noise = torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(noise, 3, stride=1, padding=1) + 0.5 * noise.mean(dim=1, keepdim=True)


def randomised(network: nn.Module) -> nn.Module:
    """The network in float64 with random statistics and affine parameters: nothing passes by being 0 or 1."""
    generator = torch.Generator().manual_seed(1)
    for module in network.double().modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=torch.float64) + 0.5)
    return network


def logits_from(
    state: dict[str, torch.Tensor], images: torch.Tensor, training: bool, factor: float | None = None
) -> torch.Tensor:
    def norm(x: torch.Tensor, key: str) -> torch.Tensor:
        mean, variance = state[f"{key}.running_mean"].clone(), state[f"{key}.running_var"].clone()
        return F.batch_norm(x, mean, variance, state[f"{key}.weight"], state[f"{key}.bias"], training, 0.4, 1e-12)

    x = F.gelu(F.conv2d(images, state["whiten.weight"], state["whiten.bias"]))
    for group in ("groups.0", "groups.1", "groups.2"):
        x = F.max_pool2d(F.conv2d(x, state[f"{group}.conv1.weight"], padding=1), 2)
        x = F.gelu(norm(x, f"{group}.norm1"))
        shortcut = x
        x = F.gelu(norm(F.conv2d(x, state[f"{group}.conv2.weight"], padding=1), f"{group}.norm2"))
        if f"{group}.conv3.weight" in state:
            x = F.gelu(shortcut + norm(F.conv2d(x, state[f"{group}.conv3.weight"], padding=1), f"{group}.norm3"))
    x = F.max_pool2d(x, 3).reshape(len(images), -1)
    return x @ state["head.weight"].T * (1 / x.shape[1] if factor is None else factor)


def test_it_has_the_size_of_the_programs_network():
    # airbench94_muon.py: whitening, three groups of two convolutions, head, scale and bias of six batch norms
    whitening, head = 24 * 3 * 2 * 2 + 24, 256 * 10
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 256 * 256 + 256 * 256 + 256 * 256)
    norms = 2 * 2 * (64 + 256 + 256)
    parameters = list(Airbench(10).parameters())
    assert sum(p.numel() for p in parameters) == whitening + convolutions + norms + head == 1_972_792
    assert sum(p.numel() for p in parameters if not p.requires_grad) == 24 * 3 * 2 * 2 + norms // 2


@pytest.mark.parametrize(
    ("name", "widths", "convolutions"), [("airbench95", (128, 384, 384), 2), ("airbench96", (128, 512, 512), 3)]
)
def test_the_greater_ones_have_the_sizes_of_their_programs(name, widths, convolutions):
    channels = (24, *widths)
    first = sum(9 * channels[i] * width for i, width in enumerate(widths))
    others = (convolutions - 1) * sum(9 * width**2 for width in widths)
    norms = convolutions * 2 * sum(widths)
    expected = 24 * 3 * 2 * 2 + 24 + first + others + norms + widths[-1] * 10
    network = plcnn.build(name)
    assert sum(p.numel() for p in network.parameters()) == expected
    # PyTorch's own initial weights, divided by nine
    bound = widths[-1] ** -0.5
    assert 0.9 * bound < float(network.head.weight.detach().abs().max()) <= bound
    assert network.logit_factor == 1 / 9


@pytest.mark.parametrize("training", [False, True])
def test_the_third_convolution_has_a_shortcut(training):
    torch.manual_seed(0)
    network = randomised(Airbench(10, widths=(16, 24, 8), convolutions=3, logit_factor=0.3)).train(training)
    images = pictures(4).double()
    expected = logits_from({k: v.clone() for k, v in network.state_dict().items()}, images, training, 0.3)
    torch.testing.assert_close(network(images), expected, rtol=0, atol=1e-10 * expected.abs().max().item())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("channels", "side"), [(3, 32), (1, 28), (3, 64)])
def test_logits_are_those_of_the_plain_functions(channels, side, training):
    torch.manual_seed(0)
    network = randomised(Airbench(10, channels, side, widths=(16, 24, 8))).train(training)
    images = pictures(4, channels, side).double()
    expected = logits_from({k: v.clone() for k, v in network.state_dict().items()}, images, training)
    torch.testing.assert_close(network(images), expected, rtol=0, atol=1e-10 * expected.abs().max().item())


@pytest.mark.parametrize("channels", [1, 3])
def test_whitened_patches_have_unit_covariance(channels):
    """Along an eigenvector of eigenvalue v, filters of length 1 / sqrt(v + 5e-4) leave a variance of v / (v + 5e-4)."""
    network, images = Airbench(10, channels), pictures(50, channels)
    network.init_from_images(images)
    corners = [images[:, :, y : y + 31, x : x + 31] for y in (0, 1) for x in (0, 1)]
    patches = torch.stack(corners, dim=2).permute(0, 3, 4, 1, 2).reshape(-1, 4 * channels).double()
    eigenvalues = torch.linalg.eigvalsh(patches.T @ patches / len(patches)).flip(0)
    whitened = F.conv2d(images, network.whiten.weight).double().transpose(0, 1).flatten(1)
    covariance = whitened @ whitened.T / whitened.shape[1]
    kept = torch.diag(eigenvalues / (eigenvalues + 5e-4))
    assert kept.diagonal().min() > 0.9
    expected = torch.kron(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).double(), kept)
    torch.testing.assert_close(covariance, expected, rtol=0, atol=1e-4)


def test_without_pictures_the_filters_are_orthonormal_and_their_negatives():
    rows = Airbench(10).whiten.weight.flatten(1)
    torch.testing.assert_close(rows[:12] @ rows[:12].T, torch.eye(12), rtol=0, atol=1e-5)
    assert torch.equal(rows[12:], -rows[:12])


def test_what_is_frozen_stays_and_is_saved():
    torch.manual_seed(0)
    network = Airbench(10, widths=(8, 8, 8))
    network.init_from_images(pictures())
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, weight_decay=0.1)
    F.cross_entropy(network(pictures()), torch.arange(8)).backward()
    optimizer.step()
    after = network.state_dict()
    same = {key for key in before if torch.equal(before[key], after[key])}
    norms = {f"groups.{group}.norm{index}.weight" for group in range(3) for index in (1, 2)}
    assert same == {"whiten.weight"} | norms
    fresh = Airbench(10, widths=(8, 8, 8))
    fresh.load_state_dict(after)
    assert torch.equal(fresh.whiten.weight, before["whiten.weight"])


def test_initialisation_is_identity_filters_and_a_head_of_unit_spread():
    network = Airbench(10, widths=(64, 32, 48))
    for group, inputs in zip(network.groups, (24, 64, 32), strict=True):
        for conv, channels in ((group.conv1, inputs), (group.conv2, group.conv2.out_channels)):
            filters = min(channels, conv.out_channels)
            identity = torch.zeros(filters, channels, 3, 3)
            identity[range(filters), range(filters), 1, 1] = 1
            assert torch.equal(conv.weight[:filters], identity)
            assert all(torch.count_nonzero(kernel) == kernel.numel() for kernel in conv.weight[filters:])
    assert network.head.weight.std().item() == pytest.approx(1)


def test_norms_take_the_newest_batch_at_two_fifths():
    network = Airbench(10, widths=(8, 8, 8))
    values = []
    network.groups[0].norm1.register_forward_pre_hook(lambda layer, inputs: values.append(inputs[0].detach()))
    network(pictures())
    means = values[0].transpose(0, 1).flatten(1).mean(dim=1)
    torch.testing.assert_close(network.groups[0].norm1.running_mean, 0.4 * means)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_constant_channel_gives_finite_logits_and_gradients(dtype):
    """Its variance is 0 in the batch and goes to 0 in the statistics, and 1e-12 is all that is added."""
    torch.manual_seed(0)
    network = Airbench(10, widths=(8, 8, 8))
    with torch.no_grad():
        network.groups[0].conv1.weight[0] = 0
        network.groups[1].conv2.weight[0] = 0
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        for _ in range(60):  # 0.6 ** 60 = 5e-14
            logits = network(torch.cat([pictures(4), torch.zeros(4, 3, 32, 32)]))
        F.cross_entropy(logits, torch.arange(8)).backward()
        assert network.groups[0].norm1.running_var[0] < 1e-12
        assert network.eval()(torch.zeros(2, 3, 32, 32)).isfinite().all()
    assert logits.isfinite().all()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 28), (1, 32), (3, 32), (4, 64), (1, 25)])
def test_shapes(channels, side):
    network = Airbench(7, channels, side, widths=[4, 8, 8])
    network.init_from_images(pictures(4, channels, side))
    assert network(pictures(2, channels, side)).shape == (2, 7)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"widths": (64, 0, 256)}, ["widths: got [64, 0, 256]", "three numbers, each 1 or more", "[64, 256, 256]"]),
        ({"widths": (64, 256)}, ["widths: got [64, 256]", "three numbers"]),
        ({"image_size": 24}, ["image_size: got 24", "25 pixels or more", "image_size: 32"]),
    ],
)
def test_wrong_arguments_are_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError) as error:
        Airbench(10, **arguments)
    assert all(word in str(error.value) for word in words)
