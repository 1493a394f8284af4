"""Weights from a local file to start a training from: a checkpoint of plcnn's, or a file of torchvision's or timm's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from plcnn import checkpoint
from plcnn.checkpoint_content import not_finite
from plcnn.errors import UserError
from plcnn.paths import expanded

WRAPPERS = ("state_dict", "model")
"""Keys under which training programs keep the weights in their files."""

PREFIXES = ("net.", "module.")
"""What stands before the names of weights in plcnn's checkpoints, and in those of DataParallel."""


def load_weights(network: nn.Module, path: str | Path, num_classes: int) -> list[str]:
    """Give a network the weights in a file.

    Where the file was made for another number of classes, the tensors that depend on it keep their initial values.

    Args:
        network: the network, changed in place.
        path: a `.safetensors` file, or one of `torch.save` that holds tensors and plain data alone.
        num_classes: the network's number of classes.

    Returns:
        Names of the tensors that kept their initial values.

    Raises:
        UserError: if the file cannot be read or was refused, or its tensors are not the network's.
    """
    path = expanded(path)
    found, own = _tensors(path), network.state_dict()
    other_classes = {
        name
        for name, tensor in found.items()
        if name in own
        and tensor.shape != own[name].shape
        and tensor.shape[1:] == own[name].shape[1:]
        and own[name].shape[0] == num_classes
    }
    problems = [
        *(f"it has no {name}" for name in own if name not in found and not name.endswith("num_batches_tracked")),
        *(f"the network has no {name}" for name in found if name not in own),
        *(
            f"{name} is {_shape(found[name])} there and {_shape(own[name])} in the network"
            for name in own
            if name in found and name not in other_classes and found[name].shape != own[name].shape
        ),
    ]
    if problems:
        more = f" (and {len(problems) - 1:,} more)" if len(problems) > 1 else ""
        raise UserError(
            f"--model.weights {path} does not fit the network: {problems[0]}{more}. "
            "Choose the architecture and the arguments that the file was made with.",
            exit_code=2,
        )
    if name := not_finite(found):
        raise UserError(f"--model.weights {path}: {name} holds values that are infinite or no numbers.", exit_code=2)
    network.load_state_dict({**own, **{name: found[name] for name in found if name not in other_classes}})
    return sorted(other_classes)


def _tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file under the names that a bare network gives them."""
    try:
        content = _read_safetensors(path) if path.suffix == ".safetensors" else checkpoint.read_safely(path)
    except UserError as error:
        raise UserError(f"--model.weights: {error}", exit_code=2) from error
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"--model.weights {path}: holds no weights, that is tensors by name.", exit_code=2)
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in PREFIXES:
        if any(name.startswith(prefix) for name in tensors):
            tensors = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    return tensors


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is no plain file.")
    try:
        return load_file(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or 'there is no such file'}.") from error
    except SafetensorError as error:
        raise UserError(f"{path}: no safetensors file, or a broken one.") from error


def _shape(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "a number"
