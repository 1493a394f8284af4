"""Each check passes a sound network, and says what is wrong with one that has the fault that it looks for."""

import pytest
import torch
from torch import Tensor, nn

from plcnn.architectures import architectures
from plcnn.archs.catalogue import Input
from plcnn.archs.checks import CHECKS, Failed, Subject, run
from plcnn.errors import UserError

pytestmark = pytest.mark.usefixtures("registers")

GIVEN = Input(3, 8, 5)


class Sound(nn.Module):
    """A network with nothing wrong; the faulty ones change one thing of it."""

    def __init__(self, num_classes: int, in_channels: int = 3, image_size: int = 32) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(4, num_classes)

    def features(self, x: Tensor) -> Tensor:
        return self.dropout(self.norm(self.conv(x)).relu().mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class ReturnsTwo(Sound):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(self.features(x)), x


class NoHead(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return self.features(x) + 0 * self.head(self.features(x)).sum()


class Infinite(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / torch.zeros(1)


class ForgetsALayer(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).mean((2, 3)))


class PlainList(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layers = [nn.Linear(3, num_classes)]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[0](x.mean((2, 3)))


class AlwaysDrops(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.dropout(self.features(x), 0.5))


class LooksAround(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.mean()


class HidesATensor(Sound):
    def __init__(self, num_classes: int, in_channels: int = 3) -> None:
        super().__init__(num_classes, in_channels)
        self.secret = torch.randn(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x) * self.secret)


class HoldsALambda(Sound):
    def __init__(self, num_classes: int, in_channels: int = 3) -> None:
        super().__init__(num_classes, in_channels)
        self.activation = lambda x: x


class Views(Sound):
    def __init__(self, num_classes: int, in_channels: int = 3, image_size: int = 32) -> None:
        super().__init__(num_classes, in_channels)
        self.head = nn.Linear(4 * image_size**2, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).view(len(x), -1))


class OnlyFloat32(Sound):
    def forward(self, x: Tensor) -> Tensor:
        return torch.mm(self.head(self.features(x)), torch.eye(5)).index_add(1, torch.tensor([0]), self.head.bias[None])

    def features(self, x: Tensor) -> Tensor:
        found = super().features(x)
        out = torch.zeros(len(x), 4)
        out[:] = found
        return torch.einsum("bi,ij->bj", out, torch.eye(4)).scatter_add(1, torch.zeros(len(x), 1, dtype=int), found)


class Untraceable(Sound):
    def forward(self, x: Tensor) -> Tensor:
        if torch.jit.is_tracing():
            return {"logits": object()}  # type: ignore[return-value]
        return super().forward(x)


class SpoiltByPictures(Sound):
    def init_from_images(self, images: Tensor) -> None:
        self.head.weight.fill_(float("nan"))


def subject(builder: type[nn.Module]) -> Subject:
    architectures.register(builder, name="subject")
    return Subject(architectures.choose("subject"), GIVEN)


def test_a_sound_network_passes_all() -> None:
    results = list(run(subject(Sound)))
    assert [problem for _, _, problem in results] == [None] * len(CHECKS)
    assert all(sentence.endswith(".") for _, sentence, _ in results)


@pytest.mark.parametrize(
    ("builder", "check", "words"),
    [
        (ReturnsTwo, "outputs", ["returns a tuple", "return one tensor of logits"]),
        (NoHead, "outputs", ["shape (2, 4)", "(2, 5)", "num_classes outputs"]),
        (Infinite, "outputs", ["not finite"]),
        (ForgetsALayer, "gradients", ["norm.weight, norm.bias", "use it in forward, remove it, or freeze it"]),
        (PlainList, "gradients", ["no trainable parameter", "nn.ModuleList"]),
        (AlwaysDrops, "evaluation", ["second time", "self.training"]),
        (LooksAround, "evaluation", ["depend on the pictures beside it"]),
        (HidesATensor, "state", ["state-dict does not hold all", "register_buffer"]),
        (HoldsALambda, "copies", ["cannot be pickled", "no lambda"]),
        (Views, "channels_last", ["reshape or flatten in place of view"]),
        (OnlyFloat32, "bfloat16", ["dtype"]),
        (Untraceable, "graph", ["cannot be traced"]),
        (SpoiltByPictures, "first_pictures", ["after init_from_images"]),
    ],
)
def test_a_fault_is_found_and_told(builder: type[nn.Module], check: str, words: list[str]) -> None:
    with pytest.raises(Failed) as failure:
        CHECKS[check](subject(builder))
    for word in words:
        assert word in str(failure.value)


def test_an_argument_that_is_no_plain_data_fails_the_checkpoint() -> None:
    @architectures.register
    def odd(num_classes: int, kind: object = Sound) -> nn.Module:
        return Sound(num_classes)

    with pytest.raises(Failed, match="numbers, text and lists as arguments"):
        CHECKS["checkpoint"](Subject(architectures.choose("odd"), GIVEN))


def test_an_exception_is_told_with_its_place() -> None:
    class Raises(Sound):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyError("nowhere")

    problems = [problem for _, _, problem in run(subject(Raises))]
    assert "it raises KeyError: 'nowhere' (" in problems[0] and f"{__file__}, line " in problems[0]


def test_what_cannot_be_built_is_not_checked() -> None:
    @architectures.register
    def raises(num_classes: int) -> nn.Module:
        raise ZeroDivisionError

    with pytest.raises(UserError, match="cannot be built: ZeroDivisionError"):
        list(run(Subject(architectures.choose("raises"), GIVEN)))
