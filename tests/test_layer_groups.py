"""The layers of any network in groups: of every registered one, and of known ones as their papers name them."""

import contextlib

import pytest
import torch
import torchvision
from torch import nn

import plcnn as product
from plcnn.architectures import architectures
from plcnn.layer_groups import frozen_statistics, head_of, layer_groups, name_of

OWN = [name for name in architectures.names() if name not in ("timm", "torchvision")]


def named(network: nn.Module, classes: int = 7) -> list[str]:
    return [name_of(group) for group in layer_groups(network, classes)]


def build(model: str, **arguments: object) -> nn.Module:
    with torch.device("meta"):
        return torchvision.models.get_model(model, num_classes=7, **arguments)


@pytest.mark.parametrize("name", OWN)
def test_each_parameter_is_in_one_group_and_the_head_gives_the_logits(name: str) -> None:
    with contextlib.suppress(NotImplementedError), torch.device("meta"):
        network = product.build(name, num_classes=7)
    groups = layer_groups(network, 7)
    assert sorted(n for group in groups for n in group) == sorted(n for n, _ in network.named_parameters())
    assert all(groups) and {len(network.get_parameter(n)) for n in groups[-1] if n.endswith("weight")} == {7}
    assert len(groups) >= 5 or name == "linear"
    order = [n for n, _ in network.named_parameters()]
    firsts = [order.index(group[0]) for group in groups]
    assert firsts == sorted(firsts)


def test_there_are_architectures() -> None:
    assert len(OWN) > 30


@pytest.mark.parametrize(
    ("model", "groups"),
    [
        ("resnet18", ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]),
        ("squeezenet1_1", [f"features.{n}" for n in (0, 3, 4, 6, 7, 9, 10, 11, 12)] + ["classifier.1"]),
        ("swin_t", [f"features.{n}" for n in (0, 1, 2, 3, 4, 5, 6)] + ["features.7", "head"]),
    ],
)
def test_torchvisions_are_its_stages(model: str, groups: list[str]) -> None:
    assert named(build(model)) == groups


def test_positions_and_tokens_belong_to_the_layers_that_they_meet() -> None:
    network = build("vit_b_32")
    groups = layer_groups(network, 7)
    assert len(groups) == 14 and named(network)[-1] == "heads.head"
    assert "class_token" in groups[0] and "conv_proj.weight" in groups[0]
    assert "encoder.pos_embedding" in groups[1] and "encoder.ln.weight" in groups[12]


def test_timms_are_those_of_its_matcher_and_its_classifier() -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        resnet, vit, two = (
            timm.create_model(n, num_classes=7) for n in ("test_resnet", "test_vit", "deit_tiny_distilled_patch16_224")
        )
    assert named(resnet) == ["conv1", "layer1.0", "layer2.0", "layer3.0", "layer4.0", "fc"]
    groups = layer_groups(vit, 7)
    assert [*map(name_of, groups)] == ["cls_token", *(f"blocks.{n}" for n in range(len(vit.blocks))), "head"]
    assert groups[0][0] == "cls_token" and groups[-2][-1] == "norm.bias" and len(groups) == 2 + len(vit.blocks)
    assert layer_groups(two, 7)[-1] == ["head.weight", "head.bias", "head_dist.weight", "head_dist.bias"]


def test_a_layer_as_wide_as_the_classes_below_the_head_is_not_the_head() -> None:
    network = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 7), nn.Softplus())
    assert head_of(network, 7) == ["2.weight", "2.bias"]
    assert head_of(nn.Sequential(nn.Linear(4, 9), nn.ReLU()), 7) == ["0.weight", "0.bias"]


def test_frozen_statistics_are_those_of_norms_below_the_line() -> None:
    layers = [nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, affine=False)]
    network = nn.Sequential(*layers, nn.LayerNorm([4, 1, 1]))
    assert frozen_statistics(network, {"0.weight", "0.bias", "1.weight", "1.bias"}) == [network[1]]
    network[1].weight.requires_grad_(False)  # a scale that the network itself keeps from training
    assert frozen_statistics(network, {"0.weight", "0.bias", "1.bias"}) == [network[1]]
    both = {name for name, _ in network.named_parameters()} - {"4.weight", "4.bias"}
    assert frozen_statistics(network, both) == [network[1], network[3]]  # the nearest parameters before it are frozen
