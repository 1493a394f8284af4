"""Test-time augmentation, against the sum written out."""

import torch
import torch.nn.functional as F
from torch import Tensor

from plcnn.views import mean_logits


def network(images: Tensor) -> Tensor:
    """Some function of every pixel's place: (batch, 3)."""
    weights = torch.arange(3 * images[0].numel(), dtype=torch.float64).sin().view(3, -1)
    return (images.flatten(1) @ weights.T).tanh()


def test_views_are_averaged_with_airbenchs_weights() -> None:
    x = torch.rand(5, 3, 8, 8, dtype=torch.float64)
    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
    up_left, down_right = padded[:, :, :8, :8], padded[:, :, 2:, 2:]
    torch.testing.assert_close(mean_logits(network, x, "none"), network(x))
    torch.testing.assert_close(mean_logits(network, x, "flip"), 0.5 * network(x) + 0.5 * network(x.flip(3)))
    six = [(x, 0.25), (x.flip(3), 0.25)]
    six += [(view, 0.125) for moved in (up_left, down_right) for view in (moved, moved.flip(3))]
    expected = sum((weight * network(view) for view, weight in six), torch.zeros(()))
    torch.testing.assert_close(mean_logits(network, x, "flip_translate"), expected)
