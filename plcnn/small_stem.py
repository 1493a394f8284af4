"""The stem that small pictures need, in networks made for ImageNet: the first layers leave the picture its size.

What He et al. did between their ImageNet and CIFAR-10 networks, 2015, https://arxiv.org/abs/1512.03385, section 4.2.
"""

from typing import Literal

import torch
from torch import nn

from plcnn.errors import UserError

Stem = Literal["original", "small"]


def small_stem(network: nn.Module) -> int:
    """Give the stem's convolution stride 1, and drop the max-pool if that is the next layer to make pictures smaller.

    A kernel of other than 1 or 3 pixels becomes a new one of 3x3, drawn so that outputs keep their variance. Names of
    weights and types of layers stay. Convolutions that read the picture beside the first one change with it.

    Args:
        network: changed in place. Its layers must be registered in the order in which a picture passes them.

    Returns:
        By how much higher and wider the features are now: 2 or more.

    Raises:
        UserError: if the first convolution does not make the picture smaller.
    """
    layers = list(network.named_modules())
    convs = [(name, layer) for name, layer in layers if isinstance(layer, nn.Conv2d)]
    if not convs or max(convs[0][1].stride) == 1:
        raise UserError(f"stem: {type(network).__name__} has no strided stem; leave stem at original.", exit_code=2)
    first_name, first = convs[0]
    stride, in_channels = first.stride, first.in_channels
    stem = [layer for _, layer in convs if (layer.stride, layer.in_channels) == (stride, in_channels)]
    for conv in stem:
        keep_size(conv)
    after = layers[1 + max(index for index, (_, layer) in enumerate(layers) if layer in stem) :]
    name, pool = next(((name, layer) for name, layer in after if step(layer) > 1), ("", network))
    parent, _, child = name.rpartition(".")
    on_the_way = not parent or first_name.startswith(f"{parent}.")  # and not in a later block's shortcut
    if not isinstance(pool, nn.MaxPool2d) or not on_the_way:
        return max(stride)
    setattr(network.get_submodule(parent), child, nn.Identity())
    return max(stride) * step(pool)


def step(layer: nn.Module) -> int:
    """The stride of a convolution or pooling, 1 for any other layer."""
    if not any(kind in type(layer).__name__ for kind in ("Conv", "Pool")):
        return 1
    stride = getattr(layer, "stride", 1)
    return max(stride) if isinstance(stride, tuple) else int(stride or 1)


def keep_size(conv: nn.Conv2d) -> None:
    """Make a convolution, of whatever subclass, give as many pixels as it gets."""
    conv.stride = (1, 1)
    if any(side not in (1, 3) for side in conv.kernel_size):
        read(conv, conv.in_channels, (3, 3))
    if not getattr(conv, "same_pad", False):  # timm's layers that have this set pad by themselves
        conv.padding = (conv.kernel_size[0] // 2, conv.kernel_size[1] // 2)


def read(conv: nn.Conv2d, in_channels: int, kernel_size: tuple[int, int]) -> None:
    """Draw new weights for other inputs: normal, the variance scaled by the number of inputs."""
    old = conv.weight
    new = torch.randn_like(old[:1, :1, :1, :1].expand(len(old), in_channels, *kernel_size))
    scale = (old[0].numel() / new[0].numel()) ** 0.5
    conv.weight = nn.Parameter(new * old.detach().std() * scale)
    conv.in_channels, conv.kernel_size = in_channels, kernel_size
    # timm's scaled, standardised convolutions hold 1 / sqrt(inputs) beside their weights.
    if isinstance(getattr(conv, "scale", None), float):
        conv.scale = conv.scale * scale
