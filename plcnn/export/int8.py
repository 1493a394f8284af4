"""Quantisation to int8 by ONNX Runtime: static, in QDQ form, with ranges seen on training pictures."""

import copy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from onnx import ModelProto

SCOPES = "pkg.torch.onnx.name_scopes"
"""Where the exporter notes, at each node, the module that it comes from."""

PICTURES_AT_ONCE = 64


def quantised(model: "ModelProto", images: Tensor) -> "ModelProto":
    """Quantise the network inside a model; resizing, scaling and softmax stay as they are.

    Weights are int8, one scale a channel, of 7 bits: processors without VNNI add two products of 8 bits in 16, which
    would overflow. Activations are uint8.

    Args:
        model: in fp32, as `onnx.to_model` makes it.
        images: uint8 (pictures, channels, height, width); the least and greatest values that they cause set the ranges.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    outside = [node.name for node in model.graph.node if not _is_of_network(node)]
    with tempfile.TemporaryDirectory() as folder:
        quantize_static(
            _folded(model, Path(folder) / "folded.onnx"),
            Path(folder) / "int8.onnx",
            _reader(images),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=outside,
        )
        return onnx.load(Path(folder) / "int8.onnx")


def _is_of_network(node: Any) -> bool:
    return any(entry.key == SCOPES and "'net'" in entry.value for entry in node.metadata_props)


def _folded(model: "ModelProto", path: Path) -> "ModelProto":
    """The model with batch norms folded into the convolutions before them, as ONNX Runtime would on loading it."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return copy.deepcopy(onnx.load(path))


def _reader(images: Tensor) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
        def __init__(self) -> None:
            self.batches = iter(images.split(PICTURES_AT_ONCE))

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"images": batch.numpy()}

    return Reader()
