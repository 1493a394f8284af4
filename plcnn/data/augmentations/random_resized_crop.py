"""A random part of the picture, enlarged to its size: Szegedy et al., "Going Deeper with Convolutions", 2014.

https://arxiv.org/abs/1409.4842, as torchvision's `RandomResizedCrop` draws and computes it, bilinearly. Departure:
pictures keep their size, so that parts are only ever enlarged.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plcnn.data.augmentations import augmentations
from plcnn.data.batchwise.rectangles import TRIES, drawn, first
from plcnn.data.memory_format import in_format_of
from plcnn.data.randomness import Draws
from plcnn.errors import wrong_value


@augmentations.register
class RandomResizedCrop(nn.Module):
    """Show a part of random area, shape and place, enlarged to the picture's size.

    Args:
        scale: smallest and largest area of the part, as shares of the picture's, above 0 to 1; the paper takes 0.08 to
            1, for long training from scratch.
        ratio: smallest and largest width / height of the part, above 0.

    Raises:
        UserError: if an argument lies outside its range.
    """

    def __init__(self, scale: tuple[float, float] = (0.25, 1.0), ratio: tuple[float, float] = (3 / 4, 4 / 3)) -> None:
        super().__init__()
        if not 0 < scale[0] <= scale[1] <= 1:
            raise wrong_value("scale", list(scale), "two shares of the picture above 0, the smaller first", [0.25, 1])
        if not 0 < ratio[0] <= ratio[1] < float("inf"):
            raise wrong_value("ratio", list(ratio), "two numbers above 0, the smaller first", [0.75, 1.33])
        self.scale, self.ratio = scale, ratio

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Enlarge a part of each picture; images and result (batch, channels, height, width), float."""
        height, width = images.shape[2:]
        numbers = draws.uniforms(2 + 2 * TRIES)
        tall, wide = self._sizes(numbers[:, 2:], height, width)
        top = (numbers[:, 0] * (height - tall + 1)).long()
        left = (numbers[:, 1] * (width - wide + 1)).long()
        down, across = _read(top, tall, height), _read(left, wide, width)
        places = (down.unsqueeze(2).expand(-1, -1, width), across.unsqueeze(1).expand(-1, height, -1))
        read = torch.stack([places[1], places[0]], dim=3).to(images.dtype)
        with torch.autocast(images.device.type, enabled=False):
            enlarged = F.grid_sample(images, read, mode="bilinear", padding_mode="border", align_corners=False)
        return in_format_of(images, enlarged)

    def _sizes(self, numbers: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Height and width, int64 (batch,), of each picture's part; where none fits, the largest of a shape allowed."""
        across, down = drawn(numbers, height * width, self.scale, self.ratio)
        fits, wide, tall = first((across > 0) & (across <= width) & (down > 0) & (down <= height), across, down)
        shape = min(max(width / height, self.ratio[0]), self.ratio[1])
        most_wide, most_tall = min(width, round(height * shape)), min(height, round(width / shape))
        return torch.where(fits, tall, most_tall), torch.where(fits, wide, most_wide)


def _read(start: Tensor, length: Tensor, size: int) -> Tensor:
    """The places along an axis that are read, (batch, size), from -1 to 1 as `grid_sample` has them."""
    start, length = start.unsqueeze(1), length.unsqueeze(1)
    pixels = start + (torch.arange(size, device=start.device) + 0.5) * (length / size) - 0.5
    inside = torch.maximum(torch.minimum(pixels, (start + length - 1).float()), start.float())
    return (2 * inside + 1) / size - 1
