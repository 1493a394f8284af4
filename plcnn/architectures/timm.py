"""Every model of timm, by its name there, with fresh weights or the library's; needs the optional package timm.

The library and its models' papers: https://huggingface.co/docs/timm/models

Departures from the library:
- Models whose parameters depend on the picture's size are built for that of the data.
- `drop_rate` and `drop_path_rate` are 0 unless given, also for the models where timm's own default is another.
- `stem="small"` leaves small pictures their size in the first layers, see `plcnn.small_stem`; a vision transformer
  gets patches of about an eighth of the picture's side.

Initialisation is the library's. Its weights fit: for other classes, channels and stems see `plcnn.weights`.
"""

import inspect
import os
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from plcnn.architectures import register
from plcnn.data.scaling import Scaling
from plcnn.errors import UserError
from plcnn.library_models import SIZE_WAY_OUT, check_name, failures_in_words
from plcnn.pretrained import PATIENCE, LibraryWeights, Pretrained, not_loaded, patience, unknown_tag
from plcnn.ranges import check_rate
from plcnn.small_stem import Stem, small_stem

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""What the hub calls a model's weights; timm takes the first that there is."""


def models() -> list[str]:
    """The names that `model` may have.

    Raises:
        UserError: if timm is not installed.
    """
    return list(_library().list_models())


def pretrained(tag: str, model: str, in_channels: int, image_size: int, stem: Stem) -> Pretrained:
    """The library's weights for a model, by timm itself brought to this many channels and this size.

    Args:
        tag: a1_in1k, say; empty for the library's default.
        model: the model's name in timm.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        stem: as for the network.

    Raises:
        UserError: if there is no such model or tag, or the file cannot be loaded.
    """
    library = _library()
    check_name("timm", model, models())
    known = [name for name in library.list_pretrained(f"{model}*") if name.partition(".")[0] == model]
    tags = [name.partition(".")[2] for name in known]
    if not known or (tag and tag not in tags):
        raise unknown_tag(f"timm's {model}", tag, tags)
    found = library.get_pretrained_cfg(f"{model}.{tag}" if tag else model)
    name = f"{model}.{found.tag}" if found.tag else model
    address, cached = _on_the_hub(found.hf_hub_id) if found.hf_hub_id else (str(found.url), None)
    overlay = {"file": cached, "custom_load": False} if cached else {}
    try:
        with patience():
            if found.hf_hub_id and not cached:
                _ask_the_hub(address)
            tensors = _through_timm(name, stem, image_size, overlay, in_chans=in_channels)
    except Exception as error:  # of the network, of the disk, of a broken file
        way_out = "take that file from a machine that has one, and name it"
        raise not_loaded(f"timm's {name}", address, error, way_out) from error
    return Pretrained(tensors, f"timm's {name}", Scaling(list(found.mean), list(found.std)))


def adapted(tensors: Mapping[str, Tensor], model: str, image_size: int, stem: Stem) -> Mapping[str, Tensor]:
    """The tensors of a weight file for this model, by timm itself brought to this size.

    Args:
        tensors: by their names in timm, or in the files of a model's authors, as far as timm reads those.
        model: the model's name in timm.
        image_size: height and width of a picture in pixels.
        stem: as for the network.
    """
    found = _library().get_pretrained_cfg(model)
    head, first = (tensors.get(f"{name}.weight") for name in (found.classifier, found.first_conv))
    classes = found.num_classes if head is None else len(head)
    channels = 3 if first is None else first.shape[1]
    overlay = {"state_dict": dict(tensors), "num_classes": classes, "custom_load": False}
    overlay["input_size"] = (channels, *found.input_size[1:])
    return _through_timm(model, stem, image_size, overlay, num_classes=classes, in_chans=channels)


def _through_timm(
    name: str, stem: Stem, image_size: int, overlay: dict[str, Any], **arguments: Any
) -> dict[str, Tensor]:
    """The weights of timm's own network, with its stem and size as far as they are arguments of the model."""
    library, model = _library(), name.partition(".")[0]
    with torch.device("meta"):
        probe = library.create_model(model)
    arguments |= _sizes(probe, model, stem, image_size)[0]
    network: nn.Module = library.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **arguments)
    return network.state_dict()


def _on_the_hub(hub_id: str) -> tuple[str, str | None]:
    """Where the hub has a model's file, and the copy in its cache: it is then not asked whether it has a newer one."""
    from huggingface_hub import hf_hub_url, try_to_load_from_cache

    copies = [try_to_load_from_cache(hub_id, name) for name in HUB_FILES]
    return hf_hub_url(hub_id, HUB_FILES[0]), next((copy for copy in copies if isinstance(copy, str)), None)


def _ask_the_hub(address: str) -> None:
    """Ask the hub once whether it is there; its downloads ask for most of a minute before they give up.

    Raises:
        Exception: one of the HTTP library's, if the hub cannot be reached.
    """
    from huggingface_hub import constants, get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError

    own = "HF_HUB_ETAG_TIMEOUT" in os.environ
    with suppress(HfHubHTTPError):  # it has answered, and what it said is told by the download
        get_hf_file_metadata(address, timeout=constants.HF_HUB_ETAG_TIMEOUT if own else PATIENCE)


@register(models=models, weights=LibraryWeights(pretrained, adapted))
def timm(
    num_classes: int,
    in_channels: int = 3,
    image_size: int = 32,
    model: str = "resnet18",
    stem: Stem = "original",
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
) -> nn.Module:
    """A model of timm.

    Args:
        num_classes: number of classes.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        model: the model's name in timm, without the tag of a set of weights.
        stem: "original" as in the library; "small" gives the first convolution stride 1 and drops the max-pool after
            it, or gives a vision transformer smaller patches, for pictures of about 32 pixels.
        drop_rate: share of the features before the last layer that is set to zero in training, in [0, 1).
        drop_path_rate: share of the pictures for which the deepest residual branch is left out in training, in [0, 1);
            it rises linearly with depth.

    Raises:
        UserError: if timm is not installed or has no such model, the model has none of the given rates or no stem to
            make small, or it does not work on pictures of this size.
    """
    library = _library()
    check_name("timm", model, models())
    arguments: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_channels}
    with torch.device("meta"):  # costs no memory and shows what the model's class can be told
        probe: nn.Module = library.create_model(model, **arguments)
    accepted = _parameters(type(probe))
    for key, rate in (("drop_rate", drop_rate), ("drop_path_rate", drop_path_rate)):
        check_rate(key, rate, 0.1)
        if key in accepted:
            arguments[key] = rate
        elif rate:
            raise UserError(f"{key}: got {rate}, but timm's {model} has no {key}; leave it out.", exit_code=2)
    sizes, surgery = _sizes(probe, model, stem, image_size)
    arguments |= sizes

    def create() -> nn.Module:
        network: nn.Module = library.create_model(model, pretrained=False, **arguments)
        if surgery:
            small_stem(network)
        return network

    way_out = SIZE_WAY_OUT if stem == "original" else "leave stem at original"
    with failures_in_words(f"{image_size}x{image_size} pictures do not fit timm's {model}, stem {stem}", way_out):
        with torch.device("meta"):
            logits = create().eval()(torch.zeros(2, in_channels, image_size, image_size))
        network = create()
    if logits.shape != (2, num_classes):
        raise UserError(f"model: timm's {model} gives features instead of one logit a class; choose another.", 2)
    return network


def _sizes(probe: nn.Module, model: str, stem: Stem, image_size: int) -> tuple[dict[str, int], bool]:
    """The model's arguments that depend on the picture's size, and whether the stem is to be made small afterwards."""
    accepted = _parameters(type(probe))
    arguments = {"img_size": image_size} if "img_size" in accepted else {}
    if stem == "original":
        return arguments, False
    first = next((layer for layer in probe.modules() if isinstance(layer, nn.Conv2d)), None)
    if first and first.kernel_size == first.stride and {"img_size", "patch_size"} <= accepted:
        return {**arguments, "patch_size": _small_patch(model, int(first.stride[0]), image_size)}, False
    factor = small_stem(probe)  # what counts positions must count those that the small stem leaves
    return {key: size * factor for key, size in arguments.items()}, True


def _library() -> ModuleType:
    try:
        import timm as library
    except ModuleNotFoundError as error:
        raise UserError("timm is not installed: pip install 'plcnn[timm]'", exit_code=2) from error
    return library


def _parameters(cls: type) -> set[str]:
    """The arguments that a class's constructor takes, also through `**kwargs` that it hands to its base."""
    names: set[str] = set()
    for base in cls.__mro__:
        parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        names |= {parameter.name for parameter in parameters}
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return names


def _small_patch(model: str, original: int, image_size: int) -> int:
    """The patch side nearest an eighth of the picture's that divides it."""
    sides = [side for side in range(1, image_size + 1) if image_size % side == 0]
    patch_size = min(sides, key=lambda side: abs(side - image_size / 8))
    if patch_size >= original:
        raise UserError(
            f"stem: timm's {model} has patches of {original}x{original} pixels, small enough for pictures of "
            f"{image_size}x{image_size}; leave stem at original.",
            exit_code=2,
        )
    return patch_size
