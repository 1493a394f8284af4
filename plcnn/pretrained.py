"""Weights that a library of models has trained: what an architecture offers, and how they are asked for and missed.

An architecture offers them where it is registered, `@register(weights=LibraryWeights(load, adapted))`; `torchvision`
and `timm` do, and a user's own architecture may.
"""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor

from plcnn.data.scaling import IMAGENET, Scaling
from plcnn.errors import UserError, first_line
from plcnn.suggestions import did_you_mean
from plcnn.terminal import printable

PRETRAINED = "pretrained"
"""What `--model.weights` is for a library's own weights, alone or with a tag: `pretrained:TAG`."""

SAME_SCALING = 2e-3
"""Means and deviations that differ by less, of pixels from 0 to 1, are taken for the same."""

PATIENCE = 5.0
"""Seconds until a server that gives no sign of life counts as out of reach."""


class Pretrained(NamedTuple):
    """A library's weights.

    Attributes:
        tensors: by the names that the network has for them.
        name: what the library calls them.
        scaling: mean and standard deviation of the pictures that they were trained on; None: not known.
    """

    tensors: Mapping[str, Tensor]
    name: str
    scaling: Scaling | None = None


class LibraryWeights(NamedTuple):
    """What an architecture offers beside its builder. Both functions get the builder's arguments that they name.

    Attributes:
        load: gives the weights with a `tag`, or with the library's default for an empty one, as `Pretrained`. It raises
            a `UserError` where there are none, as `unknown_tag` and `not_loaded` word it.
        adapted: gives the `tensors` of a weight file for the network's picture size, position embeddings say, under the
            names that the network has for them; it may raise anything where they are no weights of this network.

    Channels and the last layer need no care: `plcnn.weights` fits them to the network.
    """

    load: Callable[..., Pretrained]
    adapted: Callable[..., Mapping[str, Tensor]] | None = None


def tag_of(weights: str) -> str | None:
    """The tag in `pretrained` (an empty one) or `pretrained:TAG`; None where the weights are a file."""
    word, _, tag = weights.partition(":")
    return tag if word == PRETRAINED else None


def load(architecture: Any, weights: str, **given: Any) -> Pretrained:
    """The weights that were asked for as `pretrained` or `pretrained:TAG`.

    Args:
        architecture: the choice of an architecture.
        weights: what was typed.
        given: what the data determines.

    Raises:
        UserError: if the architecture has none, or they cannot be loaded.
    """
    offered: LibraryWeights | None = architecture.weights
    if offered is None:
        able = [name for name in architecture.registry.names() if architecture.registry[name].weights]
        raise UserError(
            f"--model.weights {printable(weights)}: the architecture {architecture.name} has no weights of a library; "
            f"these have: {', '.join(able)}. Weights of your own: --model.weights FILE",
            exit_code=2,
        )
    try:
        found: Pretrained = architecture.call(offered.load, tag=tag_of(weights), **given)
    except UserError as error:
        raise UserError(f"--model.weights {printable(weights)}: {error}", error.exit_code) from error
    return found


def unknown_tag(model: str, tag: str, tags: Sequence[str]) -> UserError:
    """The error for a set of weights that a library does not have.

    Args:
        model: the library's name and the model's.
        tag: what was asked for; empty for the default.
        tags: those that there are.
    """
    if not tags:
        return UserError(f"{model} has no pretrained weights; choose another --model.arch.model, or leave them out.")
    return UserError(f"{model} has no weights with the tag {printable(tag)!r}. {did_you_mean(tag, tags)}")


def not_loaded(name: str, where: str, error: Exception, way_out: str) -> UserError:
    """The error for weights that could not be loaded: what was tried, what was said, where to put the file.

    Args:
        name: what the library calls them.
        where: the address that was tried.
        error: what the library raised.
        way_out: which file to get, and what to do with it; the option that names a file follows.
    """
    said = printable(first_line(error) or type(error).__name__)[:200]
    return UserError(
        f"{name} could not be loaded from {where} ({said}).\nWithout a network: {way_out}: --model.weights FILE"
    )


@contextmanager
def patience() -> Iterator[None]:
    """Give up on a server that says nothing for `PATIENCE` seconds, where nobody has set how long to wait."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE if before is None else before)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def scaled_otherwise(wanted: Scaling, own: Scaling) -> str:
    """What to say where pictures are not scaled as those were that weights were trained on; empty where they are.

    Args:
        wanted: the scaling that the weights know.
        own: that of the run, a value a channel.
    """
    wanted = wanted.for_channels(len(own.mean))
    pairs = zip([*wanted.mean, *wanted.std], [*own.mean, *own.std], strict=True)
    if all(abs(one - other) < SAME_SCALING for one, other in pairs):
        return ""
    there, here = ((_as_list(scaling.mean), _as_list(scaling.std)) for scaling in (wanted, own))
    known = wanted == IMAGENET.for_channels(len(own.mean))
    remedy = "--model.normalize imagenet" if known else f"--model.mean '{there[0]}' --model.std '{there[1]}'"
    return (
        f"these weights were trained on pictures scaled by mean {there[0]} and std {there[1]}, not by {here[0]} and "
        f"{here[1]}: {remedy}"
    )


def _as_list(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:.3g}' for value in values)}]"
