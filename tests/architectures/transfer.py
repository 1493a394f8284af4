"""Weights copied between two networks of one architecture, to compare what they compute."""

import math
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

# What an entry of a state dict can be besides a weight, told by how its name ends.
KINDS = ("bias", "running_mean", "running_var", "num_batches_tracked")


def randomise(network: nn.Module, seed: int = 0) -> None:
    """Fill weights, biases and statistics with numbers of which none passes by being 0 or 1.

    Signals keep about their scale: matrices and kernels have variance 1 / fan-in, norms' weights and running variances
    lie in 0.5 to 1.5, biases and running means in -0.5 to 0.5.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if kind(name) == "weight" and tensor.ndim > 1:
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / math.sqrt(tensor[0].numel()))
        elif tensor.is_floating_point():
            lowest = 0.5 if kind(name) in ("weight", "running_var") else -0.5
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + lowest)


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """Copy what `source` holds into `target`, whatever the names: the n-th entry of a kind and shape into the n-th.

    Raises:
        ValueError: one of the two holds an entry of a kind and shape more than the other.
    """
    sources, targets = by_kind_and_shape(source), by_kind_and_shape(target)
    for key in sources.keys() | targets.keys():
        if len(sources[key]) != len(targets[key]):
            raise ValueError(f"{key}: {len(sources[key])} in the source, {len(targets[key])} in the target")
        for copied, original in zip(targets[key], sources[key], strict=True):
            copied.copy_(original)


def by_kind_and_shape(network: nn.Module) -> dict[tuple[str, tuple[int, ...]], list[Tensor]]:
    entries = defaultdict(list)
    for name, tensor in network.state_dict().items():
        entries[kind(name), tuple(tensor.shape)].append(tensor)
    return entries


def kind(name: str) -> str:
    return next((kind for kind in KINDS if name.endswith(kind)), "weight")


def assert_same_logits(
    reference: nn.Module,
    network: nn.Module,
    images_shape: tuple[int, int, int, int],
    modes: Sequence[str] = ("eval", "train"),
    limit: float = 1e-9,
) -> None:
    """Compare in float64, to which both stay converted: the greatest difference relative to the largest logit."""
    images = torch.rand(images_shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for mode in modes:
        with torch.no_grad():
            expected, actual = (module.double().train(mode == "train")(images) for module in (reference, network))
        assert expected.std() > 1e-3, f"{mode}: the reference gives the same logits for everything"
        difference = ((actual - expected).abs().max() / expected.abs().max()).item()
        assert difference < limit, f"{mode}: logits differ by {difference:.1e} of the largest"
