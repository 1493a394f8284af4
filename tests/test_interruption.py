"""Ctrl-C, SIGTERM, NaN: how a run ends when it does not end by itself, and what it leaves."""

import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from runs import differences, read, rows, scalars
from support import TINY, Outcome

Spawn = Callable[..., "subprocess.Popen[str]"]
RUN = Path("tb_logs/run/version_0")
LAST = RUN / "checkpoints" / "last.ckpt"
ENDLESS = [
    "fit",
    *TINY,
    "--trainer.max_epochs",
    "100000",
    "--early_stopping.enabled",
    "false",
    "--curves.enabled",
    "false",
]


def wait_for(process: "subprocess.Popen[str]", words: str, seconds: float = 90) -> None:
    """Read the process's output until a line has the words."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([process.stdout], [], [], 1)[0]:
            line = process.stdout.readline()  # type: ignore[union-attr]
            if words in line:
                return
            assert line, process.stderr.read()  # type: ignore[union-attr]
    raise AssertionError(f"no {words!r} in {seconds} s")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_with_its_code_and_a_checkpoint_that_resumes(
    spawn: Spawn, plcnn: Callable[..., Outcome], number: signal.Signals, code: int
) -> None:
    process = spawn(*ENDLESS)
    wait_for(process, "epoch      3/")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert f"error: interrupted by {number.name}. To go on: plcnn fit --resume {LAST.parents[1]}" in err
    assert "Traceback" not in err
    content = torch.load(LAST, weights_only=True)
    resumed = plcnn("fit", "--resume", "tb_logs/run/version_0", "--trainer.max_epochs", str(content["epoch"] + 2))
    assert resumed.code == 0, resumed.err
    history = Path("tb_logs/run/version_0/history.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in history] == list(range(1, content["epoch"] + 3))
    assert [int(row.split(",")[1]) for row in history] == [3 * n for n in range(1, content["epoch"] + 3)]


def test_a_second_signal_ends_at_once(spawn: Spawn) -> None:
    # One step of this epoch takes long, so the first signal has not ended the run when the second comes.
    Path("slow.py").write_text(
        "import time\nimport torch\nfrom plcnn import register\n\n@register\nclass Slow(torch.nn.Module):\n"
        "    def __init__(self, num_classes: int):\n        super().__init__()\n"
        "        self.dense = torch.nn.Linear(192, num_classes)\n"
        "    def forward(self, x):\n"
        "        if self.training:\n            print('asleep', flush=True); time.sleep(300)\n"
        "        return self.dense(x.flatten(1))\n"
    )
    process = spawn("fit", *TINY, "--plugins", "slow.py", "--model.arch", "slow")
    wait_for(process, "asleep")
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130, err


def test_a_loss_that_is_no_number_ends_the_run_and_is_never_best(plcnn: Callable[..., Outcome]) -> None:
    outcome = plcnn(
        "fit", *TINY, "--trainer.max_epochs", "3", "--model.optimizer", "sgd", "--model.optimizer.lr", "1e38"
    )
    assert outcome.code == 1
    assert re.search(r"error: The (training|validation) loss became (nan|inf) in epoch 1, step \d", outcome.err)
    assert "learning rate 1e+38" in outcome.err and "Last good checkpoint: none" in outcome.err
    assert "smaller --model.optimizer.lr" in outcome.err and "Traceback" not in outcome.err
    assert not list(Path("tb_logs").rglob("*.ckpt"))


def test_the_last_good_checkpoint_survives_a_later_nan(plcnn: Callable[..., Outcome]) -> None:
    Path("rotten.py").write_text(
        "import torch\nfrom plcnn import register\n\n@register\nclass Rotten(torch.nn.Module):\n"
        "    def __init__(self, num_classes: int, after: int = 7):\n        super().__init__()\n"
        "        self.dense, self.after, self.calls = torch.nn.Linear(192, num_classes), after, 0\n"
        "    def forward(self, x):\n"
        "        self.calls += self.training\n"
        "        return self.dense(x.flatten(1)) * (float('nan') if self.calls > self.after else 1)\n"
    )
    outcome = plcnn("fit", *TINY, "--plugins", "rotten.py", "--model.arch", "rotten", "--trainer.max_epochs", "9")
    assert outcome.code == 1 and "became nan in epoch 3, step 8" in outcome.err
    assert f"Last good checkpoint: {LAST}" in outcome.err
    assert torch.load(LAST, weights_only=True)["epoch"] == 1


@pytest.mark.parametrize("average", [[], ["--ema.enabled", "true", "--ema.decay", "0.9"]], ids=["", "ema"])
@pytest.mark.parametrize("place", ["before the last step of an epoch", "in its middle", "in a validation"])
def test_an_interrupted_epoch_goes_on_where_it_was(
    plcnn: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, place: str, average: list[str]
) -> None:
    hook, count = {
        "before the last step of an epoch": ("train", 5),
        "in its middle": ("train", 4),
        "in a validation": ("validation", 4),
    }[place]
    Path("stopping.py").write_text(
        "import os, signal\nfrom lightning.pytorch import Callback\n\nclass Stop(Callback):\n    count = 0\n"
        f"    def on_{hook}_batch_end(self, trainer, *rest):\n"
        f"        Stop.count += 1\n        if Stop.count == {count}: os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    fit = ["fit", *TINY, "--data.augment", "shift_zoom_flip", "--trainer.max_epochs", "3", *average]
    fit += ["--trainer.log_every_n_steps", "1", "--data.batch_size", "60", "--data.val_fraction", "0.65"]
    assert plcnn(*fit, "--name", "whole").code == 0
    monkeypatch.delitem(sys.modules, "stopping", raising=False)
    monkeypatch.syspath_prepend(Path.cwd())
    stopped = plcnn(*fit, "--trainer.callbacks+=stopping.Stop")
    assert stopped.code == 143, stopped.err
    assert torch.load(LAST, weights_only=True)["global_step"] in (4, 5)
    resumed = plcnn("fit", "--resume", RUN, "--trainer.callbacks", "null")
    assert resumed.code == 0, resumed.err
    whole = Path("tb_logs/whole/version_0")
    assert rows(RUN) == rows(whole) and scalars(RUN) == scalars(whole)
    one, other = (read(run / "checkpoints" / "last.ckpt") for run in (RUN, whole))
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "global_step"):
        assert differences(one[key], other[key]) == []
    assert all(0 < row["seconds"] < 60 for row in one["callbacks"]["History"]["rows"])
