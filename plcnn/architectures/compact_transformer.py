"""ViT-Lite and CCT: transformers small enough to learn from small data sets without pretraining.

Hassani, Walton, Shah, Abuduweili, Li, Shi, Escaping the Big Data Paradigm with Compact Transformers, 2021,
https://arxiv.org/abs/2104.05704. ViT-Lite cuts a picture into patches and reads the answer from a class token; CCT
tokenises by convolutions and pools the tokens with learnt weights. Tests compare ViT-Lite with timm's VisionTransformer
and the block with PyTorch's TransformerEncoderLayer.

Departures from the paper:
- The second residual starts before its norm, as in the paper's figures; the source code starts it after the norm.
- No dropout of attention weights (the source code's is 0.1), which would keep attention from its fast kernels.
- No bias in the pooling of tokens: the softmax cancels it.

The initialisation is the source code's: positions normal with deviation 0.2 and linear layers with 0.02, both
truncated, He normal convolutions, a class token of zeros.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import MLP, StochasticDepth

from plcnn.architectures import register
from plcnn.dropout import Dropout
from plcnn.errors import wrong_value
from plcnn.ranges import check_patch_size, check_rate


class Block(nn.Module):
    """Attention, then a perceptron, each as a residual with layer norm first.

    Args:
        width: channels of a token, a multiple of heads.
        heads: attention heads.
        mlp_ratio: hidden features of the perceptron as a multiple of width.
        dropout: share of each residual's features set to zero in training.
        drop_path: how often a picture skips a residual in training, in [0, 1).
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.projection = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, [int(width * mlp_ratio), width], activation_layer=nn.GELU, dropout=dropout)
        self.drop_path = StochasticDepth(drop_path, mode="row")

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (batch, tokens, width) to the same shape."""
        qkv = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1))  # (batch, tokens, 3, heads, width / heads)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(queries, keys, values).transpose(1, 2).flatten(2)
        x = x + self.drop_path(self.dropout(self.projection(attended)))
        x = x + self.drop_path(self.mlp(self.norm2(x)))
        return x


class CompactTransformer(nn.Module):
    """Tokens of a picture, transformer blocks, one vector of the tokens, logits.

    Args:
        num_classes: number of logits.
        tokenizer: maps images (batch, channels, height, width) to (batch, width, rows, columns), a token each place.
        tokens: rows times columns.
        class_token: read the answer from a token of its own; without it, from a weighted mean of all tokens.
        depth, width, heads, mlp_ratio, dropout, drop_path: as in `vit_lite`.

    Raises:
        UserError: a width that is no multiple of heads, or a drop_path outside its range.
    """

    def __init__(
        self,
        num_classes: int,
        tokenizer: nn.Module,
        tokens: int,
        class_token: bool,
        depth: int,
        width: int,
        heads: int,
        mlp_ratio: float,
        dropout: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise wrong_value("heads", heads, f"a divisor of width, which is {width}", 1)
        check_rate("drop_path", drop_path, 0.1)
        self.tokenizer = tokenizer
        self.class_token = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None
        self.positions = nn.Parameter(torch.zeros(1, tokens + class_token, width))
        self.dropout = Dropout(dropout)
        self.blocks = nn.Sequential(
            *(Block(width, heads, mlp_ratio, dropout, drop_path * i / max(depth - 1, 1)) for i in range(depth))
        )
        self.norm = nn.LayerNorm(width)
        self.pool = None if class_token else nn.Linear(width, 1, bias=False)
        self.head = nn.Linear(width, num_classes)

        nn.init.trunc_normal_(self.positions, std=0.2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (batch, in_channels, image_size, image_size) to logits (batch, num_classes)."""
        x = self.tokenizer(x).flatten(2).transpose(1, 2)  # (batch, tokens, width)
        if self.class_token is not None:
            x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        x = self.norm(self.blocks(self.dropout(x + self.positions)))
        x = x[:, 0] if self.pool is None else (self.pool(x).softmax(dim=1) * x).sum(dim=1)
        logits: Tensor = self.head(x)
        return logits


@register
def vit_lite(
    num_classes: int,
    in_channels: int = 3,
    image_size: int = 32,
    patch_size: int = 4,
    depth: int = 7,
    width: int = 256,
    heads: int = 4,
    mlp_ratio: float = 2.0,
    dropout: float = 0.0,
    drop_path: float = 0.1,
) -> CompactTransformer:
    """ViT-Lite-7/4, a vision transformer for small pictures with 3.72 million parameters, or one of another size.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        patch_size: height and width of a patch in pixels, a divisor of the picture's.
        depth: transformer blocks, 0 or more.
        width: channels of a token, a multiple of heads.
        heads: attention heads, 1 or more.
        mlp_ratio: hidden features of the perceptrons as a multiple of width, above 0.
        dropout: share of the tokens' and of each residual's features set to zero in training, from 0 to 1.
        drop_path: how often a picture skips the last block's residuals in training, in [0, 1); rises linearly from 0 at
            the first block (stochastic depth).

    Raises:
        UserError: a patch_size that does not divide the picture, heads that do not divide width, a wrong drop_path.
    """
    check_patch_size(patch_size, image_size)
    tokenizer = nn.Conv2d(in_channels, width, kernel_size=patch_size, stride=patch_size)
    tokens = (image_size // patch_size) ** 2
    return CompactTransformer(num_classes, tokenizer, tokens, True, depth, width, heads, mlp_ratio, dropout, drop_path)


@register
def cct(
    num_classes: int,
    in_channels: int = 3,
    image_size: int = 32,
    conv_layers: int = 2,
    kernel_size: int = 3,
    depth: int = 4,
    width: int = 128,
    heads: int = 2,
    mlp_ratio: float = 1.0,
    dropout: float = 0.0,
    drop_path: float = 0.1,
) -> CompactTransformer:
    """CCT-4/3x2, a compact convolutional transformer with 0.48 million parameters, or one of another size.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
        conv_layers: convolutions before the blocks, 1 or more; each is followed by a pooling that halves the picture.
        kernel_size: height and width of their kernels in pixels, an odd number.
        depth: transformer blocks, 0 or more.
        width: channels of a token, a multiple of heads.
        heads: attention heads, 1 or more.
        mlp_ratio: hidden features of the perceptrons as a multiple of width, above 0.
        dropout: share of the tokens' and of each residual's features set to zero in training, from 0 to 1.
        drop_path: how often a picture skips the last block's residuals in training, in [0, 1); rises linearly from 0 at
            the first block (stochastic depth).

    Raises:
        UserError: no conv_layers, an even kernel_size, heads that do not divide width, a wrong drop_path.
    """
    if conv_layers < 1:
        raise wrong_value("conv_layers", conv_layers, "1 or more", 2)
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise wrong_value("kernel_size", kernel_size, "an odd number, so that pictures keep their size", 3)
    layers: list[nn.Module] = []
    side = image_size
    channels = [in_channels, *[64] * (conv_layers - 1), width]
    for before, after in pairwise(channels):
        layers += [
            nn.Conv2d(before, after, kernel_size, padding=kernel_size // 2, bias=False),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        ]
        side = (side + 1) // 2
    return CompactTransformer(
        num_classes, nn.Sequential(*layers), side**2, False, depth, width, heads, mlp_ratio, dropout, drop_path
    )


@register
def cct_7_3x1(num_classes: int, in_channels: int = 3, image_size: int = 32) -> CompactTransformer:
    """CCT-7/3x1, the paper's best network for CIFAR-10, with 3.76 million parameters; best on an accelerator.

    Args:
        num_classes: number of logits.
        in_channels: channels of a picture.
        image_size: height and width of a picture in pixels.
    """
    network: CompactTransformer = cct(
        num_classes, in_channels, image_size, conv_layers=1, depth=7, width=256, heads=4, mlp_ratio=2.0
    )
    return network
