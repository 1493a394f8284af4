"""Files of weights, read safely: plcnn's checkpoints, and what torchvision, timm and other programs save."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from plcnn import checkpoint
from plcnn.data.scaling import IMAGENET, Scaling
from plcnn.errors import UserError

WRAPPERS = ("state_dict", "model")
"""Keys under which training programs keep the weights in their files."""

PREFIXES = ("net.", "module.")
"""What stands before the names of weights in plcnn's checkpoints, and in those of DataParallel."""


class Held(NamedTuple):
    """What a file holds.

    Attributes:
        tensors: by the names that a bare network gives them.
        classes: the class names, which plcnn's checkpoints know.
        scaling: of the pictures that the weights were trained on, likewise.
    """

    tensors: dict[str, Tensor]
    classes: list[str] | None = None
    scaling: Scaling | None = None


def read(path: Path) -> Held:
    """Read a `.safetensors` file, or one of `torch.save` that holds tensors and plain data alone.

    Raises:
        UserError: if it cannot be read, was refused, or holds no tensors.
    """
    try:
        content = _read_safetensors(path) if path.suffix == ".safetensors" else checkpoint.read_safely(path)
    except UserError as error:
        raise UserError(f"--model.weights: {error}", exit_code=2) from error
    known = content.get("hyper_parameters") if isinstance(content, Mapping) else None
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"--model.weights {path}: holds no weights, that is tensors by name.", exit_code=2)
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in PREFIXES:
        if any(name.startswith(prefix) for name in tensors):
            tensors = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    known = known if isinstance(known, Mapping) else {}
    classes = known.get("classes")
    return Held(tensors, classes if isinstance(classes, list) else None, _scaling(known))


def _scaling(known: Mapping[str, Any]) -> Scaling | None:
    """How a checkpoint's hyper-parameters say that pictures are scaled."""
    mean, std = known.get("mean"), known.get("std")
    if all(isinstance(values, list) and all(type(v) in (int, float) for v in values) for values in (mean, std)):
        return Scaling(mean, std)  # type: ignore[arg-type]
    return IMAGENET if known.get("normalize") == "imagenet" else None


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
