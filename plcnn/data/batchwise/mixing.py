"""MixUp and CutMix: a training batch mixed with itself, pictures and labels alike.

Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2017 (https://arxiv.org/abs/1710.09412); Yun et al.,
"CutMix", 2019 (https://arxiv.org/abs/1905.04899). The arithmetic is torchvision's; what it draws is a function of seed,
epoch, batch and rank here, so that a run that goes on in the middle of an epoch repeats it.
"""

import math
from typing import Any, Literal

import numpy as np
from torch import Tensor

Mix = Literal["none", "mixup", "cutmix", "mixup_or_cutmix"]


class Mixing:
    """Mixes batches.

    Args:
        mix: which way; "mixup_or_cutmix" takes one or the other at random for each batch.
        alpha: of the Beta(alpha, alpha) distribution of the shares, above 0.
        num_classes: number of classes.
        seed: of the draws.
    """

    def __init__(self, mix: Mix, alpha: float, num_classes: int, seed: int) -> None:
        from torchvision.transforms import v2

        self.mix, self.alpha, self.seed = mix, alpha, seed
        self._mixup = v2.MixUp(alpha=alpha, num_classes=num_classes)
        self._cutmix = v2.CutMix(alpha=alpha, num_classes=num_classes)

    def __call__(self, images: Tensor, labels: Tensor, epoch: int, batch: int, rank: int) -> tuple[Tensor, Tensor]:
        """Mix each picture with the one before it in the batch.

        Args:
            images: (batch, channels, height, width), float.
            labels: int64 (batch,).
            epoch: the epoch's number.
            batch: the batch's number in the epoch.
            rank: this process's number.

        Returns:
            Pictures as `images`, and the classes' shares, float (batch, classes).
        """
        random = np.random.default_rng([self.seed % 2**64, epoch, batch, rank])
        share, which = float(random.beta(self.alpha, self.alpha)), float(random.random())
        if self.mix == "mixup" or (self.mix == "mixup_or_cutmix" and which < 0.5):
            transform, drawn = self._mixup, {"lam": share}
        else:
            height, width = images.shape[2:]
            transform = self._cutmix
            drawn = box(share, int(random.integers(height)), int(random.integers(width)), height, width)
        # torchvision's transforms draw in make_params, from the generator that dropout reads
        params: dict[str, Any] = {"labels": labels, "batch_size": len(labels), **drawn}
        return transform.transform(images, params), transform.transform(labels, params)


def box(share: float, row: int, column: int, height: int, width: int) -> dict[str, Any]:
    """The rectangle about a pixel that takes `1 - share` of the picture, less what the border clips.

    Returns:
        Torchvision's parameters: left, top, right and bottom edge, and the share that is left.
    """
    reach = 0.5 * math.sqrt(1 - share)
    half_width, half_height = int(reach * width), int(reach * height)
    left, right = max(column - half_width, 0), min(column + half_width, width)
    top, bottom = max(row - half_height, 0), min(row + half_height, height)
    return {
        "box": (left, top, right, bottom),
        "lam_adjusted": 1 - (right - left) * (bottom - top) / (width * height),
    }
