"""MLP-Mixer: patches mixed by two kinds of perceptron, across the patches and across the channels.

Tolstikhin, Houlsby, Kolesnikov, Beyer et al., MLP-Mixer: An all-MLP Architecture for Vision, 2021,
https://arxiv.org/abs/2105.01601. A test compares with timm's MlpMixer.

Departures from the paper:
- Defaults for 32x32: patches of 4x4 and half the width of Mixer-S/16; the expansions 0.5 and 4 are its own.
- The head is drawn like every other layer, normal with variance 1 / fan-in, biases zero; the source code starts the
  head at zero, so that nothing else learns from the first step.
- GELU is exact; the source code's is an approximation by tanh.
"""

from torch import Tensor, nn
from torchvision.ops import MLP, StochasticDepth

from plcnn.architectures import register
from plcnn.ranges import check_patch_size, check_rate


class MixerBlock(nn.Module):
    """Mix (batch, tokens, width) across tokens, then across channels, each as a residual; the shape stays.

    Args:
        tokens: patches of a picture.
        width: channels of a token.
        token_mlp_width: hidden features of the perceptron across tokens.
        channel_mlp_width: hidden features of the perceptron across channels.
        drop_path: how often a picture skips a residual in training, in [0, 1).
    """

    def __init__(self, tokens: int, width: int, token_mlp_width: int, channel_mlp_width: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.mix_tokens = MLP(tokens, [token_mlp_width, tokens], activation_layer=nn.GELU)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mix_channels = MLP(width, [channel_mlp_width, width], activation_layer=nn.GELU)
        self.drop_path = StochasticDepth(drop_path, mode="row")

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape."""
        x = x + self.drop_path(self.mix_tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2))
        x = x + self.drop_path(self.mix_channels(self.norm2(x)))
        return x


@register
class MLPMixer(nn.Module):
    """MLP-Mixer sized for 32x32: 4.4 million parameters by default.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        patch_size: height and width of a patch in pixels, a divisor of the picture's.
        width: channels of a token, 1 or more.
        depth: blocks, 0 or more.
        token_mlp_width: hidden features of the perceptrons across tokens, 1 or more.
        channel_mlp_width: hidden features of the perceptrons across channels, 1 or more.
        drop_path: how often a picture skips the last block's residuals in training, in [0, 1); rises linearly from 0 at
            the first block (stochastic depth).

    Raises:
        UserError: a patch_size that does not divide the picture, or a drop_path outside its range.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 32,
        patch_size: int = 4,
        width: int = 256,
        depth: int = 8,
        token_mlp_width: int = 128,
        channel_mlp_width: int = 1024,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        check_patch_size(patch_size, image_size)
        check_rate("drop_path", drop_path, 0.1)
        tokens = (image_size // patch_size) ** 2
        self.stem = nn.Conv2d(in_channels, width, kernel_size=patch_size, stride=patch_size)
        self.blocks = nn.Sequential(
            *(
                MixerBlock(tokens, width, token_mlp_width, channel_mlp_width, drop_path * block / max(depth - 1, 1))
                for block in range(depth)
            )
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, num_classes)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="linear")
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, in_channels, image_size, image_size) to logits (batch, num_classes)."""
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        logits: Tensor = self.head(self.norm(self.blocks(tokens)).mean(dim=1))
        return logits
