"""What an export makes: the bytes of a file, and a function that runs them."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from torch import Tensor

Format = Literal["onnx", "pt2", "safetensors"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]

PRECISIONS: dict[str, tuple[str, ...]] = {
    "onnx": ("fp32", "fp16", "int8"),  # ONNX Runtime has no bfloat16 convolution for CPUs, so it could not be checked
    "pt2": ("fp32", "fp16", "bf16"),
    "safetensors": ("fp32",),
}
"""The precisions that each format is written in."""

CONTRACT = "plcnn"
"""The key of the contract among the metadata of a file."""

CONTRACT_FILE = "plcnn.json"
"""The contract's name among the extra files of a .pt2."""

Run = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Maps uint8 (batch, channels, height, width) to probabilities and logits, float32 (batch, classes)."""


class Artifact(NamedTuple):
    """An exported network.

    Attributes:
        content: the bytes of the file.
        run: runs them as another program would.
    """

    content: bytes
    run: Run
