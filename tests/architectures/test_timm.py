"""The wrapper of timm: a sample of its families, against the library."""

import copy
import pickle
import sys

import pytest
import torch
import torchvision
from torch import nn

library = pytest.importorskip("timm")

from plcnn.architectures.timm import models, timm  # noqa: E402
from plcnn.errors import UserError  # noqa: E402

# Every ninth family, the model of the shortest name; no time for all.
SAMPLE = [min(library.list_models(module=family), key=len) for family in library.list_modules()[::9]]
# One of each way to build: a plain stem, "same" and standardised convolutions, branches, positions, windows, patches.
KINDS = [
    *("resnet18", "tf_efficientnet_b0", "nf_resnet26", "repvgg_a0", "levit_128s", "coatnet_nano_rw_224"),
    *("vit_tiny_patch16_224", "convnext_atto", "densenet121"),
]


def built(name: str, **arguments: object) -> nn.Module:
    with torch.device("meta"):
        return timm(**{"num_classes": 10, "model": name, **arguments})


def shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in network.state_dict().items()}


def test_all_of_timms_models_are_there():
    assert len(models()) > 1000 and len(SAMPLE) > 10 and len(set(KINDS)) == 9
    assert set(models()) == set(library.list_models())


@pytest.mark.parametrize("stem", ["original", "small"])
@pytest.mark.parametrize("name", [*SAMPLE, *KINDS])
def test_it_maps_pictures_to_logits_or_says_why_not(name, stem):
    try:
        network = built(name, stem=stem)
    except UserError as error:
        way_out = "leave stem at original." if stem == "small" else "fits nearly all."
        assert name not in KINDS and str(error).endswith(way_out)
        return
    assert network.train()(torch.zeros(2, 3, 32, 32, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "levit_128s", "efficientnet_b0", "convnext_atto"])
def test_with_the_original_stem_names_and_shapes_are_the_librarys(name):
    with torch.device("meta"):
        theirs = library.create_model(name)
    assert shapes(built(name, num_classes=1000, image_size=224)) == shapes(theirs)


@pytest.mark.parametrize(("name", "twin"), [("resnet18", "resnet18"), ("vit_base_patch16_224", "vit_b_16")])
def test_sizes_are_those_that_torchvision_publishes(name, twin):
    published = torchvision.models.get_model_weights(twin)["IMAGENET1K_V1"].meta["num_params"]
    network = built(name, num_classes=1000, image_size=224)
    assert sum(parameter.numel() for parameter in network.parameters()) == published


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_logits_are_the_librarys(name, training):
    network = timm(10, model=name)
    theirs = library.create_model(name, num_classes=10, **({"img_size": 32} if name.startswith("vit") else {}))
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, 0.05, 0.1)
    network.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(network.train(training)(images), theirs.train(training)(images))


@pytest.mark.parametrize("stem", ["original", "small"])
@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("side", [28, 64])
@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_b0", "repvgg_a0"])
def test_other_channels_and_sizes(name, side, channels, stem):
    network = built(name, num_classes=7, in_channels=channels, image_size=side, stem=stem)
    assert network(torch.zeros(2, channels, side, side, device="meta")).shape == (2, 7)


@pytest.mark.parametrize(("side", "patch"), [(28, 4), (32, 4), (64, 8), (36, 4), (29, 1)])
def test_a_vision_transformer_with_a_small_stem_has_patches_of_an_eighth_that_divide_the_picture(side, patch):
    network = built("vit_tiny_patch16_224", image_size=side, stem="small")
    assert network.patch_embed.proj.weight.shape[2:] == (patch, patch)
    assert network.pos_embed.shape[1] == 1 + (side // patch) ** 2
    assert network(torch.zeros(2, 3, side, side, device="meta")).shape == (2, 10)


def test_rates_reach_the_network():
    network = built("vit_tiny_patch16_224", drop_rate=0.3, drop_path_rate=0.2)
    paths = [layer.drop_prob for layer in network.modules() if type(layer).__name__ == "DropPath"]
    assert network.head_drop.p == 0.3
    assert max(paths) == pytest.approx(0.2) and paths == sorted(paths)
    assert not any(type(layer).__name__ == "DropPath" for layer in built("vit_tiny_patch16_224").modules())


def test_a_rate_is_0_unless_given_also_where_timms_default_is_another():
    with torch.device("meta"):
        theirs = library.create_model("tiny_vit_11m_224")
    assert any(getattr(layer, "drop_prob", 0) for layer in theirs.modules())
    assert not any(getattr(layer, "drop_prob", 0) for layer in built("tiny_vit_11m_224").modules())


def test_the_network_can_be_copied_and_pickled():
    network = timm(10, 1, stem="small")
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin.conv1.weight, network.conv1.weight)


def test_without_timm_the_way_to_install_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    for call in (models, lambda: timm(10)):
        with pytest.raises(UserError, match=r"^timm is not installed: pip install 'plcnn\[timm\]'$") as error:
            call()
        assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "resnet19"}, ["model: timm has no 'resnet19'", "Did you mean", "resnet18"]),
        ({"model": "resnet18.a1_in1k"}, ["model: timm has no", "resnet18"]),
        ({"model": "¤"}, ["model: timm has no '¤'", "Known: ", "..."]),
        ({"model": "vgg11", "stem": "small"}, ["stem: VGG has no strided stem", "leave stem at original"]),
        (
            {"model": "swin_tiny_patch4_window7_224", "stem": "small"},
            ["stem: timm's swin_tiny_patch4_window7_224", "4x4", "32x32", "leave stem at original"],
        ),
        ({"model": "densenet121", "drop_path_rate": 0.1}, ["drop_path_rate: got 0.1", "densenet121", "leave it out"]),
        ({"drop_rate": 1.0}, ["drop_rate: got 1.0", "up to, not including, 1"]),
        ({"drop_path_rate": -0.1}, ["drop_path_rate: got -0.1", "from 0"]),
        ({"model": "vit_tiny_patch16_224", "image_size": 8}, ["8x8", "vit_tiny_patch16_224", "choose another"]),
        ({"model": "crossvit_9_240", "stem": "small"}, ["32x32", "crossvit_9_240", "leave stem at original"]),
        ({"model": "bat_resnext26ts"}, ["32x32", "bat_resnext26ts", "choose another"]),
        ({"model": "qwen3_vit_88m_enc"}, ["model: timm's qwen3_vit_88m_enc gives features", "choose another"]),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(arguments, words):
    with pytest.raises(UserError) as error, torch.device("meta"):
        timm(10, **arguments)
    assert error.value.exit_code == 2
    assert all(word in str(error.value) for word in words), str(error.value)
    assert len(str(error.value)) < 400
