"""Checkpoint files: found, plain, rebuilt; hostile and broken ones refused; flags against what they hold."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import TINY, Outcome

import plcnn as product
from plcnn import checkpoint
from plcnn.errors import UserError
from plcnn.run import new_run_folder

Command = Callable[..., Outcome]
RUN = Path("tb_logs/run/version_0")


def fit(plcnn: Command, *arguments: str) -> Path:
    outcome = plcnn("fit", *TINY, "--trainer.max_epochs", "2", *arguments)
    assert outcome.code == 0, outcome.err
    return RUN


def plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(plain(k) and plain(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(map(plain, value))
    return value is None or isinstance(value, str | int | float | bool | torch.Tensor)


def test_a_checkpoint_holds_tensors_and_plain_data_alone(plcnn: Command) -> None:
    for path in (fit(plcnn) / "checkpoints").iterdir():
        content = torch.load(path, weights_only=True)
        assert plain(content), path
        assert content["hyper_parameters"]["arch"] == {"class_path": "linear", "init_args": {}}
        assert content["datamodule_hyper_parameters"]["source"]["class_path"] == "shapes"
        assert set(content["state_dict"]) == {"net.dense.weight", "net.dense.bias"}


class Attack:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("attacked",)


@pytest.mark.parametrize("command", ["test", "fit", "validate", "predict"])
def test_code_in_a_checkpoint_does_not_run(plcnn: Command, command: str) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": Attack()}, "bad.ckpt")
    outcome = plcnn(command, "--ckpt_path", "bad.ckpt")
    assert outcome.code == 1 and "bad.ckpt was refused" in outcome.err and len(outcome.err.splitlines()) <= 2
    assert not Path("attacked").exists()


def test_a_class_path_in_a_checkpoint_is_not_imported(plcnn: Command) -> None:
    path = fit(plcnn) / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    Path("evil.py").write_text("open('attacked', 'w')")
    content["hyper_parameters"]["arch"] = {"class_path": "evil.Net", "init_args": {}}
    torch.save(content, "evil.ckpt")
    outcome = plcnn("test", "--ckpt_path", "evil.ckpt")
    assert outcome.code == 2 and "Unknown architecture 'evil.Net'" in outcome.err and not Path("attacked").exists()
    with pytest.raises(UserError, match="Unknown architecture"):
        product.load("evil.ckpt")


def test_broken_checkpoints_are_named(plcnn: Command) -> None:
    good = (fit(plcnn) / "checkpoints" / "last.ckpt").read_bytes()
    broken = {
        "cut.ckpt": good[: len(good) // 2],
        "empty.ckpt": b"",
        "text.ckpt": b"no checkpoint",
        "hi.ckpt": b"hi\n",
        "pickle.ckpt": pickle.dumps([1, 2]),
    }
    torch.save({"weights": torch.zeros(2)}, "other.ckpt")
    for name, content in broken.items():
        Path(name).write_bytes(content)
    for name in (*broken, "other.ckpt"):
        outcome = plcnn("test", "--ckpt_path", name)
        assert outcome.code == 1 and name in outcome.err and len(outcome.err.splitlines()) <= 2, outcome.err
        assert "Traceback" not in outcome.err and "PyTorch 2.6" not in outcome.err


def test_a_run_folder_means_its_best_checkpoint_and_its_last_to_go_on(tmp_path: Path) -> None:
    runs, run = tmp_path / "runs", tmp_path / "runs" / "version_0"
    folder = run / "checkpoints"
    folder.mkdir(parents=True)
    with pytest.raises(UserError, match="no best-"):
        checkpoint.find(run)
    with pytest.raises(UserError, match=rf"no best-.* In {runs}: version_0\.$"):
        checkpoint.find(runs)
    (folder / "last.ckpt").touch()
    assert checkpoint.find(run).name == "last.ckpt"
    (folder / "best-epoch=03-val_acc=0.7.ckpt").touch()
    assert checkpoint.find(run).name == "best-epoch=03-val_acc=0.7.ckpt"
    assert checkpoint.find(folder, "last").name == "last.ckpt"
    with pytest.raises(UserError, match=rf"In {runs}: version_0\.$"):
        checkpoint.find(runs / "typo")


def test_a_flag_beats_the_checkpoint_or_is_refused(plcnn: Command) -> None:
    run = fit(plcnn)
    smaller = plcnn("test", "--ckpt_path", run, "--data.source.test_size", "50")
    assert "of 50 pictures" in smaller.out
    other = plcnn("test", "--ckpt_path", run, "--model.arch", "keras_cnn")
    assert other.code == 2 and "holds linear(), but keras_cnn(" in other.err and "Leave --model.arch out" in other.err
    classes = plcnn("test", "--ckpt_path", run, "--data.source", "cifar10")
    assert classes.code == 1 and "was trained on the classes bars, " in classes.err


def test_a_compiled_run_has_the_same_weights_names_and_loads_either_way(plcnn: Command) -> None:
    fit(plcnn, "--model.compile", "true")
    plainly = product.load(RUN)
    assert set(plainly.state_dict()) == {"net.dense.weight", "net.dense.bias"}
    uncompiled = plcnn("fit", "--ckpt_path", RUN, "--model.compile", "false", "--trainer.max_epochs", "3")
    compiled = plcnn("fit", "--ckpt_path", RUN, "--model.compile", "true", "--trainer.max_epochs", "4")
    assert uncompiled.code == compiled.code == 0, uncompiled.err + compiled.err


def test_run_folders_are_claimed_by_making_them(tmp_path: Path) -> None:
    (tmp_path / "name" / "version_7").mkdir(parents=True)
    (tmp_path / "name" / "version_x").mkdir()
    assert [new_run_folder(tmp_path, "name").name for _ in range(2)] == ["version_8", "version_9"]
    with pytest.raises(UserError, match="one folder name"):
        new_run_folder(tmp_path, "..")
