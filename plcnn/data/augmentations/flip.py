"""A random horizontal flip."""

import torch
from torch import Tensor, nn

from plcnn.data.augmentations import augmentations
from plcnn.data.batchwise.ranges import check_probability
from plcnn.data.randomness import Draws


@augmentations.register
class Flip(nn.Module):
    """Flip pictures horizontally, each with the same probability.

    Args:
        p: probability of the flip, 0..1.

    Raises:
        UserError: if `p` is no probability.
    """

    takes_uint8 = True

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        check_probability("p", p)
        self.p = p

    def forward(self, images: Tensor, draws: Draws) -> Tensor:
        """Flip the pictures whose number lies below `p`; images and result (batch, channels, height, width)."""
        return flip_where(draws.uniforms(1)[:, 0] < self.p, images)


def flip_where(flipped: Tensor, images: Tensor) -> Tensor:
    """Flip the pictures told by `flipped`, bool (batch,), horizontally."""
    return torch.where(flipped.view(-1, 1, 1, 1), images.flip(3), images)
