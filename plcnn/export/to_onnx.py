"""Export to ONNX, run by ONNX Runtime."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from plcnn.export.artifact import CONTRACT, Artifact

if TYPE_CHECKING:
    from onnx import ModelProto

OUTPUTS = ["probabilities", "logits"]


def to_model(traced: ExportedProgram) -> "ModelProto":
    """Bring a traced module to ONNX, with all its weights in one piece."""
    made = torch.onnx.export(traced, dynamo=True, verbose=False, input_names=["images"], output_names=OUTPUTS)
    assert made is not None
    return made.model_proto


def to_onnx(model: "ModelProto", contract: str) -> Artifact:
    """Bring a model to the bytes of an .onnx file.

    Args:
        model: the model; the contract is added to its metadata.
        contract: the contract's JSON.
    """
    import onnx

    onnx.helper.set_model_props(model, {CONTRACT: contract})
    content = model.SerializeToString()
    onnx.checker.check_model(content)
    session = _session(content)

    def run(images: Tensor) -> tuple[Tensor, Tensor]:
        probabilities, logits = session.run(OUTPUTS, {"images": np.ascontiguousarray(images.numpy())})
        return torch.from_numpy(probabilities), torch.from_numpy(logits)

    return Artifact(content, run)


def _session(content: bytes):  # type: ignore[no-untyped-def]  # ONNX Runtime has no types
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads would slow PyTorch's
    options.intra_op_num_threads = torch.get_num_threads()  # as many as the checkpoint, for the speed's sake
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
