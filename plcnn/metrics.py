"""The mean loss over pictures, as a torchmetrics metric."""

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanLoss(Metric):
    """Mean of a loss over all pictures, whatever the sizes of the batches; NaN stays NaN.

    torchmetrics' MeanMetric (1.9) either looks at every value for NaN, which waits for the device, or ignores weights.
    """

    total: Tensor
    pictures: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("pictures", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, loss: Tensor, pictures: int) -> None:
        """Add a batch.

        Args:
            loss: its mean loss, a scalar.
            pictures: how many pictures the mean is over.
        """
        self.total += loss * pictures
        self.pictures += pictures

    def compute(self) -> Tensor:
        """The mean so far, a scalar; NaN before the first batch."""
        return self.total / self.pictures
