"""The wrapper of torchvision: one model of each of its families, against the library and its published sizes."""

import copy
import pickle

import pytest
import torch
import torchvision.models as library
from torch import nn

from plcnn.architectures.torchvision import models, torchvision
from plcnn.errors import UserError


def published(name: str) -> int:
    """The number of parameters that torchvision states beside its weights."""
    return library.get_model_weights(name).DEFAULT.meta["num_params"]


def smallest_of_each_family() -> list[str]:
    families: dict[str, str] = {}
    for name in sorted(library.list_models(module=library), key=published, reverse=True):
        families[library.get_model_builder(name).__module__] = name
    return sorted(families.values())


NAMES = smallest_of_each_family()
NO_STEM = {"vgg11", "vit_b_16", "vit_b_32"}
TOO_SMALL = {"alexnet": "Output size is too small", "inception_v3": "Kernel size can't be greater"}


def meta(name: str) -> torch.device:
    """Where to build: without memory, but for the family that computes with its tensors while it is built."""
    return torch.device("cpu" if name.startswith("regnet") else "meta")


def number_of(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_all_classification_models_are_there():
    assert (
        {"alexnet", "resnet18", "resnet152", "swin_v2_b", "vit_h_14"}
        <= set(models())
        == set(library.list_models(module=library))
    )
    assert len(NAMES) >= 15


@pytest.mark.parametrize("stem", ["original", "small"])
@pytest.mark.parametrize("name", NAMES)
def test_it_maps_pictures_to_logits_or_says_why_not(name, stem):
    if name == "maxvit_t" or (stem == "small" and name in NO_STEM):
        words = "partition size 7" if name == "maxvit_t" else "leave stem at original"
        with pytest.raises(UserError, match=words), meta(name):
            torchvision(10, model=name, stem=stem)
        return
    with meta(name) as device:
        network = torchvision(10, model=name, stem=stem)
    images = torch.zeros(2, 3, 32, 32, device=device)
    for training in (False, True):
        if stem == "original" and name in TOO_SMALL:
            with pytest.raises(RuntimeError, match=TOO_SMALL[name]):
                network.train(training)(images)
        else:
            assert network.train(training)(images).shape == (2, 10)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "inception_v3"])
def test_with_the_original_stem_names_and_shapes_are_the_librarys_and_the_size_is_the_published_one(name):
    with meta(name):
        network = torchvision(1000, image_size=224, model=name)
        theirs = library.get_model(name, **({"init_weights": False} if name == "googlenet" else {}))
    assert number_of(network) == published(name)
    expected = {key: tensor.shape for key, tensor in theirs.state_dict().items() if not key.startswith("aux")}
    assert {key: tensor.shape for key, tensor in network.state_dict().items()} == expected


def test_inception_is_the_librarys_without_its_auxiliary_classifier():
    with torch.device("meta"):
        network = torchvision(1000, image_size=299, model="inception_v3")
        theirs = library.inception_v3(init_weights=False)
    assert number_of(network) == published("inception_v3") - number_of(theirs.AuxLogits)
    assert set(network.state_dict()) == {key for key in theirs.state_dict() if not key.startswith("AuxLogits")}


@pytest.mark.parametrize("training", [False, True])
def test_logits_are_the_librarys(training):
    network, theirs = torchvision(10, model="resnet18"), library.resnet18(num_classes=10)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, 0.05, 0.1)
    network.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(network.train(training)(images), theirs.train(training)(images))


@pytest.mark.parametrize("stem", ["original", "small"])
@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("side", [28, 64])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "swin_t"])
def test_other_channels_and_sizes(name, side, channels, stem):
    with torch.device("meta"):
        network = torchvision(7, channels, side, name, stem)
        assert network(torch.zeros(2, channels, side, side)).shape == (2, 7)


def test_a_convolution_for_other_channels_keeps_the_outputs_variance():
    torch.manual_seed(0)
    spreads = [torchvision(10, c).conv1(torch.randn(4, c, 64, 64)).std().item() for c in (3, 1)]
    assert spreads[1] == pytest.approx(spreads[0], rel=0.1)


def test_a_vision_transformer_is_built_for_the_pictures_size():
    with torch.device("meta"):
        network = torchvision(10, image_size=64, model="vit_b_32")
    assert network.encoder.pos_embedding.shape == (1, 1 + 2 * 2, 768)


def test_the_network_can_be_copied_and_pickled():
    network = torchvision(10, 1, stem="small")
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin.conv1.weight, network.conv1.weight)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "resnet19"}, ["model: torchvision has no 'resnet19'", "Did you mean", "resnet18"]),
        ({"model": "zzz"}, ["model: torchvision has no 'zzz'", "Known: ", "alexnet"]),
        ({"model": "vgg11", "stem": "small"}, ["stem: VGG has no strided stem", "leave stem at original"]),
        ({"model": "vit_b_16", "stem": "small"}, ["stem: vit_b_16", "leave stem at original", "timm's vit_*"]),
        ({"model": "vit_h_14"}, ["vit_h_14 cannot be built for pictures of 32x32", "indivisible by patch size"]),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(arguments, words):
    with pytest.raises(UserError) as error, torch.device("meta"):
        torchvision(10, **arguments)
    assert error.value.exit_code == 2
    assert all(word in str(error.value) for word in words), str(error.value)
