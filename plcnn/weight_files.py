"""Files of weights, read safely: plcnn's checkpoints and exports, and what timm, torchvision and others save."""

import argparse
import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from plcnn import checkpoint
from plcnn.architectures import architectures
from plcnn.data.scaling import IMAGENET, Scaling
from plcnn.errors import UserError
from plcnn.export.artifact import CONTRACT
from plcnn.terminal import printable

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Keys under which training programs keep weights in their files; averaged ones go first, as timm takes them."""

READABLE = "Readable are .safetensors files, and tensors by name: torch.save(network.state_dict(), FILE)."
"""What else may be said of a file that cannot be read."""


class Held(NamedTuple):
    """What a file holds.

    Attributes:
        tensors: by their names in the file.
        made_of: the network that they are of, in words, as far as the file says it.
        classes: the class names, which plcnn's files know.
        scaling: of the pictures that the weights were trained on, likewise.
        note: which of several sets of weights these are.
    """

    tensors: dict[str, Tensor]
    made_of: str = ""
    classes: list[str] | None = None
    scaling: Scaling | None = None
    note: str = ""


def read(path: Path) -> Held:
    """Read a safetensors file, or one of `torch.save` that holds tensors and plain data alone.

    Raises:
        UserError: if it cannot be read, was refused, or holds no tensors, or several sets of them under unknown names.
    """
    try:
        content, known = _read_safetensors(path) if _is_safetensors(path) else _read_torch(path)
    except UserError as error:
        raise UserError(f"--model.weights: {error}\n{READABLE}", exit_code=2) from error
    content = content if isinstance(content, Mapping) else {}
    sets = {key: value for key, value in content.items() if isinstance(value, Mapping) and _tensors(value)}
    key = next((key for key in WRAPPERS if key in sets), next(iter(sets), None))
    if len(sets) > 1 and key not in WRAPPERS:
        names = printable(", ".join(map(str, sets)))[:100]
        raise UserError(f"--model.weights {path}: holds several sets of weights, {names}; save one alone.", exit_code=2)
    tensors = _tensors(content if key is None else sets[key])
    if not tensors:
        raise UserError(f"--model.weights {path}: holds no weights, that is tensors by name.\n{READABLE}", exit_code=2)
    classes = known.get("classes")
    return Held(
        tensors,
        _made_of(known),
        classes if isinstance(classes, list) else None,
        _scaling(known),
        f"its {key}, not its {' or '.join(str(other) for other in sets if other != key)}" if len(sets) > 1 else "",
    )


def under_names(tensors: Mapping[str, Tensor], names: Container[str]) -> dict[str, Tensor]:
    """A file's tensors by the names that a network has for them, without what stands before all of those.

    That is `net.` in plcnn's checkpoints, `module.` in those of DataParallel, `_orig_mod.` in those of compiled
    networks, and the name of an attribute in those of Lightning's modules, which hold more than the network.

    Args:
        tensors: by their names in the file.
        names: what the network's tensors are called.

    Returns:
        The tensors behind the prefix with which most of the network's names are found; all of them, as they are, where
        no prefix is the best, or most of what stands behind it is not the network's.
    """
    counts = Counter(prefix for name in tensors for prefix in _prefixes(name) if name[len(prefix) :] in names)
    best = [prefix for prefix in counts if counts[prefix] == max(counts.values())]
    prefix = best[0] if len(best) == 1 else ""
    behind = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return behind if 2 * counts[prefix] > len(behind) else dict(tensors)


def _prefixes(name: str) -> Iterator[str]:
    """What may stand before a tensor's name: nothing, or whole parts of it, each with its dot."""
    yield ""
    yield from (name[: place + 1] for place, letter in enumerate(name) if letter == ".")


def _tensors(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _made_of(known: Mapping[str, Any]) -> str:
    """The network that a file's weights are of; timm's training script writes its name."""
    arch, shape = known.get("arch"), known.get("image_shape")
    name = arch.get("class_path") if isinstance(arch, dict) else arch
    if not isinstance(name, str):
        return ""
    with suppress(UserError, TypeError):  # it is not registered here, or has other arguments
        name = architectures.choose(arch).short() if isinstance(arch, dict) else name
    size = f" for pictures of {' × '.join(map(str, shape))}" if isinstance(shape, list | tuple) else ""
    return printable(f"{name}{size}")[:200]


def _scaling(known: Mapping[str, Any]) -> Scaling | None:
    """How a file's settings say that pictures are scaled."""
    mean, std = known.get("mean"), known.get("std")
    if all(isinstance(values, list) and all(type(v) in (int, float) for v in values) for values in (mean, std)):
        return Scaling(mean, std)  # type: ignore[arg-type]
    return IMAGENET if known.get("normalize") == "imagenet" else None


def _read_torch(path: Path) -> tuple[Any, Mapping[str, Any]]:
    """What a file of `torch.save` holds, and its settings."""
    with torch.serialization.safe_globals([argparse.Namespace]):  # plain data, in files of timm's and torchvision's
        content = checkpoint.read_safely(path)
    if not isinstance(content, Mapping):
        return content, {}
    known = content.get("hyper_parameters")
    return content, known if isinstance(known, Mapping) else {"arch": content.get("arch")}


def _is_safetensors(path: Path) -> bool:
    """Whether a file is one by its name, or by its first bytes: a header's length, and its JSON."""
    if path.suffix == ".safetensors" or not path.is_file():
        return path.suffix == ".safetensors"
    try:
        with path.open("rb") as file:
            return file.read(9)[8:] == b"{"
    except OSError:  # told by who reads it
        return False


def _read_safetensors(path: Path) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The tensors, and the settings that an export of plcnn's tells."""
    from safetensors import SafetensorError, safe_open

    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is no plain file.")
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            told = (file.metadata() or {}).get(CONTRACT)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or 'there is no such file'}.") from error
    except SafetensorError as error:
        raise UserError(f"{path}: no safetensors file, or a broken one.") from error
    try:
        contract = json.loads(told or "{}")
    except ValueError:
        contract = None
    contract = contract if isinstance(contract, dict) else {}
    return tensors, {**contract, "arch": contract.get("architecture")}
