"""A library's own weights, found where the library keeps its downloads: fitted to other classes, channels and sizes."""

import socket
import urllib.error
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from support import TINY, Outcome
from torch import Tensor, nn
from torchvision.models.vision_transformer import VisionTransformer

import plcnn as product
from plcnn.architectures import architectures
from plcnn.data.scaling import IMAGENET, Scaling
from plcnn.errors import UserError
from plcnn.pretrained import LibraryWeights, Pretrained, scaled_otherwise
from plcnn.weights import Start, start_from

Command = Callable[..., Outcome]
CLASSES = ["ant", "bee", "cow"]
SMALL = {"model": "shufflenet_v2_x0_5"}


def started(network: nn.Module, weights: str, name: str, shape: tuple[int, int, int], **arguments: object) -> Start:
    return start_from(network, weights, architectures.choose(name, **arguments), CLASSES, shape)


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.fixture
def torchvisions() -> dict[str, Tensor]:
    """Weights of a small model, in the file in which torchvision would have downloaded them."""
    torch.manual_seed(3)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True)
    tensors = torchvision.models.shufflenet_v2_x0_5().state_dict()
    address = torchvision.models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1.url
    torch.save(tensors, folder / address.rpartition("/")[2])
    return tensors


@pytest.fixture
def timms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], dict[str, Tensor]]:
    """Gives weights of one of timm's small models, in the file in which the hub's cache would have them."""
    timm = pytest.importorskip("timm")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delattr("timm.models._builder.load_state_dict_from_hf")  # which would ask the hub first

    def cached(model: str) -> dict[str, Tensor]:
        torch.manual_seed(4)
        tensors: dict[str, Tensor] = {k: v.contiguous() for k, v in timm.create_model(model).state_dict().items()}
        folder = tmp_path / "hub" / f"models--timm--{model}.r160_in1k"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text("abc")
        (folder / "snapshots" / "abc").mkdir(parents=True)
        save_file(tensors, folder / "snapshots" / "abc" / "model.safetensors")
        return tensors

    return cached


@pytest.mark.parametrize("tag", ["pretrained", "pretrained:IMAGENET1K_V1"])
def test_torchvisions_weights_but_for_the_head(torchvisions: dict[str, Tensor], tag: str) -> None:
    network = product.build("torchvision", 3, **SMALL)
    start = started(network, tag, "torchvision", (3, 32, 32), **SMALL)
    assert start.origin == "torchvision's shufflenet_v2_x0_5, IMAGENET1K_V1"
    assert start.fresh == ["fc.bias", "fc.weight"] and start.notes == [] and start.scaling == IMAGENET
    assert all(torch.equal(t, torchvisions[name]) for name, t in network.state_dict().items() if "fc" not in name)


def test_one_channel_gets_the_sum_of_the_filters_and_five_their_shares(torchvisions: dict[str, Tensor]) -> None:
    filters = torchvisions["conv1.0.weight"]
    for channels, expected in ((1, filters.sum(1, keepdim=True)), (5, filters[:, [0, 1, 2, 0, 1]] * 3 / 5)):
        network = product.build("torchvision", 3, in_channels=channels, **SMALL)
        start = started(network, "pretrained", "torchvision", (channels, 32, 32), **SMALL)
        torch.testing.assert_close(network.conv1[0].weight.detach(), expected)
        assert start.fresh == ["fc.bias", "fc.weight"]
        assert start.notes == [f"conv1.0.weight from 3 channels to {channels}"]


def test_a_stem_with_another_kernel_starts_afresh_and_says_so() -> None:
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), "r.pth")
    arguments = {"model": "resnet18", "stem": "small"}
    network = product.build("torchvision", 3, **arguments)
    before = state(network)
    start = started(network, "r.pth", "torchvision", (3, 32, 32), **arguments)
    assert start.fresh == ["conv1.weight", "fc.bias", "fc.weight"]
    assert torch.equal(network.conv1.weight, before["conv1.weight"])
    assert not torch.equal(network.layer1[0].conv1.weight, before["layer1.0.conv1.weight"])


def test_positions_of_torchvisions_transformers_are_interpolated() -> None:
    from plcnn.architectures.torchvision import adapted

    def small(side: int) -> VisionTransformer:
        return VisionTransformer(side, 8, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=3)

    there = small(32).state_dict()
    there["encoder.pos_embedding"] = torch.arange(17.0).view(1, 17, 1).expand(1, 17, 8)
    here = adapted({**there, "aux1.fc.weight": torch.zeros(1)}, "vit_b_16", 64)
    small(64).load_state_dict(here)
    positions = here["encoder.pos_embedding"][0, :, 0]
    assert len(positions) == 65 and positions[0] == 0  # the class token's stays
    corners = positions[1:].view(8, 8)[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.tolist() == pytest.approx([1, 4, 13, 16], abs=1e-4)


def test_weights_that_cannot_be_loaded_are_told_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    network = product.build("torchvision", 3, **SMALL)
    with pytest.raises(UserError) as error:
        started(network, "pretrained", "torchvision", (3, 32, 32), **SMALL)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    first, second = str(error.value).splitlines()
    assert error.value.exit_code == 1 and "IMAGENET1K_V1 could not be loaded from https://" in first
    assert "no route to host" in first
    assert f"put shufflenetv2_x0.5-f707e7126e.pth into {folder}" in second and "--model.weights FILE" in second


def test_a_hub_out_of_reach_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    timm, hub = pytest.importorskip("timm"), pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    network = timm.create_model("test_vit", num_classes=3)
    asked: list[str] = []

    def silent(address: str, timeout: float) -> None:
        asked.append(address)
        raise ConnectionError(f"nothing heard for {timeout} s")

    def answers(address: str, timeout: float) -> None:
        raise hub.errors.HfHubHTTPError("503", response=SimpleNamespace(headers={}, request=None))

    def download(*_: object, **__: object) -> None:
        asked.append("download")
        raise ConnectionError("broken off")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", download)
    for hubs, heard in ((silent, "nothing heard for 5.0 s"), (answers, "broken off")):
        monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", hubs)
        with pytest.raises(UserError) as error:
            started(network, "pretrained", "timm", (3, 160, 160), model="test_vit")
        first, second = str(error.value).splitlines()
        assert "timm's test_vit.r160_in1k could not be loaded from https://" in first and f"({heard})" in first
        assert "take that file from a machine that has one, and name it: --model.weights FILE" in second
    assert [name.rpartition("/")[2] for name in asked] == ["model.safetensors", "download"]


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []

    def load(*_: object, **__: object) -> None:
        waits.append(socket.getdefaulttimeout())
        raise TimeoutError("timed out")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", load)
    with pytest.raises(UserError, match="timed out"):
        started(product.build("torchvision", 3, **SMALL), "pretrained", "torchvision", (3, 32, 32), **SMALL)
    assert waits == [5.0] and socket.getdefaulttimeout() is None


@pytest.mark.parametrize(
    ("weights", "name", "model", "words"),
    [
        (
            "pretrained:IMAGENET_V1",
            "torchvision",
            "resnet18",
            "no weights with the tag 'IMAGENET_V1'. Did you mean",
        ),
        (
            "pretrained:a1_in2k",
            "timm",
            "resnet18",
            "timm's resnet18 has no weights with the tag 'a1_in2k'. Did",
        ),
        ("pretrained", "timm", "test_maxvit", "timm's test_maxvit has no pretrained weights; choose another"),
        ("pretrained", "linear", "", "linear has no weights of a library; these have: timm, torchvision."),
    ],
)
def test_what_no_library_has_is_refused_in_words(weights: str, name: str, model: str, words: str) -> None:
    if name == "timm":
        pytest.importorskip("timm")
    with pytest.raises(UserError, match=words):
        started(nn.Linear(2, 3), weights, name, (3, 32, 32), **({"model": model} if model else {}))


def test_timms_weights_for_other_classes_channels_and_sizes_are_as_timm_fits_them(
    timms: Callable[[str], dict[str, Tensor]],
) -> None:
    timm = pytest.importorskip("timm")
    there = timms("test_vit")
    torch.save(there, "same.pth")
    overlay = {"state_dict": dict(there)}
    sizes = {"in_chans": 1, "img_size": 48, "num_classes": 3}
    expected = timm.create_model("test_vit", True, pretrained_cfg_overlay=overlay, **sizes).state_dict()
    for weights in ("pretrained", "same.pth"):
        network = product.build("timm", 3, in_channels=1, image_size=48, model="test_vit")
        start = started(network, weights, "timm", (1, 48, 48), model="test_vit")
        assert start.fresh == ["head.bias", "head.weight"]
        for name, tensor in network.state_dict().items():
            if "head" not in name:
                torch.testing.assert_close(tensor, expected[name])
        wide = float(network.head.weight.detach().abs().max())
        assert wide <= 64**-0.5 and not network.head.weight.eq(0).all()  # drawn by its 64 inputs
    assert started(network, "pretrained:r160_in1k", "timm", (1, 48, 48), model="test_vit").scaling == Scaling(
        [0.5] * 3, [0.5] * 3
    )


def test_a_run_starts_from_a_library_and_goes_on_without_it(
    timms: Callable[[str], dict[str, Tensor]], plcnn: Command, tmp_path: Path
) -> None:
    timms("test_efficientnet")
    chosen = ["--model.arch", "timm", "--model.arch.model", "test_efficientnet", "--data.source.image_size", "32"]
    outcome = plcnn("fit", *TINY, *chosen, "--model.weights", "pretrained", "--trainer.max_epochs", "1")
    assert outcome.code == 0, outcome.err
    assert "from       timm's test_efficientnet.r160_in1k; afresh: classifier.bias, classifier.weight\n" in outcome.out
    assert outcome.err.count("scaled by mean [0.485, 0.456, 0.406] and std [0.229, 0.224, 0.225], not by") == 1
    assert "--model.normalize imagenet" in outcome.err
    (tmp_path / "hub").rename(tmp_path / "gone")
    run = Path("tb_logs/run/version_0")
    assert '"timm\'s test_efficientnet.r160_in1k": "' in (run / "manifest.json").read_text()
    for command in (["test", run, "--report", "false"], ["fit", "--resume", run, "--trainer.max_epochs", "2"]):
        outcome = plcnn(*command)
        assert outcome.code == 0 and "scaled by" not in outcome.err, outcome.err
    start = ["--model.weights", run, "--model.normalize", "imagenet", "--trainer.max_epochs", "1"]
    outcome = plcnn("fit", *TINY, *chosen, *start)
    assert outcome.code == 0 and f"from       {run}/checkpoints/best-" in outcome.out, outcome.err


def test_another_scaling_is_told_with_the_options_that_mend_it() -> None:
    half, none = Scaling([0.5] * 3, [0.5] * 3), Scaling([0.0] * 3, [1.0] * 3)
    assert scaled_otherwise(IMAGENET, IMAGENET) == "" and scaled_otherwise(half, half) == ""
    assert scaled_otherwise(IMAGENET, none).endswith("not by [0, 0, 0] and [1, 1, 1]: --model.normalize imagenet")
    assert scaled_otherwise(half, IMAGENET).endswith(": --model.mean '[0.5, 0.5, 0.5]' --model.std '[0.5, 0.5, 0.5]'")
    grey = Scaling([(0.485 + 0.456 + 0.406) / 3], [(0.229 + 0.224 + 0.225) / 3])
    assert scaled_otherwise(IMAGENET, grey) == "" and "imagenet" in scaled_otherwise(IMAGENET, Scaling([0.0], [1.0]))


@pytest.mark.usefixtures("registers")
def test_an_architecture_of_ones_own_may_offer_weights() -> None:
    def load(tag: str, width: int) -> Pretrained:
        if tag not in ("", "ones"):
            raise UserError(f"no {tag}")
        return Pretrained({"0.weight": torch.ones(width, 12), "0.bias": torch.ones(width)}, "mine")

    @product.register(weights=LibraryWeights(load))
    def mine(num_classes: int, width: int = 3) -> nn.Module:
        return nn.Sequential(nn.Linear(12, width), nn.Linear(width, num_classes))

    network = product.build("mine", 3, width=5)
    start = started(network, "pretrained:ones", "mine", (3, 2, 2), width=5)
    assert start.origin == "mine" and start.fresh == ["1.bias", "1.weight"] and start.scaling is None
    assert float(network[0].weight.detach().min()) == 1
    with pytest.raises(UserError, match="--model.weights pretrained:twos: no twos"):
        started(network, "pretrained:twos", "mine", (3, 2, 2), width=5)
