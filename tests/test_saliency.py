from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from plcnn.architectures import architectures
from plcnn.classifier import Classifier
from plcnn.errors import UserError
from plcnn.saliency import overlay, saliency

CLASSES = ["red", "green"]
WITHOUT_PLACES = {"linear"}


class Colours(nn.Module):
    """Logits are the mean red and the mean green, through a map of features of half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x)[:, :2].mean((2, 3))


class Tokens(nn.Module):
    """The same by tokens: the answer is read from a class token that gathers from normed tokens, then is normed."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(3, elementwise_affine=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        tokens = nn.functional.avg_pool2d(x, 2).flatten(2).transpose(1, 2)
        tokens = self.norm1(torch.cat([tokens[:, :1] * 0, tokens], 1))
        gathered = torch.cat([tokens.mean(1, keepdim=True), tokens[:, 1:]], 1)
        return self.norm2(gathered)[:, 0, :2]


def a_classifier(net: nn.Module, side: int = 16) -> Classifier:
    classifier = Classifier(CLASSES, (3, side, side), arch="linear")
    classifier.net = net
    return classifier.eval()


def squares() -> Tensor:
    """A picture, black, with a red square above at the left and a green one below at the right."""
    image = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    image[0, 0, :4, :4] = 255
    image[0, 1, 12:, 12:] = 255
    return image


@pytest.mark.parametrize("make", [Colours, Tokens])
def test_the_heat_lies_on_what_speaks_for_the_class(make: Callable[[], nn.Module]) -> None:
    classifier = a_classifier(make())
    red, green = saliency(classifier, squares().repeat(2, 1, 1, 1), torch.tensor([0, 1]))
    assert red.shape == (16, 16)
    assert red[:4, :4].min() > 0.3 and red[:4, :4].max() == 1 and red[8:].max() == 0
    assert green[12:, 12:].min() > 0.3 and green[12:, 12:].max() == 1 and green[:8].max() == 0


def test_the_heat_is_the_paper_s_formula() -> None:
    """Of the features at their own size: for each picture, the positive part of the red channel, scaled to 1."""
    net = nn.Sequential(nn.Identity(), Colours())
    net[1].pool = nn.AvgPool2d(1)
    images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    heat = saliency(a_classifier(net), images, torch.zeros(3, dtype=torch.long))
    red = images[:, 0].float()
    assert torch.allclose(heat, red / red.amax((1, 2), keepdim=True), atol=1e-5)


def test_the_predicted_class_is_explained_where_none_is_named() -> None:
    image = squares()
    image[0, 1, 8:, 8:] = 255
    classifier = a_classifier(Colours())
    assert torch.equal(saliency(classifier, image), saliency(classifier, image, torch.tensor([1])))


def test_nothing_speaks_for_a_class() -> None:
    heat = saliency(a_classifier(Colours()), torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    assert torch.equal(heat, torch.zeros(1, 16, 16))
    assert saliency(a_classifier(Colours()), torch.zeros(0, 3, 16, 16, dtype=torch.uint8)).shape == (0, 16, 16)


def test_batches_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Classifier(CLASSES, (3, 16, 16), arch="keras_cnn").eval()
    images = torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8)
    whole = saliency(classifier, images, torch.tensor([0, 1, 0, 1, 0]))
    monkeypatch.setattr("plcnn.saliency.BATCH_SIZE", 2)
    assert torch.allclose(saliency(classifier, images, torch.tensor([0, 1, 0, 1, 0])), whole, atol=1e-4)


def test_floats_and_inference_mode_give_the_same() -> None:
    classifier = a_classifier(Colours())
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    expected = saliency(classifier, images)
    assert torch.allclose(saliency(classifier, images / 255), expected, atol=1e-6)
    with torch.inference_mode():
        assert torch.equal(saliency(classifier, images.clone()), expected)


@pytest.mark.parametrize("name", ["keras_cnn", "vit_lite", "mlp_mixer", "quick_cnn", "linear"])
@pytest.mark.parametrize("training", [True, False])
def test_the_classifier_is_left_as_it_was(name: str, training: bool) -> None:
    classifier = Classifier(CLASSES, (3, 32, 32), arch=name).train(training)
    classifier.net.requires_grad_(False)
    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    kept = images.clone()
    if name in WITHOUT_PLACES:
        with pytest.raises(UserError, match="'linear' has no map of features"):
            saliency(classifier, images)
    else:
        saliency(classifier, images)
    assert torch.equal(images, kept)
    assert all(torch.equal(before[key], value) for key, value in classifier.state_dict().items())
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in classifier.modules())
    assert {module.training for module in classifier.modules()} == {training}


HEAVY = {"wide_resnet_28_10", "wide_resnet_16_8", "resnet110", "airbench96"}  # variants of others that are tried


@pytest.mark.parametrize("name", sorted(set(architectures.names()) - WITHOUT_PLACES - HEAVY))
def test_every_architecture_has_it(name: str) -> None:
    torch.manual_seed(0)
    classifier = Classifier([str(label) for label in range(10)], (3, 32, 32), arch=name).eval()
    images = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8).expand(10, -1, -1, -1)
    heats = saliency(classifier, images, torch.arange(10))
    assert heats.shape == (10, 32, 32) and heats.isfinite().all() and heats.min() >= 0
    assert heats.max() == 1  # for some class; before training, nothing may speak for another


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("timm", "vit_tiny_patch16_224"),
        ("timm", "swin_tiny_patch4_window7_224"),
        ("torchvision", "swin_t"),
        ("torchvision", "convnext_tiny"),
    ],
)
def test_transformers_of_libraries_have_it(name: str, model: str) -> None:
    arch = {"class_path": name, "init_args": {"model": model}}
    classifier = Classifier(CLASSES, (3, 64, 64), arch=arch).eval()
    heat = saliency(classifier, torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8))
    assert heat.shape == (1, 64, 64) and heat.isfinite().all()


def test_overlay() -> None:
    for channels in (1, 3):
        image = torch.full((channels, 8, 8), 100, dtype=torch.uint8)
        heat = torch.zeros(8, 8)
        heat[:, 4:] = 1
        picture = overlay(image, heat)
        assert (picture.mode, picture.size) == ("RGB", (256, 256))  # each pixel is a square of 32
        assert picture.getpixel((0, 0)) == (50, 50, 51)  # half of the picture, half of inferno's darkest
        assert sum(picture.getpixel((255, 0))) > 2 * sum(picture.getpixel((0, 0)))
    assert overlay(torch.zeros(3, 300, 400, dtype=torch.uint8), torch.zeros(300, 400)).size == (400, 300)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torchcam.methods", None)
    with pytest.raises(UserError, match=r"pip install 'plcnn\[saliency\]'"):
        saliency(a_classifier(Colours()), squares())
