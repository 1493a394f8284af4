"""SHA-256 of tensors: the same on every machine for the same values."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from plcnn.data.kept.stores import Pictures

IN_A_STORE = "not hashed: they lie in a store"
"""What stands for the hash of pictures that are read when a batch needs them."""

_AT_ONCE = 4096


def tensor_hash(value: Tensor) -> str:
    """SHA-256 of a tensor's bytes, on any device, its last dimension fastest; copied, if at all, a part at a time."""
    digest = hashlib.sha256()
    for part in value.detach().split(_AT_ONCE) if value.ndim else [value.detach()]:
        digest.update(as_bytes(part.cpu()))
    return digest.hexdigest()


def pictures_hash(images: Pictures) -> str:
    """SHA-256 of pictures in memory; `IN_A_STORE` for others."""
    return tensor_hash(images) if isinstance(images, Tensor) else IN_A_STORE


def weights_hash(state: Mapping[str, Any]) -> str:
    """SHA-256 over tensors: name, type, shape and bytes of each, in the order of the names."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(as_bytes(value.detach().cpu()))
    return digest.hexdigest()


def as_bytes(value: Tensor) -> memoryview:
    """A tensor's bytes, its last dimension fastest, without a copy where it lies so already."""
    flat = value.contiguous().reshape(-1)
    # a tensor with no element may have any stride, and is then not viewed as bytes
    return torch.as_strided(flat, flat.shape, (1,)).view(torch.uint8).numpy().data
