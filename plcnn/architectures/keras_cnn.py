"""The network of a Keras tutorial program of 2020 for CIFAR-10, to the number.

Three stages of (conv 3x3 -> ReLU -> batch norm) twice, max-pool, dropout; then a dense layer, ReLU, batch norm, dropout
and the logits. `tests/architectures/make_keras_reference.py` builds it in Keras 3, and a test compares the two.

Departures from the source:
- The last layer gives logits; the softmax is part of the loss.
- Pictures are (batch, channels, height, width), and features are flattened in that order; Keras's is height, width,
  channels. A fixed permutation of the first dense layer's inputs relates the two, and its initialisation draws every
  entry alike, so training does not tell them apart; weights that come from Keras must be permuted.
- A count of batches beside each batch norm's statistics, as in every PyTorch batch norm; Keras has none.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plcnn.architectures import register
from plcnn.dropout import Dropout
from plcnn.errors import wrong_value
from plcnn.ranges import check_rate


class KerasBatchNorm(nn.BatchNorm2d):
    """Batch norm that keeps the running variance as Keras 3 does, for (batch, channels) and (batch, channels, ...).

    Both libraries normalise with the biased variance of the batch, which Keras also averages into the running variance.
    PyTorch averages the unbiased one, n / (n - 1) times as great where a channel has n values in the batch: 1.6 % after
    the dense layer at batch 64. `sync_batchnorm` replaces this layer by PyTorch's.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (batch, channels, ...); the shape stays."""
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        self.num_batches_tracked.add_(1)
        # Stochastic weight averaging sets momentum to None, for the plain mean over all batches.
        momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        values = x.numel() // x.shape[1]
        bias_of_variance = (values - 1) / values
        # Backward keeps the tensor that the kernel updates, which forbids changing it afterwards: give it a copy.
        running_var = self.running_var / bias_of_variance
        x = F.batch_norm(x, self.running_mean, running_var, self.weight, self.bias, True, momentum, self.eps)
        torch.mul(running_var, bias_of_variance, out=self.running_var)
        return x


@register
class KerasCNN(nn.Module):
    """The Keras tutorial's network for CIFAR-10.

    It has 551,722 learnable numbers and 1,152 statistics by default, 551,466 and 896 without `head_norm`. Statistics
    are the running means and variances; the count of batches that PyTorch keeps beside them is not one.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        widths: channels of each stage's two convolutions; one stage a number.
        dropouts: share of a stage's outputs set to zero in training, one a stage, each in [0, 1).
        dense_width: features of the hidden dense layer.
        head_dropout: share of the hidden dense layer's outputs set to zero in training, in [0, 1).
        head_norm: batch norm after the hidden dense layer.
        norm_eps: added to the variance in every batch norm, above 0.
        norm_momentum: weight of the newest batch in the running statistics, in (0, 1]; 1 minus Keras's momentum.

    Raises:
        UserError: a value outside these ranges, not one dropout a stage, or a picture too small for the poolings.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 32,
        widths: tuple[int, ...] = (32, 64, 128),
        dropouts: tuple[float, ...] = (0.2, 0.3, 0.4),
        dense_width: int = 128,
        head_dropout: float = 0.5,
        head_norm: bool = True,
        norm_eps: float = 1e-3,
        norm_momentum: float = 0.01,
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1:
            raise wrong_value("widths", list(widths), "one number a stage, each 1 or more", "[32, 64, 128]")
        if len(dropouts) != len(widths):
            allowed = f"one rate for each of the {len(widths)} widths {list(widths)}"
            raise wrong_value("dropouts", list(dropouts), allowed, [0.2] * len(widths))
        if not all(0 <= rate < 1 for rate in dropouts):
            raise wrong_value("dropouts", list(dropouts), "rates from 0 up to, not including, 1", [0.2] * len(widths))
        check_rate("head_dropout", head_dropout, 0.5)
        if not norm_eps > 0:
            raise wrong_value("norm_eps", norm_eps, "a number above 0", 1e-3)
        if not 0 < norm_momentum <= 1:
            raise wrong_value("norm_momentum", norm_momentum, "a number above 0, at most 1", 0.01)
        for key, value, example in (
            ("num_classes", num_classes, 10),
            ("in_channels", in_channels, 3),
            ("dense_width", dense_width, 128),
        ):
            if value < 1:
                raise wrong_value(key, value, "1 or more", example)
        smallest = 2 ** len(widths)
        if image_size < smallest:
            allowed = f"{smallest} pixels or more, since each of the {len(widths)} widths halves the picture"
            raise wrong_value("image_size", image_size, f"{allowed}; or give fewer widths and dropouts", smallest)

        channels = (in_channels, *widths)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    OrderedDict(
                        conv1=nn.Conv2d(channels[stage], width, kernel_size=3, padding=1),
                        relu1=nn.ReLU(inplace=True),
                        norm1=KerasBatchNorm(width, norm_eps, norm_momentum),
                        conv2=nn.Conv2d(width, width, kernel_size=3, padding=1),
                        relu2=nn.ReLU(inplace=True),
                        norm2=KerasBatchNorm(width, norm_eps, norm_momentum),
                        pool=nn.MaxPool2d(kernel_size=2),
                        dropout=Dropout(dropouts[stage]),
                    )
                )
                for stage, width in enumerate(widths)
            )
        )
        head = OrderedDict[str, nn.Module](
            flatten=nn.Flatten(),
            dense=nn.Linear(widths[-1] * (image_size // smallest) ** 2, dense_width),
            relu=nn.ReLU(inplace=True),
        )
        if head_norm:
            head["norm"] = KerasBatchNorm(dense_width, norm_eps, norm_momentum)
        head["dropout"] = Dropout(head_dropout)
        head["logits"] = nn.Linear(dense_width, num_classes)
        self.head = nn.Sequential(head)

        for name, parameter in self.named_parameters():
            if parameter.ndim == 4:
                nn.init.kaiming_uniform_(parameter, nonlinearity="relu")
            elif parameter.ndim == 2:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Score each picture for each class.

        Args:
            x: pictures scaled to 0..1, (batch, in_channels, image_size, image_size), in either memory format.

        Returns:
            Logits, (batch, num_classes).
        """
        logits: Tensor = self.head(self.stages(x))
        return logits
