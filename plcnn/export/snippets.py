"""The code on a model card that loads the file and asks it; it runs as it stands, beside the file and a picture."""

import json
from typing import Any

ONNX = """\
import json

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession({file})
classes = json.loads(session.get_modelmeta().custom_metadata_map["plcnn"])["classes"]
picture = np.array(Image.open("picture.png").convert({mode})){grey}
images = picture.transpose(2, 0, 1)[None]  # uint8 (1, {channels}, height, width), any size
probabilities, logits = session.run(["probabilities", "logits"], {{"images": images}})
print(classes[probabilities[0].argmax()], probabilities[0].max())
"""

PT2 = """\
import json

import numpy as np
import torch
from PIL import Image

extra = {{"plcnn.json": ""}}
network = torch.export.load({file}, extra_files=extra).module()
classes = json.loads(extra["plcnn.json"])["classes"]
picture = np.array(Image.open("picture.png").convert({mode})){grey}
images = torch.from_numpy(picture).permute(2, 0, 1)[None]  # uint8 (1, {channels}, height, width), any size
with torch.no_grad():
    probabilities, logits = network(images)
print(classes[int(probabilities[0].argmax())], float(probabilities[0].max()))
"""

SAFETENSORS = """\
import json

import numpy as np
import plcnn
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

with safe_open({file}, "pt") as file:
    contract = json.loads(file.metadata()["plcnn"])
network = plcnn.build({arch}, num_classes={classes}, in_channels={channels}, image_size={height}{arguments})
network.load_state_dict(load_file({file}))
opened = Image.open("picture.png").convert({mode})
picture = np.array(opened.resize(({width}, {height}), Image.Resampling.BILINEAR)){grey}
images = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
if contract["mean"]:
    images = (images - torch.tensor(contract["mean"]).view(-1, 1, 1)) / torch.tensor(contract["std"]).view(-1, 1, 1)
with torch.no_grad():
    probabilities = (network.eval()(images) / contract["temperature"]).softmax(1)
print(contract["classes"][int(probabilities[0].argmax())], float(probabilities[0].max()))
"""

SNIPPETS = {"onnx": ONNX, "pt2": PT2, "safetensors": SAFETENSORS}


def snippet(format: str, file: str, contract: dict[str, Any]) -> str:
    """Code that names the class of `picture.png`.

    Args:
        format: of the file.
        file: its name.
        contract: as in the file.
    """
    channels, height, width = contract["image_shape"]
    architecture = contract["architecture"]
    return SNIPPETS[format].format(
        file=json.dumps(file),
        mode=json.dumps("L" if channels == 1 else "RGB"),
        grey="[..., None]" if channels == 1 else "",
        channels=channels,
        height=height,
        width=width,
        classes=len(contract["classes"]),
        arch=json.dumps(architecture["class_path"]),
        arguments="".join(f", {key}={value!r}" for key, value in (architecture.get("init_args") or {}).items()),
    )
