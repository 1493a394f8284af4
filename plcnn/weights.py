"""Weights to start a training from: a file of plcnn's, torchvision's or timm's, a run, or a library's own."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from plcnn import checkpoint, pretrained
from plcnn.checkpoint_content import not_finite
from plcnn.choice import Choice
from plcnn.data.scaling import Scaling
from plcnn.errors import UserError
from plcnn.hashes import weights_hash
from plcnn.layer_groups import head_of
from plcnn.paths import expanded
from plcnn.suggestions import near
from plcnn.terminal import printable
from plcnn.weight_files import Held, read, under_names

WAY_OUT = "Choose the architecture and the arguments that the file was made with."
"""What helps where weights do not fit."""

ADDRESSES = ("http://", "https://", "hf-hub:", "hf://", "s3://", "gs://")
"""What stands before weights on the network."""


class Start(NamedTuple):
    """What a training starts from.

    Attributes:
        origin: the file, or the library's name for its weights.
        fresh: names of the tensors that start afresh.
        notes: what else was changed, in words.
        scaling: of the pictures that the weights were trained on; None: not known.
        file: the file; None for a library's weights.
        digest: SHA-256 of a library's weights.
    """

    origin: str
    fresh: list[str]
    notes: list[str]
    scaling: Scaling | None = None
    file: Path | None = None
    digest: str | None = None


def start_from(
    network: nn.Module, weights: str, architecture: Choice, classes: Sequence[str], image_shape: tuple[int, int, int]
) -> Start:
    """Give a network the weights that were asked for.

    The head starts afresh where they know other classes; a first convolution for another number of channels is summed
    up or repeated, as timm does it, and one of another size starts afresh.

    Args:
        network: the network, changed in place.
        weights: a file, a run folder (its best checkpoint is taken), `pretrained`, or `pretrained:TAG`.
        architecture: what the network was built by.
        classes: the class names.
        image_shape: channels, height and width of a picture.

    Raises:
        UserError: if the weights cannot be read or loaded, or are not the network's.
    """
    channels, height, _ = image_shape
    given = {"num_classes": len(classes), "in_channels": channels, "image_size": height}
    if pretrained.tag_of(weights) is not None:
        found = pretrained.load(architecture, weights, **given)
        fresh, notes = _give(network, found.tensors, len(classes), f"{weights} ({found.name})")
        return Start(found.name, fresh, notes, found.scaling, digest=weights_hash(found.tensors))
    path = _file(weights)
    held = read(path)
    tensors = _adapted(network, under_names(held.tensors, network.state_dict()), architecture, given)
    other = held.classes is not None and held.classes != list(classes)
    fresh, notes = _give(network, tensors, len(classes), str(path), other, _way_out(held, architecture))
    return Start(str(path), fresh, [*([held.note] if held.note else []), *notes], held.scaling, file=path)


def load_weights(network: nn.Module, path: str | Path, num_classes: int) -> list[str]:
    """Give a network the weights in a file, as `start_from` does.

    Args:
        network: the network, changed in place.
        path: a `.safetensors` file, or one of `torch.save` that holds tensors and plain data alone.
        num_classes: the network's number of classes.

    Returns:
        Names of the tensors that start afresh.

    Raises:
        UserError: if the file cannot be read or was refused, or its tensors are not the network's.
    """
    return _give(network, under_names(read(expanded(path)).tensors, network.state_dict()), num_classes, str(path))[0]


def _file(weights: str) -> Path:
    path = expanded(weights)
    if weights.startswith(ADDRESSES):
        raise UserError(
            f"--model.weights {printable(weights)}: an address is not loaded. Get the file, and name it, or choose an "
            f"architecture of a library and {pretrained.PRETRAINED}:TAG.",
            exit_code=2,
        )
    if not path.exists() and not path.suffix and near(weights.partition(":")[0], [pretrained.PRETRAINED]):
        raise UserError(f"--model.weights {weights}: no such file. Did you mean {pretrained.PRETRAINED}?", exit_code=2)
    try:
        # find has words for a run or a file that is not there
        return checkpoint.find(path) if path.is_dir() or not path.exists() else path
    except UserError as error:
        inside = sorted(file for file in path.glob("*") if file.suffix in (".safetensors", ".pth", ".bin"))
        meant = f" Did you mean {' or '.join(map(str, inside[:3]))}?" if inside else ""
        raise UserError(f"--model.weights: {error}{meant}", exit_code=2) from error


def _way_out(held: Held, architecture: Choice) -> str:
    """What to do with a file that does not fit."""
    if not held.made_of:
        return WAY_OUT
    return f"The network is {architecture.short()}, the file says that it is of {held.made_of}. {WAY_OUT}"


def _give(
    network: nn.Module,
    found: Mapping[str, Tensor],
    num_classes: int,
    what: str,
    other_classes: bool = False,
    way_out: str = WAY_OUT,
) -> tuple[list[str], list[str]]:
    """Load what fits; returns the names of the tensors that start afresh, and what was changed in words.

    Raises:
        UserError: if something else than the head and the first convolution does not fit.
    """
    own = network.state_dict()
    taken, notes = _for_channels(found, own)
    fresh = {*_other_classes(taken, own, num_classes), *_other_kernels(taken, own)}
    head = head_of(network, num_classes)
    gives_features = not any(name in taken for name in head) and any(name in taken for name in own)
    if other_classes or gives_features:
        fresh |= set(head)
    if problems := _problems(taken, own, fresh):
        raise UserError(
            f"--model.weights {what} does not fit the network: {'; '.join(problems)}.\n{way_out}", exit_code=2
        )
    if name := not_finite(taken):
        raise UserError(f"--model.weights {what}: {name} holds values that are infinite or no numbers.", exit_code=2)
    network.load_state_dict({**own, **{name: tensor for name, tensor in taken.items() if name not in fresh}})
    _draw_small(network, fresh)
    return sorted(fresh), notes


def _draw_small(network: nn.Module, fresh: set[str]) -> None:
    """Draw linear layers that start afresh by their number of inputs, as PyTorch does.

    Some networks draw them by their number of outputs; with a few classes, on features that are no longer small, logits
    would be some tens.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear) and f"{name}.weight" in fresh:
            layer.reset_parameters()


def _problems(found: Mapping[str, Tensor], own: Mapping[str, Tensor], fresh: set[str]) -> list[str]:
    """What of the tensors does not fit, in words: how many, and the first of them."""
    lacking = [n for n in own if n not in found and n not in fresh and not n.endswith("num_batches_tracked")]
    unknown = [printable(name)[:100] for name in found if name not in own]
    others = [
        f"{name} is {_shape(found[name])} there and {_shape(own[name])} in the network"
        for name in own
        if name in found and name not in fresh and found[name].shape != own[name].shape
    ]
    return [
        *([f"it lacks {len(lacking):,} of {len(own):,} tensors ({_first(lacking)})"] if lacking else []),
        *([f"{len(unknown):,} of its {len(found):,} are not the network's ({_first(unknown)})"] if unknown else []),
        *([f"{len(others):,} of another shape ({_first(others)})"] if others else []),
    ]


def _first(names: list[str]) -> str:
    return f"{names[0]}, ..." if len(names) > 1 else names[0]


def _other_classes(found: Mapping[str, Tensor], own: Mapping[str, Tensor], num_classes: int) -> set[str]:
    """The tensors whose first dimension alone differs, where it is the number of classes."""
    return {
        name
        for name, tensor in found.items()
        if name in own
        and tensor.shape != own[name].shape
        and tensor.shape[1:] == own[name].shape[1:]
        and own[name].shape[0] == num_classes
    }


def _first_convolution(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    name = next((name for name, tensor in own.items() if tensor.ndim == 4), "")
    return name if name in found and found[name].ndim == 4 else ""


def _other_kernels(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> set[str]:
    """The first convolution, where its height and width alone differ: that of another stem."""
    name = _first_convolution(found, own)
    if not name or found[name].shape[:2] != own[name].shape[:2]:
        return set()
    return {name} if found[name].shape != own[name].shape else set()


def _for_channels(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors with the first convolution for as many channels as the network's, and a note of it."""
    name = _first_convolution(found, own)
    if not name or found[name].shape[1] == own[name].shape[1] or found[name].shape[0] != own[name].shape[0]:
        return dict(found), []
    there, here = found[name].shape[1], own[name].shape[1]
    filters = found[name].float()
    if here == 1:
        filters = filters.sum(1, keepdim=True)
    else:
        filters = filters.repeat(1, math.ceil(here / there), 1, 1)[:, :here] * (there / here)
    return {**found, name: filters}, [f"{name} from {there} channel{'s' if there > 1 else ''} to {here}"]


def _adapted(
    network: nn.Module, found: dict[str, Tensor], architecture: Choice, given: dict[str, int]
) -> Mapping[str, Tensor]:
    """The tensors of a file, through the architecture's own adaptation where they do not fit as they are."""
    own = network.state_dict()
    fresh = _other_classes(found, own, given["num_classes"])
    if architecture.weights is None or architecture.weights.adapted is None or not _problems(found, own, fresh):
        return found
    try:
        adapted: Mapping[str, Tensor] = architecture.call(architecture.weights.adapted, tensors=dict(found), **given)
        return adapted
    except Exception:  # they are no weights of this network; what does not fit is told by who loads them
        return found


def _shape(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "a number"
