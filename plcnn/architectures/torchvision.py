"""Every classification model of torchvision, by its name there, with fresh weights.

The library and its models' papers: https://docs.pytorch.org/vision/stable/models.html

Departures from the library:
- No auxiliary classifiers (googlenet, inception_v3), so that the network returns nothing but logits.
- Models whose parameters depend on the picture's size (vit_*, maxvit_t) are built for that of the data.
- `stem="small"` leaves small pictures their size in the first layers; see `plcnn.small_stem`.

Initialisation is the library's. Its weights fit: for other classes, channels and stems see `plcnn.weights`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torchvision.models as library
from torch import Tensor, nn
from torchvision.models.vision_transformer import interpolate_embeddings

from plcnn.architectures import register
from plcnn.data.scaling import Scaling
from plcnn.errors import UserError
from plcnn.library_models import SIZE_WAY_OUT, check_name, failures_in_words
from plcnn.pretrained import LibraryWeights, Pretrained, not_loaded, patience, unknown_tag
from plcnn.small_stem import Stem, read, small_stem


def models() -> list[str]:
    """The names that `model` may have."""
    return list(library.list_models(module=library))


def pretrained(tag: str, model: str, image_size: int) -> Pretrained:
    """The library's weights for a model: those that it calls by the tag, or its best.

    Args:
        tag: IMAGENET1K_V1, say; empty for the library's default.
        model: the model's name in torchvision.
        image_size: height and width of a picture in pixels.

    Raises:
        UserError: if there is no such model or tag, or the file cannot be loaded.
    """
    check_name("torchvision", model, models())
    known = library.get_model_weights(model)
    names = list(known.__members__)
    if (tag or "DEFAULT") not in names:
        raise unknown_tag(f"torchvision's {model}", tag, names)
    weights = known[tag or "DEFAULT"]
    name = f"torchvision's {model}, {weights.name}"
    try:
        with patience():
            tensors = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except Exception as error:  # of the network, of the disk, of a broken file
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        way_out = f"put {weights.url.rsplit('/', 1)[-1]} into {folder}, or name a copy of it anywhere"
        raise not_loaded(name, weights.url, error, way_out) from error
    return Pretrained(adapted(tensors, model, image_size), name, _scaling(model, weights.transforms()))


def adapted(tensors: Mapping[str, Tensor], model: str, image_size: int) -> Mapping[str, Tensor]:
    """The tensors of one of the library's files, without auxiliary classifiers, positions interpolated.

    Args:
        tensors: by their names in the library.
        model: the model's name in torchvision.
        image_size: height and width of a picture in pixels.
    """
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(("aux1.", "aux2.", "AuxLogits."))}
    if model.startswith("vit_"):
        return dict(interpolate_embeddings(image_size, kept["conv_proj.weight"].shape[-1], kept))  # type: ignore[arg-type]
    return kept


def _scaling(model: str, transforms: Any) -> Scaling:
    if model in ("googlenet", "inception_v3"):
        return Scaling([0.5] * 3, [0.5] * 3)  # what the library's `transform_input` makes of ImageNet's
    return Scaling(list(transforms.mean), list(transforms.std))


@register(models=models, weights=LibraryWeights(pretrained, adapted))
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
    with failures_in_words(f"model: torchvision's {model} cannot be built for {pictures}", SIZE_WAY_OUT):
        network: nn.Module = library.get_model(model, weights=None, **arguments)
    if in_channels != 3:
        first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
        read(first, in_channels, first.kernel_size)  # type: ignore[arg-type]
    if stem == "small":
        small_stem(network)
    return network
