"""The small stem: sizes, what is kept, what is refused, and the usual surgery of a residual network as reference."""

from collections import OrderedDict

import pytest
import torch
import torchvision
from torch import nn

from plcnn.errors import UserError
from plcnn.small_stem import small_stem


def stem(kernel: int, stride: int = 2, padding: int = 0) -> nn.Sequential:
    """A strided convolution, a max-pool, and a second strided convolution."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 64, kernel, stride, padding),
            norm=nn.BatchNorm2d(64),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
            next=nn.Conv2d(64, 8, 3, stride=2, padding=1),
        )
    )


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(7, 2, 3), (3, 2, 0), (4, 4, 0), (11, 4, 2), (1, 2, 0)])
@pytest.mark.parametrize("side", [28, 32, 33])
def test_the_stem_keeps_the_pictures_size(kernel, stride, padding, side):
    network = stem(kernel, stride, padding)
    names = list(network.state_dict())
    assert small_stem(network) == 2 * stride
    assert network[:3](torch.zeros(1, 3, side, side)).shape == (1, 64, side, side)
    assert network(torch.zeros(1, 3, side, side)).shape == (1, 8, (side + 1) // 2, (side + 1) // 2)
    assert list(network.state_dict()) == names
    assert network.conv.weight.shape[2:] == ((1, 1) if kernel == 1 else (3, 3))


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_small_kernel_keeps_its_weights(kernel):
    network = stem(kernel)
    before = network.conv.weight
    small_stem(network)
    assert network.conv.weight is before


@pytest.mark.parametrize("kernel", [4, 7, 16])
def test_a_new_kernel_keeps_the_outputs_variance(kernel):
    torch.manual_seed(0)
    network, images = stem(kernel, stride=2), torch.randn(8, 3, 48, 48)
    before = network.conv(images).std().item()
    small_stem(network)
    # 1,728 weights: their variance strays by sqrt(2 / 1728), 3.4 %, the outputs' spread by half of that
    assert network.conv(images)[:, :, 1:-1, 1:-1].std().item() == pytest.approx(before, rel=0.07)


def test_a_pool_after_the_next_strided_convolution_stays():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 3, 2), nn.MaxPool2d(2))
    assert small_stem(network) == 2
    assert isinstance(network[2], nn.MaxPool2d) and network[1].stride == (2, 2)


def test_a_pool_that_keeps_the_size_is_passed_over():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.MaxPool2d(3, stride=1, padding=1), nn.MaxPool2d(2))
    assert small_stem(network) == 4
    assert isinstance(network[1], nn.MaxPool2d) and isinstance(network[2], nn.Identity)


def test_a_pool_in_the_shortcut_of_a_later_block_stays():
    block = nn.ModuleDict({"shortcut": nn.Sequential(nn.MaxPool2d(2)), "body": nn.Conv2d(4, 4, 3, 2, padding=1)})
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2), block)
    assert small_stem(network) == 2
    assert isinstance(block["shortcut"][0], nn.MaxPool2d)


def test_branches_beside_the_first_convolution_change_with_it():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.point = nn.Conv2d(3, 8, 3, 2, padding=1), nn.Conv2d(3, 8, 1, 2)

        def forward(self, x):
            return self.wide(x) + self.point(x)

    network = nn.Sequential(Branches(), nn.MaxPool2d(2))
    assert small_stem(network) == 4
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 8, 32, 32)


@pytest.mark.parametrize("name", ["Conv2dSame", "StdConv2d", "StdConv2dSame", "ScaledStdConv2d", "ScaledStdConv2dSame"])
@pytest.mark.parametrize("kernel", [3, 7])
def test_timms_convolutions_stay_what_they_are(name, kernel):
    layers = pytest.importorskip("timm.layers")
    torch.manual_seed(0)
    conv, images = getattr(layers, name)(3, 64, kernel, stride=2), torch.randn(4, 3, 32, 32)
    before = conv(images).std().item()
    network = nn.Sequential(conv)
    small_stem(network)
    logits = network(images)
    assert type(network[0]) is getattr(layers, name) and logits.shape == (4, 64, 32, 32)
    if not name.startswith("StdConv"):  # those normalise their weights without regard to how many there are
        assert logits[:, :, 1:-1, 1:-1].std().item() == pytest.approx(before, rel=0.15)


@pytest.mark.parametrize("training", [False, True])
def test_a_residual_network_becomes_the_one_that_is_usual_for_small_pictures(training):
    network = torchvision.models.resnet18(num_classes=10)
    small_stem(network)
    usual = torchvision.models.resnet18(num_classes=10)
    usual.conv1, usual.maxpool = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False), nn.Identity()
    usual.load_state_dict(network.state_dict())
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network.train(training)(images), usual.train(training)(images))


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, 2)),
        nn.Sequential(nn.Flatten(), nn.Linear(12, 2)),
    ],
)
def test_without_a_strided_stem_it_is_refused_in_words(network):
    with pytest.raises(UserError, match=r"stem: Sequential has no strided stem; leave stem at original") as error:
        small_stem(network)
    assert error.value.exit_code == 2
