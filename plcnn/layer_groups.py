"""The layers of any network in groups, from the picture up to the head: what is frozen, thawed or slowed together.

The head is what gives the classes' logits: what timm's `get_classifier` names, else the last layer with an output for
each class. The groups below it are those of timm's `group_matcher` (coarse: stem, stages or blocks), else the network's
own parts in the order in which it registered them: its children, of which the largest is split into its own children
until there are four groups. Normalisation layers and single scales join the group before them.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from torch import nn

LEAST_GROUPS = 4
"""Groups below the head, as far as a network has parts for them."""


def head_of(network: nn.Module, num_classes: int) -> list[str]:
    """Names of the head's parameters and statistics.

    Args:
        network: a classifier.
        num_classes: how many logits it gives.

    Returns:
        Names as in `state_dict`; those of the last layer that has any parameters where none is as wide as the classes.
    """
    layers = {name: layer for name, layer in network.named_modules() if name}
    get_classifier = getattr(network, "get_classifier", None)
    named = get_classifier() if callable(get_classifier) else ()
    named = named if isinstance(named, tuple | list) else (named,)
    heads = [name for name, layer in layers.items() if any(layer is one for one in named) and _own_names(layer, name)]
    if not heads:
        holding = [name for name, layer in layers.items() if any(True for _ in layer.parameters(recurse=False))]
        wide = [name for name in holding if any(len(p) == num_classes for p in _matrices(layers[name]))]
        heads = (wide or holding)[-1:]
    return [name for head in heads for name in _own_names(layers[head], head)]


def layer_groups(network: nn.Module, num_classes: int) -> list[list[str]]:
    """The names of a network's parameters in groups, each parameter in one.

    Args:
        network: a classifier.
        num_classes: how many logits it gives.

    Returns:
        One list of names a group, the lowest layers first, the head last.
    """
    sizes = {name: parameter.ndim for name, parameter in network.named_parameters()}
    head = [name for name in head_of(network, num_classes) if name in sizes]
    below = [[name for name in group if name in sizes and name not in head] for group in _groups(network, set(head))]
    return [*_joined(below, sizes), head or list(sizes)[-1:]]


def name_of(group: list[str]) -> str:
    """What a group is called: the part of the network that holds all of it, but for what joined it from elsewhere."""
    child = group[0].partition(".")[0]
    parts = [name.split(".")[:-1] for name in group if name.partition(".")[0] == child]
    shared = [one[0] for one in itertools.takewhile(lambda one: len(set(one)) == 1, zip(*parts, strict=False))]
    return ".".join(shared) or group[0]


def _groups(network: nn.Module, head: set[str]) -> list[list[str]]:
    matcher = getattr(network, "group_matcher", None)
    if callable(matcher):
        try:
            from timm.models import group_parameters
        except ModuleNotFoundError:
            pass
        else:
            return list(group_parameters(network, matcher(coarse=True)).values())
    return _stages(network, head)


def _stages(network: nn.Module, head: set[str]) -> list[list[str]]:
    """The network's parts, the largest split until there are enough."""
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters() if name not in head}
    dimensions = {name: parameter.ndim for name, parameter in network.named_parameters()}
    parts: list[tuple[str, list[str]]] = [("", list(sizes))]
    while len(_joined([names for _, names in parts], dimensions)) < LEAST_GROUPS:
        splits = [(place, list(_split(network, *part))) for place, part in enumerate(parts)]
        splits = [(place, pieces) for place, pieces in splits if pieces]
        if not splits:
            break
        place, pieces = max(splits, key=lambda split: sum(sizes[name] for name in parts[split[0]][1]))
        parts[place : place + 1] = pieces
    return [names for _, names in parts]


def _split(network: nn.Module, prefix: str, names: list[str]) -> Iterator[tuple[str, list[str]]]:
    """A part's children that hold some of its parameters; those that no child holds go with the first of them."""
    part = network.get_submodule(prefix)
    children = [f"{prefix}.{child}".lstrip(".") for child, _ in part.named_children()]
    held = [(child, [name for name in names if name.startswith(f"{child}.")]) for child in children]
    held = [(child, own) for child, own in held if own]
    taken = {name for _, own in held for name in own}
    for place, (child, own) in enumerate(held):
        yield child, [*(name for name in names if name not in taken and place == 0), *own]


def _joined(groups: list[list[str]], dimensions: dict[str, int]) -> list[list[str]]:
    """Groups without the empty ones, those of vectors alone joined to the one before them."""
    joined: list[list[str]] = []
    for group in groups:
        if joined and all(dimensions[name] < 2 for name in group):
            joined[-1] += group
        elif group:
            joined.append(list(group))
    return joined


def frozen_statistics(network: nn.Module, frozen: set[str]) -> list[nn.Module]:
    """The normalisation layers that keep running statistics and lie in frozen groups.

    Args:
        network: a classifier.
        frozen: names of the parameters that are not trained.

    Returns:
        The layers. One without parameters is frozen as the nearest before it that has some.
    """
    found, is_frozen = [], False
    for name, layer in network.named_modules():
        own = [f"{name}.{parameter}".lstrip(".") for parameter, _ in layer.named_parameters(recurse=False)]
        is_frozen = not frozen.isdisjoint(own) if own else is_frozen  # some of its own may never be trained
        if is_frozen and getattr(layer, "running_mean", None) is not None:
            found.append(layer)
    return found


def _own_names(layer: nn.Module, name: str) -> list[str]:
    return [f"{name}.{own}" for own in layer.state_dict()]


def _matrices(layer: nn.Module) -> Iterator[Any]:
    return (parameter for parameter in layer.parameters(recurse=False) if parameter.ndim > 1)
