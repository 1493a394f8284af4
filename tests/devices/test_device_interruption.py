"""A signal to any rank ends all of them before the same step, with a checkpoint from which they go on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from ranks import Fork, all_well, ends, port, start, until, with_callbacks
from runs import differences, read, rows
from support import TINY

RUN = Path("run/version_0")
SHORT = [*TINY, "--data.augment", "shift_zoom_flip", "--data.batch_size", "10", "--curves.enabled", "false"]
SHORT += ["--trainer.max_epochs", "3"]  # of nine steps on two ranks
ENDLESS = [*TINY, "--trainer.max_epochs", "100000", "--early_stopping.enabled", "false", "--curves.enabled", "false"]


def struck(what: str, rank: int) -> list[str]:
    """The arguments for a signal that a rank sends to itself before its fourteenth step."""
    fault = ["--trainer.callbacks+=rank_callbacks.Fault", f"--trainer.callbacks.what={what}"]
    return [*fault, f"--trainer.callbacks.rank={rank}", "--trainer.callbacks.step=13"]


@pytest.mark.parametrize(
    ("what", "rank", "code"),
    [("terminates", 0, 143), ("terminates", 1, 143), ("interrupts", 0, 130), ("interrupts", 1, 130)],
)
def test_a_signal_to_one_rank_ends_all_and_they_go_on(
    fork: Fork, tmp_path: Path, what: str, rank: int, code: int
) -> None:
    whole = start(fork, 2, "fit", *SHORT, folder=tmp_path / "whole")
    stopped = start(fork, 2, "fit", *SHORT, *struck(what, rank), folder=tmp_path / "parts")
    outcomes = ends(stopped)
    assert [outcome.code for outcome in outcomes] == [code, code], [outcome.err for outcome in outcomes]
    name = "SIGTERM" if code == 143 else "SIGINT"
    assert f"error: interrupted by {name}. To go on: plcnn fit --resume" in outcomes[0].err
    assert "error" not in outcomes[1].err and "Traceback" not in outcomes[0].err + outcomes[1].err
    last = Path("checkpoints/last.ckpt")
    assert read(tmp_path / "parts" / RUN / last)["global_step"] in (13, 14)
    all_well(start(fork, 2, "fit", "--resume", (tmp_path / "parts").absolute() / RUN, folder=tmp_path / "parts"))
    all_well(whole)
    one, other = (read(tmp_path / folder / RUN / last) for folder in ("parts", "whole"))
    assert differences(one["state_dict"], other["state_dict"]) == []
    assert differences(one["optimizer_states"], other["optimizer_states"]) == []
    assert rows(tmp_path / "parts" / RUN) == rows(tmp_path / "whole" / RUN)


def test_a_second_signal_ends_at_once(fork: Fork, tmp_path: Path) -> None:
    slow = ["--trainer.callbacks+=rank_callbacks.Fault", "--trainer.callbacks.what=sleeps"]
    slow += ["--trainer.callbacks.rank=0"]
    ranks = start(fork, 2, "fit", *ENDLESS, *slow, folder=tmp_path)
    until((tmp_path / "struck").exists)
    for rank in ranks:
        rank.kill(signal.SIGINT)
    time.sleep(2.5)  # torchrun itself repeats a signal, within two seconds
    for rank in ranks:
        rank.kill(signal.SIGINT)
    codes = [outcome.code for outcome in ends(ranks, 10)]
    assert codes[0] == 130 and codes[1] in (130, 1)  # the other one waits for the first, and sees it gone


@pytest.mark.parametrize("launcher", ["lightning", "torchrun"])
@pytest.mark.parametrize("to", ["rank zero or torchrun", "all"])
def test_a_signal_ends_a_launched_job(tmp_path: Path, launcher: str, to: str) -> None:
    run = tmp_path / RUN
    arguments = ["plcnn", "fit", *ENDLESS, "--trainer.devices", "2", "--trainer.default_root_dir", str(tmp_path)]
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    with subprocess.Popen(
        [sys.executable, "-m", *(torchrun if launcher == "torchrun" else []), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, **with_callbacks(tmp_path)},
    ) as process:
        until((run / "checkpoints" / "last.ckpt").exists)
        number = signal.SIGINT if to == "all" else signal.SIGTERM
        (os.killpg if to == "all" else os.kill)(process.pid, number)
        out, _ = process.communicate(timeout=40)
    assert f"error: interrupted by {number.name}. To go on: plcnn fit --resume" in out, out
    assert process.returncode == (128 + number if launcher == "lightning" else process.returncode or "an error")
    content = read(run / "checkpoints" / "last.ckpt")
    assert content["global_step"] >= 2 and content["state_dict"]
    assert not [command for command in commands() if str(tmp_path) in command]


def commands() -> Iterator[str]:
    """The command lines of all processes."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield file.read_text()


def test_slurm_is_asked_to_start_the_job_again(fork: Fork, tmp_path: Path) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    slurm = {"SLURM_JOB_ID": "4711", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_NAME": "plcnn"}
    slurm |= {"SLURM_NODEID": "0", "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    job = ["fit", *SHORT, "--resume", "auto", "--trainer.default_root_dir", tmp_path, "--trainer.devices", "2"]

    def tasks(*more: str) -> list[int]:
        meeting, processes = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port(), **with_callbacks(tmp_path)}, []
        for rank in (0, 1):
            own = tmp_path / f"task_{rank}"
            own.mkdir(exist_ok=True)
            place = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
            processes.append(fork(*job, *more, folder=own, **{**slurm, **meeting, **place}))
        return [outcome.code for outcome in ends(processes)]

    assert tasks(*struck("announces", 1)) == [138, 138]
    assert (tmp_path / "asked").read_text() == "requeue 4711\n"
    assert not list(tmp_path.rglob("hpc_ckpt*"))
    assert tasks() == [0, 0]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["version_0"]
    assert [row["step"] for row in rows(tmp_path / RUN)] == ["9", "18", "27"]
