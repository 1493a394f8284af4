"""A rank that raises, dies or hangs ends all of them, soon, with an error, and says why."""

import os
import time
from pathlib import Path

import pytest
from ranks import Fork, ends, start
from support import TINY

LONG = ["fit", *TINY, "--trainer.max_epochs", "1000", "--early_stopping.enabled", "false", "--curves.enabled", "false"]


def faulty(what: str, rank: int, step: int = 4) -> list[str]:
    """The arguments for a fault of one rank."""
    return [
        *("--trainer.callbacks+=rank_callbacks.Fault", f"--trainer.callbacks.what={what}"),
        *(f"--trainer.callbacks.rank={rank}", f"--trainer.callbacks.step={step}"),
    ]


def since(folder: Path) -> float:
    """Seconds since the fault."""
    return time.time() - float((folder / "struck").read_text())


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("what", ["raises", "mistake", "killed", "exits"])
def test_a_rank_that_fails_ends_all(fork: Fork, tmp_path: Path, what: str, rank: int) -> None:
    outcomes = ends(start(fork, 2, *LONG, *faulty(what, rank), folder=tmp_path))
    assert since(tmp_path) < 15
    failed, other = outcomes[rank], outcomes[1 - rank]
    assert failed.code == {"raises": 1, "mistake": 1, "killed": -9, "exits": 3}[what]
    assert other.code == 1
    assert "error: Another process of this run has ended. To go on: plcnn fit --resume " in other.err
    assert "Traceback" not in other.err
    if what == "raises":
        assert "Traceback" in failed.err and "ArithmeticError: on purpose" in failed.err
    if what == "mistake":
        assert failed.err.strip() == "error: the picture cannot be read; mend it"


@pytest.mark.parametrize(
    ("what", "rank", "step"), [("sleeps", 1, 4), ("sleeps", 0, 0), ("blocks", 0, 4), ("blocks", 1, 0), ("loops", 1, 4)]
)
def test_a_rank_that_hangs_ends_all(fork: Fork, tmp_path: Path, what: str, rank: int, step: int) -> None:
    outcomes = ends(start(fork, 2, *LONG, *faulty(what, rank, step), "--watchdog.seconds", "5", folder=tmp_path), 30)
    assert since(tmp_path) < 5 + 10
    # none was ended by this test, and none well
    assert {outcome.code for outcome in outcomes} <= {-14, 1}
    assert "Timeout" in outcomes[rank].err and 'rank_callbacks.py", line' in outcomes[rank].err
    assert f" in {what}\n" in outcomes[rank].err
    if what != "blocks":
        assert f"last is rank {rank}, " in outcomes[1 - rank].err or f"last is rank {rank}, " in outcomes[rank].err
        assert f"(epoch {step // 2 + 1}, batch {step % 2 + 1})" in outcomes[rank].err  # two steps an epoch


def test_a_watchdog_that_is_switched_off_ends_nothing(fork: Fork, tmp_path: Path) -> None:
    arguments = [*faulty("sleeps", 1), "--watchdog.enabled", "false", "--watchdog.seconds", "5"]
    outcomes = ends(start(fork, 2, *LONG, *arguments, folder=tmp_path), 14)
    assert [outcome.code for outcome in outcomes] == [-9, -9]


def test_slow_steps_and_slow_work_of_rank_zero_are_no_fault(fork: Fork, tmp_path: Path) -> None:
    (tmp_path / "slow_work.py").write_text(
        "import time\nfrom lightning.pytorch import Callback\n\nclass Slow(Callback):\n"
        "    def on_train_epoch_end(self, trainer, *rest):\n"
        "        if trainer.is_global_zero:\n            time.sleep(7)\n"
    )
    arguments = ["fit", *TINY, "--trainer.max_epochs", "2", "--trainer.callbacks+=slow_work.Slow"]
    outcomes = ends(start(fork, 2, *arguments, "--watchdog.seconds", "5", folder=tmp_path), 40)
    assert [outcome.code for outcome in outcomes] == [0, 0], [outcome.err for outcome in outcomes]


def test_too_short_a_time_is_refused(fork: Fork, tmp_path: Path) -> None:
    (outcome,) = ends([fork("fit", *TINY, "--watchdog.seconds", "1", folder=tmp_path)])
    assert outcome.code == 2 and "--watchdog.seconds: got 1" in outcome.err
    assert os.listdir(tmp_path) and not (tmp_path / "tb_logs").exists()
