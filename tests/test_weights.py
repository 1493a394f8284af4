"""Training that starts from weights in a local file: which files fit, which start afresh, which are refused."""

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
from plcnn.weights import load_weights, start_from

Command = Callable[..., Outcome]


def network(num_classes: int = 10, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return product.build("keras_cnn", num_classes, image_size=8, widths=[4], dropouts=[0.0], dense_width=6)


def saved(how: str, path: Path, num_classes: int = 10) -> dict[str, torch.Tensor]:
    tensors = {k: v.clone() for k, v in network(num_classes, seed=1).state_dict().items()}
    if how == "safetensors":
        save_file(tensors, path)
    else:
        wrapped = {"plain": tensors, "state_dict": {"state_dict": tensors, "epoch": 3}, "model": {"model": tensors}}
        prefixed = {"parallel": {f"module.{k}": v for k, v in tensors.items()}}
        torch.save({**wrapped, **prefixed}[how], path)
    return tensors


@pytest.mark.parametrize("how", ["plain", "state_dict", "model", "parallel", "safetensors"])
def test_files_of_several_programs_are_read(how: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{'safetensors' if how == 'safetensors' else 'pth'}"
    expected = saved(how, path)
    own = network()
    assert load_weights(own, path, 10) == []
    assert all(torch.equal(tensor, expected[name]) for name, tensor in own.state_dict().items())


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
    with pytest.raises(UserError, match="it has no head.logits.bias"):
        load_weights(network(), "half.pth", 10)


def test_what_does_not_fit_is_told_and_changes_nothing(tmp_path: Path) -> None:
    saved("plain", tmp_path / "w.pth")
    other = product.build("keras_cnn", 10, image_size=8, widths=[5], dropouts=[0.0], dense_width=6)
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(UserError) as error:
        load_weights(other, tmp_path / "w.pth", 10)
    # 13 tensors depend on the width: weight and bias of two convolutions, four tensors of two norms, the dense weight
    words = "stages.0.conv1.weight is 4 × 3 × 3 × 3 there and 5 × 3 × 3 × 3 in the network (and 12 more)"
    assert words in str(error.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())
    with pytest.raises(UserError, match=r"it has no dense.weight .and 2\d more"):
        load_weights(product.build("linear", image_size=8), tmp_path / "w.pth", 10)


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("harmed"),)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.pth", None, "--model.weights: w.pth cannot be read as a checkpoint: No such file or directory"),
        ("w.safetensors", None, "there is no such file"),
        ("w.safetensors", b"none", "no safetensors file, or a broken one"),
        ("w.pth", pickle.dumps(Hostile()), "was refused"),
    ],
)
def test_files_that_are_missing_broken_or_hostile(name: str, content: bytes | None, words: str) -> None:
    if content:
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


def test_a_checkpoint_of_another_run_is_a_start(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    last = "tb_logs/run/version_0/checkpoints/last.ckpt"
    outcome = plcnn("fit", *TINY, "--trainer.max_epochs", "1", "--model.weights", last)
    assert outcome.code == 0 and f"from       {last}\n" in outcome.out
    outcome = plcnn("fit", *TINY, "--model.weights", last, "--data.source.image_size", "9")
    assert outcome.code == 2 and "dense.weight is 10 × 192 there and 10 × 243 in the network" in outcome.err
    assert not Path("tb_logs/run/version_2").exists()
