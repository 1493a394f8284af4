"""What a network looked at: Grad-CAM over the last map of features that still has places, by the library torchcam.

Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, 2017,
https://arxiv.org/abs/1610.02391.

Departures from the paper:
- The map is the last one of 3 × 3 places or more, where there is one: networks for small pictures go on to 2 × 2 and
  less, which says little of a place.
- Tokens of transformers and mixers count as places, a class token not. Where the answer is read from a class token, the
  map is the last one from which it still gathers.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from plcnn.errors import UserError
from plcnn.figures.pictures import displayable

if TYPE_CHECKING:
    from plcnn.classifier import Classifier

BATCH_SIZE = 64
LEAST_SIDE = 3
"""Rows and columns that a map should have, where the network has such a map."""

LEAST_PIXELS = 256
"""Along the shorter side of a drawn picture, about."""


class _Map(NamedTuple):
    """A module whose output has places, and how to bring the output to (batch, channels, rows, columns)."""

    module: nn.Module
    side: int
    arranged: Callable[[Tensor], Tensor]


def saliency(classifier: "Classifier", images: Tensor, labels: Tensor | None = None) -> Tensor:
    """Say for each pixel how much it speaks for a class.

    Test-time augmentation is left out. The classifier keeps its mode, its gradients and its hooks; it must not be used
    by another thread meanwhile.

    Args:
        classifier: on any device.
        images: (pictures, channels, height, width) of the network's size, uint8 from 0 to 255 or float from 0 to 1.
        labels: int64 (pictures,), the class to explain for each picture; the predicted one if left out.

    Returns:
        float32 (pictures, height, width) from 0 to 1, on the CPU, each picture's own scale; zeros where nothing speaks
        for the class.

    Raises:
        UserError: if the architecture has no map of features, or torchcam is not installed.
    """
    gradcam = _gradcam()
    if not len(images):
        return torch.zeros(0, *images.shape[-2:])
    was_training = classifier.training
    classifier.eval()
    try:
        with torch.inference_mode(False), torch.enable_grad():
            found = _find_map(classifier, images[:1])
            heats = []
            for start in range(0, len(images), BATCH_SIZE):
                batch = slice(start, start + BATCH_SIZE)
                with gradcam(classifier, found.module, reshape_transform=found.arranged) as extractor:
                    logits = classifier(_differentiable(classifier, images[batch]))
                    explained = logits.argmax(1) if labels is None else labels[batch]
                    (heat,) = extractor(explained.tolist(), logits, normalized=False)
                heats.append(heat.detach().float().cpu())
    finally:
        classifier.train(was_training)
    resized = F.interpolate(torch.cat(heats)[:, None], images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    most = resized.amax((1, 2), keepdim=True)
    return torch.where(most > 0, resized / most, 0)


def overlay(image: Tensor, heat: Tensor) -> Image.Image:
    """Lay what a network looked at over a picture: bright where it speaks for the class, dark elsewhere.

    Args:
        image: uint8 (channels, height, width).
        heat: float (height, width) from 0 to 1.

    Returns:
        An RGB picture; one of less than `LEAST_PIXELS` is enlarged, each pixel to a square.

    Raises:
        UserError: if torchcam is not installed.
    """
    _gradcam()
    from torchcam.utils import overlay_mask

    factor = max(1, LEAST_PIXELS // min(image.shape[1:]))
    image = image.cpu().repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    mask = Image.fromarray(heat.float().cpu().numpy())
    return overlay_mask(Image.fromarray(displayable(image)).convert("RGB"), mask, colormap="inferno", alpha=0.5)


def _gradcam() -> "type":
    try:
        from torchcam.methods import GradCAM
    except ImportError as error:
        raise UserError("saliency needs torchcam: pip install 'plcnn[saliency]'") from error
    return GradCAM  # type: ignore[no-any-return]


def _differentiable(classifier: "Classifier", images: Tensor) -> Tensor:
    """A copy of pictures on the classifier's device, from 0 to 1; gradients flow even where all weights are frozen."""
    images = images.to(classifier.device, copy=True)
    images = images.float() / 255 if images.dtype == torch.uint8 else images
    return images.requires_grad_()


def _find_map(classifier: "Classifier", images: Tensor) -> _Map:
    """The last map of features on which the answer depends, of `LEAST_SIDE` or else the largest there is."""
    outputs: dict[nn.Module, Tensor] = {}

    def note(module: nn.Module, _: object, output: object) -> None:
        outputs.pop(module, None)  # of a module that is used several times, the last use counts
        if isinstance(output, Tensor) and output.requires_grad:
            outputs[module] = output

    handles = [module.register_forward_hook(note) for module in classifier.net.modules()]
    try:
        logits = classifier(_differentiable(classifier, images))
    finally:
        for handle in handles:
            handle.remove()
    maps = [one for module, output in outputs.items() if (one := _map(module, output)) and module is not classifier.net]
    enough = min(LEAST_SIDE, max((one.side for one in maps), default=0))
    for one in reversed(maps):
        if one.side >= enough:
            (gradient,) = torch.autograd.grad(logits.max(), outputs[one.module], retain_graph=True, allow_unused=True)
            if gradient is not None and one.arranged(gradient).any():
                return one
    raise UserError(
        f"architecture {classifier.arch.name!r} has no map of features with places, so there is no saliency for it."
    )


def _map(module: nn.Module, output: Tensor) -> _Map | None:
    """The map that a module's output is, if it is one of several features."""
    if isinstance(module, (nn.Identity, nn.Dropout, nn.Softmax)):  # within attention, these see no pictures
        return None
    if output.ndim == 4:
        channels_last = output.shape[1] == output.shape[2] != output.shape[3]  # as in Swin
        arranged = _channels_first if channels_last else _unchanged
    elif output.ndim == 3 and "norm" in type(module).__name__.lower():
        side = math.isqrt(output.shape[1])
        if output.shape[1] - side**2 > 1 or side == 0:
            return None
        arranged = partial(_square, side=side)
    else:
        return None
    _, features, rows, columns = arranged(output).shape
    return _Map(module, min(rows, columns), arranged) if features > 1 and min(rows, columns) > 1 else None


def _unchanged(output: Tensor) -> Tensor:
    return output


def _channels_first(output: Tensor) -> Tensor:
    return output.permute(0, 3, 1, 2)


def _square(output: Tensor, side: int) -> Tensor:
    """Tokens (batch, tokens, channels) as a square; a class token, which comes first, is left out."""
    square: Tensor = output[:, -(side**2) :].transpose(1, 2).unflatten(2, (side, side))
    return square
