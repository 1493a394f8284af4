"""manifest.json: what it holds, by independent hashes, and what becomes of it when a run goes on or fails."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support import TINY, Outcome

from plcnn import manifest
from plcnn.data.sources.shapes import Shapes

RUN = Path("tb_logs/run/version_0")
Command = Callable[..., Outcome]


def sessions(folder: Path = RUN) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text())["sessions"]
    return found


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("split", ["first", "random", "stratified"])
def test_it_holds_what_the_run_was_made_with(plcnn: Command, split: str) -> None:
    arguments = ["fit", *TINY, "--trainer.max_epochs", "2", "--seed_everything", "3", "--data.split", split]
    assert plcnn(*arguments, "--name", "run").code == 0
    (session,) = sessions()
    assert session["command"] == " ".join(["plcnn", *arguments, "--name", "run"])
    assert session["config"] == "config.yaml" and session["resumed"] is None and session["seed"] == 3
    assert session["device"]["accelerator"] == "cpu" and session["device"]["world_size"] == 1
    assert session["device"]["threads"] == torch.get_num_threads() and session["device"]["precision"] == "32-true"
    assert session["versions"]["torch"] == torch.__version__.split("+")[0]
    images, labels = Shapes(train_size=200, test_size=90, image_size=8).train()
    data = session["data"]
    assert data["pictures"] == sha256(images.contiguous().numpy().tobytes())
    assert data["labels"] == sha256(labels.numpy().tobytes())
    assert data["counts"] == {"train": 180, "val": 20}
    if split == "first":
        assert data["split"]["val"] == sha256(torch.arange(20).numpy().tobytes())
        assert data["split"]["train"] == sha256(torch.arange(20, 200).numpy().tobytes())
    ended = session["ended"]
    assert (ended["reason"], ended["epochs"], ended["steps"]) == ("finished", 2, 6)
    digest = hashlib.sha256()
    state = torch.load(RUN / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    for name in sorted(state):
        digest.update(f"{name} {state[name].dtype} {tuple(state[name].shape)}\n".encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    assert ended["weights"] == digest.hexdigest()
    assert not list(RUN.glob("*.tmp"))


def test_a_run_that_goes_on_adds_an_entry(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    assert plcnn("fit", "--resume", RUN, "--trainer.max_epochs", "3").code == 0
    first, second = sessions()
    assert first["ended"]["epochs"] == 1
    assert second["command"] == f"plcnn fit --resume {RUN} --trainer.max_epochs 3"
    assert second["resumed"] == {"epoch": 1, "step": 3} and second["config"] == "config_2.yaml"
    assert second["ended"]["epochs"] == 3 and second["data"] == first["data"]
    assert plcnn("fit", "--resume", RUN).code == 0  # nothing is left to do
    assert len(sessions()) == 2


def test_early_stopping_and_failures_are_told(plcnn: Command) -> None:
    stopping = ["--model.optimizer.lr", "0", "--early_stopping.patience", "1", "--trainer.max_epochs", "9"]
    assert plcnn("fit", *TINY, *stopping).code == 0
    assert sessions()[0]["ended"]["reason"] == "stopped early"
    assert plcnn("fit", *TINY, "--model.optimizer", "sgd", "--model.optimizer.lr", "1e38").code == 1
    ended = sessions(RUN.with_name("version_1"))[0]["ended"]
    assert ended["reason"] == "failed" and " loss became " in ended["message"] and "\n" not in ended["message"]


def test_an_interrupted_run_says_so(plcnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("stopping_once.py").write_text(
        "import os, signal\nfrom lightning.pytorch import Callback\n\nclass Stop(Callback):\n"
        "    def on_train_batch_end(self, trainer, *rest):\n"
        "        if trainer.global_step == 4:\n            os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    monkeypatch.syspath_prepend(".")
    assert plcnn("fit", *TINY, "--trainer.callbacks+=stopping_once.Stop").code == 143
    ended = sessions()[0]["ended"]
    assert (ended["reason"], ended["steps"]) == ("interrupted", 4)


def test_a_try_run_writes_none(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.fast_dev_run", "true").code == 0
    assert not list(Path().rglob("manifest.json"))


def test_plugin_files_are_hashed_and_the_commit_is_that_of_git(plcnn: Command, registers: None) -> None:
    Path("net_of_manifest.py").write_text(
        "import torch\nfrom plcnn import register\n\n@register\nclass NetOfManifest(torch.nn.Module):\n"
        "    def __init__(self, num_classes: int):\n        super().__init__()\n"
        "        self.dense = torch.nn.Linear(192, num_classes)\n"
        "    def forward(self, x):\n        return self.dense(x.flatten(1))\n"
    )
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "net_of_manifest.py"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    plugin = ["--plugins", "net_of_manifest.py", "--model.arch", "net_of_manifest"]
    assert plcnn("fit", *TINY, *plugin, "--trainer.max_epochs", "1").code == 0
    (session,) = sessions()
    assert session["plugins"] == {"net_of_manifest.py": sha256(Path("net_of_manifest.py").read_bytes())}
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert session["git"]["working_directory"] == {"commit": head, "dirty": False}
    Path("net_of_manifest.py").write_text("changed\n")
    assert manifest.git_states()["working_directory"] == {"commit": head, "dirty": True}


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.prefix) / "nowhere"))
    assert manifest.git_states() == {"working_directory": None, "plcnn": None}


def test_a_manifest_appears_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest.write(Path(), [{"command": "first"}])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("plcnn.files.sync", full)
    with pytest.raises(OSError, match="No space"):
        manifest.write(Path(), [{"command": "second"}])
    assert manifest.read(Path()) == [{"command": "first"}] and [p.name for p in Path().iterdir()] == ["manifest.json"]
