"""Every classification model of torchvision, by its name there, with fresh weights.

The library and its models' papers: https://docs.pytorch.org/vision/stable/models.html

Departures from the library:
- No auxiliary classifiers (googlenet, inception_v3), so that the network returns nothing but logits.
- Models whose parameters depend on the picture's size (vit_*, maxvit_t) are built for that of the data.
- `stem="small"` leaves small pictures their size in the first layers; see `plcnn.small_stem`.

Initialisation is the library's. With the original stem, 1000 classes and 3 channels its weight files fit.
"""

from typing import Any

import torchvision.models as library
from torch import nn

from plcnn.architectures import register
from plcnn.errors import UserError
from plcnn.library_models import check_name, failures_in_words
from plcnn.small_stem import Stem, read, small_stem


def models() -> list[str]:
    """The names that `model` may have."""
    return list(library.list_models(module=library))


@register(models=models)
def torchvision(
    num_classes: int, in_channels: int = 3, image_size: int = 32, model: str = "resnet18", stem: Stem = "original"
) -> nn.Module:
    """A model of torchvision.

    Args:
        num_classes: number of classes.
        in_channels: channels of a picture; other than 3, the first convolution is drawn anew.
        image_size: height and width of a picture in pixels.
        model: the model's name in torchvision.
        stem: "original" as in the library; "small" gives the first convolution stride 1 and drops the max-pool after
            it, for pictures of about 32 pixels.

    Raises:
        UserError: if there is no such model, it has no stem to make small, or it cannot be built for this size.
    """
    check_name("torchvision", model, models())
    arguments: dict[str, Any] = {"num_classes": num_classes}
    if model in ("googlenet", "inception_v3"):
        arguments.update(aux_logits=False, init_weights=True)
    if model.startswith("vit_"):
        if stem == "small":
            raise UserError(
                f"stem: {model} counts its patches, so its stem cannot change; leave stem at original, "
                "or take vit_lite, or timm's vit_* with stem small.",
                exit_code=2,
            )
        arguments["image_size"] = image_size
    if model.startswith("maxvit_"):
        side = image_size * (2 if stem == "small" else 1)  # its blocks are made for what the original stem would give
        arguments["input_size"] = (side, side)
    pictures = f"pictures of {image_size}x{image_size} pixels"
    with failures_in_words(f"model: torchvision's {model} cannot be built for {pictures}", "choose another"):
        network: nn.Module = library.get_model(model, weights=None, **arguments)
    if in_channels != 3:
        first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
        read(first, in_channels, first.kernel_size)  # type: ignore[arg-type]
    if stem == "small":
        small_stem(network)
    return network
