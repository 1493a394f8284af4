"""Export to PyTorch's own format, .pt2: the graph of torch.export with its weights."""

import io

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from plcnn.export.artifact import CONTRACT_FILE, Artifact
from plcnn.export.module import Exported


def program(module: Exported, image_shape: tuple[int, int, int]) -> ExportedProgram:
    """Trace a module for any number of pictures of any size.

    Args:
        module: what is exported.
        image_shape: channels, height and width of the network's pictures.
    """
    channels, height, width = image_shape
    # Sizes that differ from each other and from the network's, so that none of them is taken for another.
    images = torch.zeros((3, channels, height + 5, width + 9), dtype=torch.uint8)
    sizes = {0: Dim("batch"), 2: Dim("height"), 3: Dim("width")}
    with torch.no_grad():
        return torch.export.export(module, (images,), dynamic_shapes={"images": sizes})


def to_pt2(traced: ExportedProgram, contract: str) -> Artifact:
    """Bring a traced module to the bytes of a .pt2 file.

    Args:
        traced: the module.
        contract: the contract's JSON, kept among the extra files.
    """
    buffer = io.BytesIO()
    torch.export.save(traced, buffer, extra_files={CONTRACT_FILE: contract})
    content = buffer.getvalue()
    module = torch.export.load(io.BytesIO(content)).module()

    def run(images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.inference_mode():
            probabilities, logits = module(images)
        return probabilities, logits

    return Artifact(content, run)
