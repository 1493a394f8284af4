"""Changes of colour for batches, each picture by an amount of its own, as torchvision's operations on floats.

Each function takes images (batch, channels, height, width), float from 0 to 1, and returns the like; an amount is a
tensor (batch, 1, 1, 1). Where colour means nothing, with another number of channels than three, saturation and hue
change nothing, and every channel counts alike for brightness as the eye sees it.
"""

import torch
from torch import Tensor

_RED, _GREEN, _BLUE = 0.2989, 0.587, 0.114  # torchvision's shares of grey


def blend(images: Tensor, others: Tensor, factor: Tensor) -> Tensor:
    """Mix: 1 gives `images`, 0 gives `others`, more than 1 leads away from them; clamped to 0..1."""
    return (images * factor + others * (1 - factor)).clamp_(0, 1)


def grey(images: Tensor) -> Tensor:
    """Brightness as the eye sees it, (batch, 1, height, width)."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    red, green, blue = images.split(1, 1)
    result: Tensor = red * _RED + green * _GREEN + blue * _BLUE
    return result


def blurred(images: Tensor) -> Tensor:
    """The picture that `adjust_sharpness` leads away from: a 3 × 3 blur, 5 in its middle, that spares the edge."""
    if min(images.shape[2:]) < 3:
        return images
    rows = images[:, :, :-2] + images[:, :, 1:-1] + images[:, :, 2:]
    box = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    result = images.clone()
    result[:, :, 1:-1, 1:-1] = (box + 4 * images[:, :, 1:-1, 1:-1]) / 13
    return result


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with black."""
    return (images * factor).clamp_(0, 1)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the picture's mean grey."""
    return blend(images, grey(images).mean((2, 3), keepdim=True), factor)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey picture."""
    return blend(images, grey(images), factor) if images.shape[1] == 3 else images


def adjust_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn hues by a part of the circle, -0.5..0.5."""
    if images.shape[1] != 3:
        return images
    red, green, blue = images.unbind(1)
    least, most = images.amin(1), images.amax(1)
    span = most - least
    divisor = torch.where(span > 0, span, 1)
    sixths = torch.where(
        most == red,
        (green - blue) / divisor,
        torch.where(most == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    turned = sixths + 6 * turn.squeeze(1)
    # a channel lies at the maximum for a third of the circle, at the minimum for another, and goes evenly between them
    places = torch.stack([(turned + start).remainder(6) for start in (5, 3, 1)], 1)
    depth = torch.minimum(places, 4 - places).clamp_(0, 1)
    return (most.unsqueeze(1) - span.unsqueeze(1) * depth).to(images.dtype)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep `bits` bits of each value, 0..8."""
    levels = 2**bits
    return (images * levels).floor_().clamp_(min=0).minimum(levels - 1) / levels


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Invert what lies at or above the threshold, 0..1."""
    return torch.where(images >= threshold, 1 - images, images)


def autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel of each picture to 0..1; one that is even stays."""
    least, most = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    even = least == most
    return ((images - least.masked_fill(even, 0)) / (most - least).masked_fill(even, 1)).clamp_(0, 1)


def equalize(images: Tensor) -> Tensor:
    """Even out the histogram of each channel of each picture, of 256 bins."""
    from torchvision.transforms.v2.functional import equalize_image

    result: Tensor = equalize_image(images)
    return result
