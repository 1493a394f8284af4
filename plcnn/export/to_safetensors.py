"""Weights alone, as safetensors: the network's own names, and the contract in the metadata."""

import tempfile
from pathlib import Path

import safetensors.torch
import torch

from plcnn.classifier import Classifier
from plcnn.errors import UserError
from plcnn.export.artifact import CONTRACT
from plcnn.weights import load_weights


def to_safetensors(classifier: Classifier, contract: str) -> bytes:
    """The bytes of a .safetensors file with a network's weights, which `--model.weights` can start from.

    Args:
        classifier: whose weights they are.
        contract: the contract's JSON.

    Raises:
        UserError: if a network that is built anew does not get the same bits from them.
    """
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in classifier.net.state_dict().items()}
    content = safetensors.torch.save(state, {"format": "pt", CONTRACT: contract})
    channels, height, _ = classifier.image_shape
    again = classifier.arch.build(num_classes=len(classifier.classes), in_channels=channels, image_size=height)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        path.write_bytes(content)
        load_weights(again, path, len(classifier.classes))
    read = again.state_dict()
    different = [name for name, tensor in state.items() if not torch.equal(tensor, read[name])]
    if different:
        raise UserError(f"export: {different[0]} is not the same once it is read again; no file was written.")
    return content
