"""A full disk, a read-only one, no file handles: the training goes on, and ends with a good checkpoint, named."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from disk_faults import Full
from runs import differences, read, rows, scalars
from support import TINY, Forked

Fork = Callable[..., Forked]
DISK = Path("disk")
RUN = DISK / "run" / "version_0"
FAULTS = ["Full", "ReadOnly", "NoHandles"]


@pytest.fixture(autouse=True)
def _disk() -> Iterator[None]:
    """A disk of two megabytes in the working directory."""
    DISK.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", DISK], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield
    subprocess.run(["umount", "--lazy", DISK], check=True)


def train(fork: Fork, name: str, *arguments: str) -> tuple[int, str]:
    outcome = fork(
        *("fit", *TINY, "--trainer.max_epochs", "6", "--trainer.log_every_n_steps", "1", "--name", name),
        *("--trainer.default_root_dir", str(DISK), "--early_stopping.enabled", "false", *arguments),
    ).wait()
    return outcome.code, outcome.err


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_costs_nothing(fork: Fork, fault: str) -> None:
    code, err = train(fork, "whole")
    assert code == 0 and err == ""
    code, err = train(
        fork,
        "run",
        f"--trainer.callbacks+=disk_faults.{fault}",
        "--trainer.callbacks.first=2",
        "--trainer.callbacks.until=5",
    )
    assert code == 0, err
    assert "warning: the checkpoint of step 6 could not be written: " in err
    assert f"The last good one is {RUN}/checkpoints/last.ckpt. The training goes on." in err
    assert all(line.startswith("warning: ") for line in err.splitlines()), err
    whole = DISK / "whole" / "version_0"
    assert rows(RUN) == rows(whole) and scalars(RUN) == scalars(whole)
    one, other = (read(run / "checkpoints" / "last.ckpt") for run in (RUN, whole))
    assert differences(one["state_dict"], other["state_dict"]) == [] and one["epoch"] == 5
    assert not list(RUN.rglob("*.tmp"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_ends_with_the_last_good_checkpoint_named(fork: Fork, fault: str) -> None:
    code, err = train(fork, "run", f"--trainer.callbacks+=disk_faults.{fault}", "--trainer.callbacks.first=3")
    assert code == 1 and "Traceback" not in err
    last = RUN / "checkpoints" / "last.ckpt"
    assert "error: The last epoch's checkpoint could not be written: " in err.splitlines()[-1]
    assert err.splitlines()[-1].endswith(f"The last good one is {last}.")
    assert read(last)["epoch"] == 1  # the second
    if fault == "ReadOnly":
        subprocess.run(["mount", "-o", "remount,rw", DISK], check=True)
    (DISK / "run" / "ballast").unlink(missing_ok=True)
    outcome = fork("fit", "--resume", RUN, "--trainer.callbacks", "null").wait()
    assert outcome.code == 0, outcome.err
    assert len(rows(RUN)) == 6


def test_a_disk_that_is_full_from_the_start_is_one_error(fork: Fork) -> None:
    Full().begin(DISK / "run")
    code, err = train(fork, "run")
    assert code == 1 and len(err.splitlines()) == 1 and "No space left on device" in err
