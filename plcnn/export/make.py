"""Makes an export in memory: the classifier's module, traced, in the format and precision that were asked for."""

import torch
from torch import Tensor

from plcnn.classifier import Classifier
from plcnn.errors import UserError, first_line
from plcnn.export.artifact import Artifact, Format, Precision
from plcnn.export.int8 import quantised
from plcnn.export.module import Exported
from plcnn.export.quiet import quiet
from plcnn.export.to_onnx import to_model, to_onnx
from plcnn.export.to_pt2 import program, to_pt2
from plcnn.export.to_safetensors import to_safetensors
from plcnn.terminal import printable

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "int8": torch.float32}
"""The type that the module is traced in; int8 is made of the fp32 graph."""


def make(
    classifier: Classifier, format: Format, precision: Precision, contract: str, seen: Tensor | None = None
) -> Artifact | bytes:
    """Export a classifier into memory.

    Args:
        classifier: trained, on the CPU.
        format: of the file.
        precision: one of the format's.
        contract: the contract's JSON.
        seen: for int8, uint8 pictures (pictures, channels, height, width) that set the ranges.

    Returns:
        The file with a function that runs it; of safetensors, which are no program, the file alone.

    Raises:
        UserError: if the architecture cannot be exported.
    """
    try:
        with quiet():
            if format == "safetensors":
                return to_safetensors(classifier, contract)
            traced = program(Exported(classifier, DTYPES[precision]), classifier.image_shape)
            if format == "pt2":
                return to_pt2(traced, contract)
            model = to_model(traced)
            return to_onnx(model if seen is None else quantised(model, seen), contract)
    except UserError:
        raise
    except Exception as error:  # exporters raise anything
        raise UserError(
            f"export: {classifier.arch!r} cannot be brought to {format} in {precision}: "
            f"{type(error).__name__}: {printable(first_line(error))[:200]}"
        ) from error
