"""The code on a model card that loads the file and asks it; it runs as it stands, beside the file and a picture."""

import json
from typing import Any

from plcnn.data.reading.pictures import MODES

ONNX = """\
import json

import numpy as np
import onnxruntime
{pillow}
session = onnxruntime.InferenceSession({file})
classes = json.loads(session.get_modelmeta().custom_metadata_map["plcnn"])["classes"]
picture = {opened}
images = picture.transpose(2, 0, 1)[None]  # uint8 (1, {channels}, height, width), any size
probabilities, logits = session.run(["probabilities", "logits"], {{"images": images}})
print(classes[probabilities[0].argmax()], probabilities[0].max())
"""

PT2 = """\
import json

import numpy as np
import torch
{pillow}
extra = {{"plcnn.json": ""}}
network = torch.export.load({file}, extra_files=extra).module()
classes = json.loads(extra["plcnn.json"])["classes"]
picture = {opened}
images = torch.from_numpy(picture).permute(2, 0, 1)[None]  # uint8 (1, {channels}, height, width), any size
with torch.no_grad():
    probabilities, logits = network(images)
print(classes[int(probabilities[0].argmax())], float(probabilities[0].max()))
"""

SAFETENSORS = """\
import json

{numpy}import plcnn
import torch
from plcnn.data.reading.in_memory import to_images
from safetensors import safe_open
from safetensors.torch import load_file

with safe_open({file}, "pt") as file:
    contract = json.loads(file.metadata()["plcnn"])
network = plcnn.build({arch}, num_classes={classes}, in_channels={channels}, image_size={height}{arguments})
network.load_state_dict(load_file({file}))
images = to_images({picture}, ({channels}, {height}, {width}), {resize}) / 255
if contract["mean"]:
    images = (images - torch.tensor(contract["mean"]).view(-1, 1, 1)) / torch.tensor(contract["std"]).view(-1, 1, 1)
with torch.no_grad():
    probabilities = (network.eval()(images) / contract["temperature"]).softmax(1)
print(contract["classes"][int(probabilities[0].argmax())], float(probabilities[0].max()))
"""

SNIPPETS = {"onnx": ONNX, "pt2": PT2, "safetensors": SAFETENSORS}


def snippet(format: str, file: str, contract: dict[str, Any]) -> str:
    """Code that names the class of `picture.png`, or of `picture.npy` where no picture file has so many channels.

    Args:
        format: of the file.
        file: its name.
        contract: as in the file.
    """
    channels, height, width = contract["image_shape"]
    architecture = contract["architecture"]
    return SNIPPETS[format].format(
        file=json.dumps(file),
        opened=_opened(channels),
        picture='"picture.png"' if channels in MODES else 'np.load("picture.npy")',
        pillow="from PIL import Image\n" if channels in MODES else "",
        numpy="" if channels in MODES else "import numpy as np\n",
        channels=channels,
        height=height,
        width=width,
        resize=json.dumps(contract["resize"]),
        classes=len(contract["classes"]),
        arch=json.dumps(architecture["class_path"]),
        arguments="".join(f", {key}={value!r}" for key, value in (architecture.get("init_args") or {}).items()),
    )


def _opened(channels: int) -> str:
    if channels not in MODES:
        return 'np.load("picture.npy")'
    return f'np.array(Image.open("picture.png").convert("{MODES[channels]}")){"[..., None]" if channels == 1 else ""}'
