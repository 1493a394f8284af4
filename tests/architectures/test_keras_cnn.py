"""KerasCNN computes what Keras computes: parameter counts, initialisation, inference, one training step."""

import json
import math
import runpy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from plcnn.architectures.keras_cnn import KerasBatchNorm, KerasCNN

HERE = Path(__file__).parent
FORMULAS = runpy.run_path(str(HERE / "make_keras_reference.py"))
REFERENCE = json.loads((HERE / "keras_cnn_reference.json").read_text())
# Keras's names and PyTorch's, in the order in which both list a layer's variables.
TORCH_NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
VARIANTS = pytest.mark.parametrize("head_norm", [True, False])
# float32 must agree to what is promised; float64 leaves no room for another formula.
PRECISIONS = pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])


def reference(head_norm: bool) -> dict:
    return REFERENCE["head_norm" if head_norm else "no_head_norm"]


def to_torch(array, name: str) -> torch.Tensor:
    """Turn a Keras kernel into PyTorch's layout; the first dense kernel's rows go from (4, 4, 128) to (128, 4, 4)."""
    tensor = torch.from_numpy(array)
    if name == "head.dense.weight":
        tensor = tensor.reshape(4, 4, 128, -1).permute(2, 0, 1, 3).flatten(0, 2)
    return tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor.T if tensor.ndim == 2 else tensor


def to_keras(tensor: torch.Tensor, name: str) -> torch.Tensor:
    """Turn a tensor of the network into Keras's layout: the inverse of `to_torch`."""
    tensor = tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T if tensor.ndim == 2 else tensor
    if name == "head.dense.weight":
        tensor = tensor.reshape(128, 4, 4, -1).permute(1, 2, 0, 3).flatten(0, 2)
    return tensor.contiguous()


def names_in_keras_order(model: nn.Module) -> list[str]:
    return [name for name in model.state_dict() if not name.endswith("num_batches_tracked")]


def transferred(head_norm: bool, dtype: torch.dtype) -> KerasCNN:
    """Build the network with the weights that the reference was made with, and dropouts of 0."""
    model = KerasCNN(num_classes=10, dropouts=(0, 0, 0), head_dropout=0, head_norm=head_norm)
    variables = reference(head_norm)["variables"]
    names = names_in_keras_order(model)
    assert [TORCH_NAMES[kind] for kind, _ in variables] == [name.rpartition(".")[2] for name in names]
    state = {
        name: to_torch(FORMULAS["weight"](stream, kind, tuple(shape)), name)
        for stream, (name, (kind, shape)) in enumerate(zip(names, variables, strict=True))
    }
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    return model.to(dtype)


def batch(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the reference's pictures and labels.

    Contiguous: in channels_last, PyTorch's float32 batch norm on a CPU adds up its sums with an error of 2e-5.
    """
    images = torch.from_numpy(FORMULAS["pictures"](FORMULAS["BATCH"])).permute(0, 3, 1, 2)
    labels = torch.from_numpy(FORMULAS["labels"](FORMULAS["BATCH"]))
    return images.to(dtype, memory_format=torch.contiguous_format), labels


def sampled(tensor: torch.Tensor, name: str) -> torch.Tensor:
    return torch.tensor(FORMULAS["sampled"](to_keras(tensor.detach(), name).numpy()), dtype=torch.float64)


def assert_equals_keras(actual: torch.Tensor, expected, limit: float) -> None:
    """Compare with the float64 reference: the greatest difference relative to the greatest expected value."""
    expected = torch.tensor(expected, dtype=torch.float64)
    largest = expected.abs().max().item()
    torch.testing.assert_close(actual.detach().double(), expected, rtol=0, atol=limit * largest)


def biased(values: torch.Tensor) -> torch.Tensor:
    return values.transpose(0, 1).flatten(1).var(dim=1, correction=0)


@VARIANTS
def test_counts_are_those_of_the_seed(head_norm):
    model = KerasCNN(num_classes=10, head_norm=head_norm)
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    statistics = sum(buffer.numel() for name, buffer in model.named_buffers() if "running" in name)
    assert (trainable, statistics) == ((551_722, 1_152) if head_norm else (551_466, 896))
    assert (trainable, statistics) == (reference(head_norm)["trainable"], reference(head_norm)["statistics"])


@VARIANTS
@PRECISIONS
def test_inference_equals_keras(head_norm, dtype, limit):
    logits = transferred(head_norm, dtype).eval()(batch(dtype)[0])
    assert_equals_keras(logits, reference(head_norm)["logits"], limit)


@VARIANTS
@PRECISIONS
def test_training_loss_and_updated_statistics_equal_keras(head_norm, dtype, limit):
    model = transferred(head_norm, dtype).train()
    images, labels = batch(dtype)
    loss = F.cross_entropy(model(images), labels)
    assert_equals_keras(loss, reference(head_norm)["loss"], limit)
    statistics = [buffer for name, buffer in model.named_buffers() if "running" in name]
    for actual, expected in zip(statistics, reference(head_norm)["updated_statistics"], strict=True):
        assert_equals_keras(actual, expected, limit)


@VARIANTS
def test_gradients_and_adam_step_equal_keras(head_norm):
    """Only in float64: the reference's docstring says what rounding does to float32 gradients.

    Keras adds Adam's epsilon before it corrects the second moment's bias, PyTorch after. Keras's 1e-7 is therefore
    PyTorch's 1e-7 / sqrt(1 - 0.999 ** step): 3.2e-6 at the first step, 1e-7 in the long run. Keras computes that
    correction in float32 throughout, hence the wider limit for the weights.
    """
    model = transferred(head_norm, torch.float64).train()
    images, labels = batch(torch.float64)
    F.cross_entropy(model(images), labels).backward()
    torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7 / math.sqrt(1 - 0.999)).step()
    expected = reference(head_norm)
    for index, (name, parameter) in enumerate(model.named_parameters()):
        assert parameter.grad is not None
        assert_equals_keras(sampled(parameter.grad, name), expected["gradients"][index], limit=1e-10)
        assert_equals_keras(parameter.grad.norm(), expected["gradient_norms"][index], limit=1e-10)
        assert_equals_keras(sampled(parameter, name), expected["updated_weights"][index], limit=1e-6)
    assert index + 1 == len(expected["gradients"])


def test_initialisation_is_he_uniform_glorot_uniform_and_zero():
    torch.manual_seed(0)
    model = KerasCNN(num_classes=10)
    kernels = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(kernels) == 8
    for module in kernels:
        fan_in = module.weight[0].numel()
        fans = fan_in if isinstance(module, nn.Conv2d) else fan_in + module.out_features
        bound = math.sqrt(6 / fans)
        assert 0.98 * bound < module.weight.abs().max() <= bound
        assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert torch.count_nonzero(module.bias) == 0


@pytest.mark.parametrize(
    ("in_channels", "image_size", "widths", "dropouts"),
    [
        (3, 32, (4, 8, 16), (0.2, 0.3, 0.4)),
        (1, 28, [4, 8, 16], [0.2, 0.3, 0.4]),
        (3, 45, (4, 8), (0.1, 0.0)),
        (2, 2, (4,), (0.5,)),
    ],
)
def test_shapes_and_a_gradient_for_every_parameter(in_channels, image_size, widths, dropouts):
    torch.manual_seed(0)
    model = KerasCNN(7, in_channels, image_size, widths, dropouts, dense_width=32)
    images = torch.rand(5, in_channels, image_size, image_size)
    logits = model(images)
    assert logits.shape == (5, 7)
    logits.logsumexp(dim=1).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_memory_format_does_not_change_the_logits():
    model = transferred(True, torch.float64).eval()
    images, _ = batch(torch.float64)
    expected = model(images)
    channels_last = model.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(channels_last, expected)


def test_dropout_rates_reach_their_layers():
    model = KerasCNN(10, dropouts=(0.1, 0.2, 0.3), head_dropout=0.6)
    assert [module.p for module in model.modules() if isinstance(module, nn.Dropout)] == [0.1, 0.2, 0.3, 0.6]


def test_norm_constants_are_keras_defaults_and_arguments():
    for arguments, expected in (({}, (1e-3, 0.01)), ({"norm_eps": 1e-5, "norm_momentum": 0.1}, (1e-5, 0.1))):
        model = KerasCNN(10, **arguments)
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        assert len(norms) == 7
        assert {(norm.eps, norm.momentum) for norm in norms} == {expected}


@pytest.mark.parametrize("shape", [(8, 5), (8, 5, 4, 4)])
def test_running_statistics_move_by_momentum_towards_the_biased_variance(shape):
    norm = KerasBatchNorm(5, momentum=0.25)
    mean, variance = torch.zeros(5), torch.ones(5)
    for seed in (1, 2):
        values = 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)) + 2
        norm(values)
        mean = 0.75 * mean + 0.25 * values.transpose(0, 1).flatten(1).mean(dim=1)
        variance = 0.75 * variance + 0.25 * biased(values)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    assert norm.num_batches_tracked == 2


def test_without_momentum_the_statistics_are_the_mean_over_batches():
    norm = KerasBatchNorm(5, momentum=None)
    batches = [torch.randn(6, 5, generator=torch.Generator().manual_seed(seed)) * seed for seed in (1, 2, 3)]
    for values in batches:
        norm(values)
    torch.testing.assert_close(norm.running_var, torch.stack([biased(values) for values in batches]).mean(dim=0))
    torch.testing.assert_close(norm.running_mean, torch.stack([values.mean(dim=0) for values in batches]).mean(dim=0))


def test_norm_has_pytorchs_state_and_outputs_and_lets_two_passes_share_a_backward():
    norm, pytorchs = KerasBatchNorm(5), nn.BatchNorm2d(5)
    assert list(norm.state_dict()) == list(pytorchs.state_dict())
    images = torch.randn(4, 5, 3, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    torch.testing.assert_close(norm(images), pytorchs(images))
    (norm(images) * norm(2 * images)).sum().backward()
    norm.eval()
    before = norm.running_var.clone()
    norm(images)
    assert torch.equal(norm.running_var, before) and norm.num_batches_tracked == 3


def test_compiles_as_one_graph():
    model = KerasCNN(10, image_size=8, widths=(4,), dropouts=(0.0,), head_dropout=0.0)
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = model(images)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), expected)
    assert model.head.norm.num_batches_tracked == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_classes": 0}, ["num_classes: got 0", "1 or more", "num_classes: 10"]),
        ({"in_channels": 0}, ["in_channels: got 0", "1 or more", "in_channels: 3"]),
        ({"dense_width": -1}, ["dense_width: got -1", "1 or more", "dense_width: 128"]),
        ({"widths": [], "dropouts": []}, ["widths: got []", "1 or more", "widths: [32, 64, 128]"]),
        ({"widths": (32, 0, 128)}, ["widths: got [32, 0, 128]", "1 or more", "widths: [32, 64, 128]"]),
        ({"dropouts": (0.2, 0.3)}, ["dropouts: got [0.2, 0.3]", "3 widths [32, 64, 128]", "dropouts: [0.2, 0.2, 0.2]"]),
        ({"widths": [8]}, ["dropouts: got [0.2, 0.3, 0.4]", "1 widths [8]", "dropouts: [0.2]"]),
        ({"dropouts": (0.2, 1.0, 0.4)}, ["dropouts: got [0.2, 1.0, 0.4]", "not including, 1"]),
        ({"dropouts": (0.2, -0.1, 0.4)}, ["dropouts: got [0.2, -0.1, 0.4]", "from 0"]),
        ({"head_dropout": 1.5}, ["head_dropout: got 1.5", "not including, 1", "head_dropout: 0.5"]),
        ({"head_dropout": math.nan}, ["head_dropout: got nan"]),
        ({"norm_eps": 0.0}, ["norm_eps: got 0.0", "above 0", "norm_eps: 0.001"]),
        ({"norm_momentum": 0.0}, ["norm_momentum: got 0.0", "at most 1", "norm_momentum: 0.01"]),
        ({"norm_momentum": 1.1}, ["norm_momentum: got 1.1", "at most 1", "norm_momentum: 0.01"]),
        ({"image_size": 7}, ["image_size: got 7", "8 pixels or more", "fewer widths", "image_size: 8"]),
    ],
)
def test_wrong_arguments_are_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError) as error:
        KerasCNN(**{"num_classes": 10, **arguments})
    for word in words:
        assert word in str(error.value)
