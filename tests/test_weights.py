"""Training that starts from weights in a local file: which files fit, which start afresh, which are refused."""

import argparse
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support import TINY, Outcome

import plcnn as product
from plcnn.architectures import architectures
from plcnn.checkpoint import find, read
from plcnn.errors import UserError
from plcnn.weight_files import read as read_file
from plcnn.weights import load_weights, start_from

Command = Callable[..., Outcome]


def network(num_classes: int = 10, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return product.build("keras_cnn", num_classes, image_size=8, widths=[4], dropouts=[0.0], dense_width=6)


def saved(how: str, path: Path, num_classes: int = 10) -> dict[str, torch.Tensor]:
    tensors = {k: v.clone() for k, v in network(num_classes, seed=1).state_dict().items()}
    others = network(num_classes, seed=2).state_dict()
    wrapped = {
        "plain": tensors,
        "state_dict": {"state_dict": tensors, "epoch": 3},
        "model": {"model": tensors, "args": argparse.Namespace(lr=0.1)},
        "averaged": {"state_dict": others, "state_dict_ema": tensors, "optimizer": {"state": {0: {}}}},
        "own key": {"model_state_dict": tensors},
        "parallel": {f"module.{k}": v for k, v in tensors.items()},
        "compiled": {f"module._orig_mod.{k}": v for k, v in tensors.items()},
        "lightning": {"state_dict": {"loss.weight": torch.ones(10), **{f"model.{k}": v for k, v in tensors.items()}}},
    }
    if how == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(wrapped[how], path)
    return tensors


PROGRAMS = ["plain", "state_dict", "model", "averaged", "own key", "parallel", "compiled", "lightning", "safetensors"]


@pytest.mark.parametrize(
    ("how", "name"),
    [*((how, "w.pth") for how in PROGRAMS[:-1]), *((PROGRAMS[-1], name) for name in ("w.safetensors", "w.bin", "w"))],
)
def test_files_of_several_programs_are_read(how: str, name: str, tmp_path: Path) -> None:
    expected = saved(how, tmp_path / name)
    own = network()
    assert load_weights(own, tmp_path / name, 10) == []
    assert all(torch.equal(tensor, expected[name]) for name, tensor in own.state_dict().items())


def test_two_sets_of_weights_are_not_guessed_between(tmp_path: Path) -> None:
    tensors = saved("plain", tmp_path / "w.pth")
    torch.save({"student": tensors, "teacher": tensors}, tmp_path / "w.pth")
    with pytest.raises(UserError, match="holds several sets of weights, student, teacher; save one alone"):
        load_weights(network(), tmp_path / "w.pth", 10)
    torch.save({f"{who}.{k}": v for who in ("student", "teacher") for k, v in tensors.items()}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"46 of its 46 are not the network's .student.stages.0.conv1.weight, ..."):
        load_weights(network(), tmp_path / "w.pth", 10)


def test_averaged_weights_are_named(tmp_path: Path) -> None:
    saved("averaged", tmp_path / "w.pth")
    choice = architectures.choose("keras_cnn", widths=[4], dropouts=[0.0], dense_width=6)
    start = start_from(network(), str(tmp_path / "w.pth"), choice, [*"abcdefghij"], (3, 8, 8))
    assert start.notes == ["its state_dict_ema, not its state_dict"]


def test_another_number_of_classes_starts_the_last_layer_afresh(tmp_path: Path) -> None:
    expected = saved("plain", tmp_path / "w.pth", num_classes=1000)
    own = network()
    torch.nn.init.constant_(own.head.logits.weight, 9)
    assert load_weights(own, tmp_path / "w.pth", 10) == ["head.logits.bias", "head.logits.weight"]
    assert all(torch.equal(t, expected[name]) for name, t in own.state_dict().items() if "logits" not in name)
    drawn = own.head.logits.weight.detach().abs()  # by its six inputs, whatever the network's own initialisation
    assert float(drawn.min()) > 0 and 0.3 < float(drawn.max()) <= 6**-0.5


def test_weights_of_as_many_other_classes_start_the_last_layer_afresh(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    run = "tb_logs/run/version_0"
    content = read(find(run))
    architecture, held = architectures.choose("linear"), content["state_dict"]["net.dense.weight"]
    classes = content["hyper_parameters"]["classes"]
    for own, fresh in ((classes, []), (classes[::-1], ["dense.bias", "dense.weight"])):
        start = product.build("linear", image_size=8)
        assert start_from(start, run, architecture, own, (3, 8, 8)).fresh == fresh
        assert torch.equal(start.dense.weight, held) == (not fresh)


def test_weights_without_a_head_leave_the_networks_own(tmp_path: Path) -> None:
    tensors = saved("plain", tmp_path / "w.pth")
    torch.save({k: v for k, v in tensors.items() if "logits" not in k}, "features.pth")
    assert load_weights(network(), "features.pth", 10) == ["head.logits.bias", "head.logits.weight"]
    torch.save({k: v for k, v in tensors.items() if k != "head.logits.bias"}, "half.pth")
    with pytest.raises(UserError, match=r"it lacks 1 of 23 tensors .head.logits.bias.\."):
        load_weights(network(), "half.pth", 10)


def test_what_does_not_fit_is_told_and_changes_nothing(tmp_path: Path) -> None:
    saved("plain", tmp_path / "w.pth")
    other = product.build("keras_cnn", 10, image_size=8, widths=[5], dropouts=[0.0], dense_width=6)
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(UserError) as error:
        load_weights(other, tmp_path / "w.pth", 10)
    # 13 tensors depend on the width: weight and bias of two convolutions, four tensors of two norms, the dense weight
    words = "13 of another shape (stages.0.conv1.weight is 4 × 3 × 3 × 3 there and 5 × 3 × 3 × 3 in the network, ...)"
    assert words in str(error.value) and len(str(error.value).splitlines()) == 2
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())
    with pytest.raises(UserError, match=r"lacks 2 of 2 tensors .dense.weight, .*; 23 of its 23 are not"):
        load_weights(product.build("linear", image_size=8), tmp_path / "w.pth", 10)


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("harmed"),)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.pth", None, "--model.weights: w.pth cannot be read as a checkpoint: No such file or directory.\nReadable"),
        ("w.safetensors", None, "there is no such file"),
        ("w.safetensors", b"none", "no safetensors file, or a broken one"),
        ("w.safetensors", b"", "no safetensors file, or a broken one.\nReadable are .safetensors files, and tensors"),
        ("w.pth", b"hello", "no checkpoint, or a broken one.\nReadable are .safetensors files, and tensors by name"),
        ("w.pth", pickle.dumps(Hostile()), "was refused"),
    ],
)
def test_files_that_are_missing_broken_or_hostile(name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(UserError, match=words):
        load_weights(network(), name, 10)
    assert not Path("harmed").exists()


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(UserError, match="holds no weights, that is tensors by name"):
        load_weights(network(), tmp_path / "w.pth", 10)


def test_a_run_starts_from_a_file_and_its_checkpoint_does_without(plcnn: Command) -> None:
    torch.manual_seed(5)
    start = product.build("linear", image_size=8)
    torch.save(start.state_dict(), "start.pth")
    still = ["--model.optimizer", "sgd", "--model.optimizer.lr", "0", "--trainer.max_epochs", "1"]
    outcome = plcnn("fit", *TINY, *still, "--model.weights", "start.pth")
    assert outcome.code == 0, outcome.err
    assert "\nfrom       start.pth\n" in outcome.out
    Path("start.pth").unlink()
    run = Path("tb_logs/run/version_0")
    for arguments in (["--ckpt_path", run], ["--config", run / "config.yaml"]):
        assert plcnn("test", *arguments).code == 0
    assert plcnn("fit", "--ckpt_path", run, "--trainer.max_epochs", "2").code == 0
    loaded = product.load(run)
    assert torch.equal(loaded.net.dense.weight, start.dense.weight)
    from_lightning = type(loaded).load_from_checkpoint(find(run))
    assert torch.equal(from_lightning.net.dense.weight, start.dense.weight)


def test_a_network_pickled_whole_is_refused_by_the_name_of_its_class() -> None:
    torch.save(network(), "w.pth")
    with pytest.raises(UserError, match=r"GLOBAL plcnn.architectures.keras_cnn.\S+ was not an allowed global"):
        load_weights(network(), "w.pth", 10)


def test_what_a_file_says_of_its_network_is_shown_or_passed_over() -> None:
    strange = {"class_path": "lin\x1b[31mear", "init_args": 3}
    for told, words in (
        ({"arch": strange}, "lin\\x1b[31mear"),
        ({"arch": 5}, ""),
        ([1], ""),
        ({"arch": "linear"}, "linear"),
    ):
        torch.save({"hyper_parameters": told, "state_dict": {"a": torch.ones(1)}}, "w.pth")
        assert read_file(Path("w.pth")).made_of == words


@pytest.mark.parametrize("weights", ["https://example.org/w.pth", "hf-hub:timm/resnet18"])
def test_addresses_are_no_files(weights: str) -> None:
    with pytest.raises(UserError, match="an address is not loaded. Get the file, and name it"):
        start_from(network(), weights, architectures.choose("linear"), ["a"], (3, 8, 8))


def test_files_nearby_are_named_where_there_is_none() -> None:
    Path("folder").mkdir()
    Path("folder/model.safetensors").touch()
    for weights, meant in (("folder", "folder/model.safetensors"), ("folder/modle.safetensors", "folder/model.safe")):
        with pytest.raises(UserError, match=f"Did you mean {meant}"):
            start_from(network(), weights, architectures.choose("linear"), ["a"], (3, 8, 8))


def test_a_checkpoint_of_another_run_is_a_start(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    last = "tb_logs/run/version_0/checkpoints/last.ckpt"
    outcome = plcnn("fit", *TINY, "--trainer.max_epochs", "1", "--model.weights", last)
    assert outcome.code == 0 and f"from       {last}\n" in outcome.out
    outcome = plcnn("fit", *TINY, "--model.weights", last, "--data.source.image_size", "9")
    assert outcome.code == 2 and "dense.weight is 10 × 192 there and 10 × 243 in the network" in outcome.err
    outcome = plcnn("fit", *TINY, "--model.weights", "tb_logs/run/version_0", "--model.arch", "mlp_mixer")
    told = "The network is mlp_mixer, the file says that it is of linear for pictures of 3 × 8 × 8. Choose"
    assert outcome.code == 2 and told in outcome.err and len(outcome.err.splitlines()) == 2
    assert not Path("tb_logs/run/version_2").exists()


def test_an_export_knows_its_classes_and_its_architecture() -> None:
    tensors = product.build("linear", 2, image_size=8).state_dict()
    contract = {"architecture": {"class_path": "linear", "init_args": {}}, "classes": ["a", "b"], "mean": None}
    save_file(tensors, "w.safetensors", {"plcnn": json.dumps({**contract, "image_shape": [3, 8, 8]})})
    for classes, fresh in ((["a", "b"], []), (["b", "c"], ["dense.bias", "dense.weight"])):
        start = product.build("linear", 2, image_size=8)
        assert start_from(start, "w.safetensors", architectures.choose("linear"), classes, (3, 8, 8)).fresh == fresh
    assert read_file(Path("w.safetensors")).made_of == "linear for pictures of 3 × 8 × 8"


def test_a_run_that_goes_on_keeps_to_what_it_began_with(plcnn: Command) -> None:
    torch.save(product.build("linear", image_size=8).state_dict(), "start.pth")
    began = ["--model.weights", "start.pth"]
    assert plcnn("fit", *TINY, *began, "--trainer.max_epochs", "1").code == 0
    run = Path("tb_logs/run/version_0")
    for command in (["fit", "--resume", run], ["test", run], ["predict", run], ["export", run]):
        outcome = plcnn(*command, "--model.weights", "other.pth")
        assert outcome.code == 2 and "--model.weights other.pth is what a training starts from" in outcome.err
    outcome = plcnn("fit", *TINY, *began, "--resume", "auto", "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    assert read(find(run, "last"))["hyper_parameters"]["started_from"] == "start.pth"
    Path("start.pth").rename("moved.pth")
    outcome = plcnn("reproduce", run)
    assert outcome.code == 2 and "--model.weights: start.pth: there is no such file" in outcome.err
    outcome = plcnn("reproduce", run, "--model.weights", "moved.pth")
    assert outcome.code == 0 and "bit for bit" in outcome.out, outcome.err
