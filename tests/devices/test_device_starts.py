"""Two processes of a CPU, started in every way: the same run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ranks import Fork, all_well, port, reports, start, with_callbacks
from runs import differences, read, rows
from support import TINY

RUN = Path("run/version_0")
TRAINING = [
    *("fit", *TINY, "--data.augment", "shift_zoom_flip", "--data.batch_size", "20", "--trainer.max_epochs", "2"),
    *("--model.arch", "keras_cnn", "--model.arch.widths", "[8]", "--model.arch.dropouts", "[0.2]"),
    *("--model.schedule", "cosine", "--trainer.callbacks+=rank_callbacks.Report"),
]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
NETWORK = "10.213.77"


def launched(command: list[str], more: list[str], folder: Path) -> "subprocess.Popen[str]":
    """A training started by a command, with its runs and reports in a folder."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [*command, *TRAINING, *more, "--trainer.default_root_dir", str(folder), "--trainer.accelerator", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **with_callbacks(folder)},
    )


def ended_well(*processes: "subprocess.Popen[str]") -> None:
    for process in processes:
        try:
            out, _ = process.communicate(timeout=100)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == 0, out


@pytest.fixture
def machines() -> Iterator[list[list[str]]]:
    """Two machines: network namespaces that see each other alone; what to put before a command to run it on one."""
    names = [f"plcnn{os.getpid()}{letter}" for letter in "ab"]
    links = [f"v{os.getpid() % 100_000}{letter}" for letter in "ab"]

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)

    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", links[0], "type", "veth", "peer", "name", links[1])
        for number, (name, link) in enumerate(zip(names, links, strict=True), 1):
            ip("link", "set", link, "netns", name, "name", "lan0")
            ip("-n", name, "addr", "add", f"{NETWORK}.{number}/24", "dev", "lan0")
            ip("-n", name, "link", "set", "lan0", "up")
            ip("-n", name, "link", "set", "lo", "up")
    except (OSError, subprocess.CalledProcessError) as error:
        remove(names)
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', None) or error}")
    yield [["ip", "netns", "exec", name, "env", "GLOO_SOCKET_IFNAME=lan0"] for name in names]
    remove(names)


def remove(names: list[str]) -> None:
    for name in names:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def assert_same_run(folder: Path, other: Path) -> None:
    """Both ranks held the same, one run folder was made, and it holds the same training as another's."""
    for place in (folder, other):
        first, second = reports(place, 2)
        assert first == second and first["world"] == 2 and 0 <= first["val/acc"] <= 1
        assert first["folder"] == "version_0"
        assert [path.name for path in (place / "run").iterdir()] == ["version_0"]
    assert reports(folder, 2) == reports(other, 2)
    one, same = (read(place / RUN / "checkpoints" / "last.ckpt") for place in (folder, other))
    assert differences(one["state_dict"], same["state_dict"]) == []
    assert rows(folder / RUN) == rows(other / RUN)


def test_lightning_and_torchrun_start_the_same_run(fork: Fork, tmp_path: Path) -> None:
    by_hand, lightning, torchrun = (tmp_path / name for name in ("by_hand", "lightning", "torchrun"))
    two = ["--trainer.devices", "2"]
    processes = [
        launched([sys.executable, "-m", "plcnn"], [*two], lightning),
        launched([*TORCHRUN, "--standalone", "--nproc-per-node", "2", "-m", "plcnn"], [*two], torchrun),
    ]
    all_well(start(fork, 2, *TRAINING, folder=by_hand))
    ended_well(*processes)
    assert_same_run(lightning, by_hand)
    assert_same_run(torchrun, by_hand)


def test_two_machines_make_the_same_run(fork: Fork, tmp_path: Path, machines: list[list[str]]) -> None:
    shared, by_hand = tmp_path / "shared", tmp_path / "by_hand"
    meeting = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", f"{NETWORK}.1", "--master-port", port()]
    processes = [
        launched(
            [*machine, *TORCHRUN, *meeting, "--node-rank", str(number), "-m", "plcnn"],
            ["--trainer.num_nodes", "2", "--trainer.devices", "1"],
            shared,
        )
        for number, machine in enumerate(machines)
    ]
    all_well(start(fork, 2, *TRAINING, folder=by_hand))
    ended_well(*processes)
    assert_same_run(shared, by_hand)


def test_torchrun_starts_a_job_again_where_it_was(tmp_path: Path) -> None:
    fault = ["--trainer.callbacks+=rank_callbacks.Fault", "--trainer.callbacks.what", "killed"]
    again = [*fault, "--trainer.callbacks.rank", "1", "--trainer.callbacks.step", "7", "--resume", "auto"]
    elastic = [*TORCHRUN, "--standalone", "--nproc-per-node", "2", "--max-restarts", "2", "-m", "plcnn"]
    process = launched(elastic, ["--trainer.devices", "2", "--checkpoints.every_n_steps", "2", *again], tmp_path)
    ended_well(process)
    assert (tmp_path / "struck").exists()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["version_0"]
    assert [(row["epoch"], row["step"]) for row in rows(tmp_path / RUN)] == [("1", "5"), ("2", "10")]
    assert (tmp_path / RUN / "config_2.yaml").exists()
