"""Random shift, zoom and horizontal flip, as the Keras tutorial's `ImageDataGenerator` does them."""

import torch
from torch import Tensor, nn

from plcnn.data.augmentations import augmentations
from plcnn.data.memory_format import in_format_of
from plcnn.data.randomness import Draws
from plcnn.errors import UserError


@augmentations.register
class ShiftZoomFlip(nn.Module):
    """Keras' ``ImageDataGenerator`` with its shift, zoom and horizontal flip ranges, ``fill_mode="nearest"``.

    Pixel o of an axis reads the input at z (o - c) + t + c, with c the picture's centre, z the zoom and t the shift,
    bilinearly; the edge pixels fill what is uncovered. The axes are separable, so each is one matrix for each picture,
    with at most two weights a row: exact where nothing moves, which ``grid_sample`` is not.

    Args:
        shift: largest shift as a fraction of width and of height, 0..1; each is drawn from -shift..shift.
        zoom: widest departure of the zoom from 1, at least 0 and below 1; drawn for each axis from 1-zoom..1+zoom.
        flip: probability of a horizontal flip, 0..1.

    Raises:
        UserError: an argument lies outside its range.
    """

    def __init__(self, shift: float = 0.2, zoom: float = 0.2, flip: float = 0.5) -> None:
        super().__init__()
        if not 0 <= shift <= 1:
            raise UserError(f"shift={shift}: a fraction of the picture, 0 to 1; 0 switches shifting off")
        if not 0 <= zoom < 1:
            raise UserError(f"zoom={zoom}: at least 0 and below 1, as 0.2 for 0.8..1.2; 0 switches zooming off")
        if not 0 <= flip <= 1:
            raise UserError(f"flip={flip}: a probability, 0 to 1; 0 switches flipping off")
        self.shift, self.zoom, self.flip = shift, zoom, flip

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Change each picture by its own numbers.

        Args:
            images: (batch, channels, height, width), floating point.
            draws: five numbers for each picture: flip, shift x, shift y, zoom x, zoom y.

        Returns:
            (batch, channels, height, width), in the dtype and memory format of ``images``.
        """
        batch, channels, height, width = images.shape
        uniforms = draws.uniforms(5)
        shift_x, shift_y = (self.shift * (2 * uniforms[:, 1:3] - 1)).unbind(1)
        zoom_x, zoom_y = (1 + self.zoom * (2 * uniforms[:, 3:5] - 1)).unbind(1)
        # the flip comes last: column o then reads what column size-1-o would, and o - c changes its sign
        zoom_x = torch.where(uniforms[:, 0] < self.flip, -zoom_x, zoom_x)
        with torch.autocast(images.device.type, enabled=False):  # it would round pictures to its dtype's 8 bits
            rows = _reading(zoom_y, shift_y, height).to(images.dtype)
            columns = _reading(zoom_x, shift_x, width).to(images.dtype)
            stacked = images.reshape(batch, channels * height, width)
            widened = torch.bmm(stacked, columns.transpose(1, 2)).view(batch, channels, height, width)
            moved = torch.matmul(rows.unsqueeze(1), widened)
        return in_format_of(images, moved)


def _reading(zoom: Tensor, shift: Tensor, size: int) -> Tensor:
    """Build the (batch, size, size) matrices whose row o weighs the input pixels that output pixel o reads."""
    centre = (size - 1) / 2
    pixels = torch.arange(size, device=zoom.device)
    read = zoom.unsqueeze(1) * (pixels - centre) + (shift * size).unsqueeze(1) + centre
    distance = (read.clamp_(0, size - 1).unsqueeze(2) - pixels).abs_()
    return (1 - distance).clamp_(min=0)
