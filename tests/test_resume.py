"""A run that was killed, at any moment, and goes on, ends as one that was never stopped: bit for bit."""

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from runs import assert_same, names, rows, scalars
from support import TINY, Forked, Outcome

Fork = Callable[..., Forked]
RUN = Path("tb_logs/run/version_0")
KILLS = int(os.environ.get("PLCNN_KILLS", "20"))
"""How many processes are killed in all, half of them while a checkpoint is being written."""

WHOLE = [
    *("fit", *TINY, "--data.augment", "[shift_zoom_flip, cutout]", "--data.mix", "mixup", "--data.batch_size", "20"),
    *("--model.arch", "keras_cnn", "--model.arch.widths", "[8, 8]", "--model.arch.dropouts", "[0.1, 0.2]"),
    *("--model.schedule", "cosine", "--model.schedule.warmup", "0.2", "--model.label_smoothing", "0.1"),
    *("--early_stopping.patience", "3", "--early_stopping.monitor", "val/acc", "--early_stopping.mode", "max"),
    *("--trainer.max_epochs", "7", "--trainer.log_every_n_steps", "1", "--checkpoints.every_n_steps", "4"),
]
"""63 steps of nine an epoch, with dropout, batch norm, a schedule, augmentation, mixing; early stopping may end it."""


def killed_and_resumed(fork: Fork, arguments: list[str], moments: random.Random, while_writing: bool) -> int:
    """Start a run, and kill and resume it until it ends by itself; returns how many were killed."""
    folder, kills = Path("killed"), 0
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    run = folder / RUN
    process = fork(*arguments, folder=folder)
    while True:
        if while_writing:
            wrote = struck_while_writing(process, run / "checkpoints" / "last.ckpt.tmp", moments.randrange(1, 5))
        else:
            struck_at_a_moment(process, moments.uniform(0, 1.0))
            wrote = False
        outcome = process.wait()
        if outcome.code == 0:
            return kills
        assert outcome.code == -9, outcome.err
        kills += wrote or not while_writing
        # before its config is written, nothing has begun that could go on
        begun = (run / "config.yaml").is_file()
        process = fork("fit", "--resume", RUN, folder=folder) if begun else fork(*arguments, folder=folder)


def struck_at_a_moment(process: Forked, seconds: float) -> None:
    """Kill a process so long after it has a run folder, if it still runs."""
    wait_until(process, lambda: "run folder" in (process.folder / "out").read_text())
    end = time.monotonic() + seconds
    wait_until(process, lambda: time.monotonic() > end)
    process.kill()


def struck_while_writing(process: Forked, aside: Path, which: int) -> bool:
    """Kill a process within its `which`-th writing of a checkpoint; returns whether a part of one was left."""
    for _ in range(which):
        wait_until(process, lambda: not aside.exists())
        wait_until(process, aside.exists)
    process.kill()
    return aside.exists()


def wait_until(process: Forked, condition: Callable[[], bool]) -> None:
    """Wait until something is the case, or the process has ended."""
    while not condition() and Path(f"/proc/{process.number}/stat").read_text().split(")")[1].split()[0] != "Z":
        pass


@pytest.mark.parametrize("while_writing", [False, True], ids=["at random moments", "while writing"])
@pytest.mark.parametrize("average", [[], ["--ema.enabled", "true", "--ema.decay", "0.9"]], ids=["", "ema"])
def test_killed_at_any_moment_a_run_goes_on_to_the_same_end(
    fork: Fork, while_writing: bool, average: list[str]
) -> None:
    whole = fork(*WHOLE, *average, folder=Path.cwd()).wait()
    assert whole.code == 0, whole.err
    assert len(list((RUN / "checkpoints").iterdir())) == 2  # of the best epochs, only the last is kept
    moments, kills = random.Random(f"{while_writing} {average}"), 0
    while kills < KILLS / 4:
        kills += killed_and_resumed(fork, [*WHOLE, *average], moments, while_writing)
        assert_same(Path("killed") / RUN, RUN)


def test_a_run_that_is_being_trained_is_left_alone(fork: Fork, plcnn: Callable[..., Outcome]) -> None:
    process = fork("fit", *TINY, "--trainer.max_epochs", "100000", "--early_stopping.enabled", "false")
    history = RUN / "history.csv"
    wait_until(process, lambda: history.is_file() and len(history.read_text().splitlines()) > 2)
    outcome = plcnn("fit", "--resume", RUN)
    assert outcome.code == 1, outcome
    assert outcome.err == f"error: {RUN} is being trained by another process. Wait until it has ended, or stop it.\n"
    process.kill()
    process.wait()
    done = len(history.read_text().splitlines()) - 1
    assert plcnn("fit", "--resume", RUN, "--trainer.max_epochs", str(done + 2)).code == 0  # at once


def test_the_last_steps_before_a_kill_are_in_the_curves_once(fork: Fork, plcnn: Callable[..., Outcome]) -> None:
    assert plcnn(*WHOLE).code == 0
    steps = [step for step, _ in scalars(RUN)["step/train_loss"]]
    assert steps == list(range(1, len(steps) + 1)) and len(steps) == 9 * len(rows(RUN))


def test_without_patience_the_first_epoch_that_is_no_better_ends_it(plcnn: Callable[..., Outcome]) -> None:
    stopping = ["--model.optimizer.lr", "0", "--early_stopping.patience", "0", "--trainer.max_epochs", "9"]
    assert plcnn("fit", *TINY, *stopping).code == 0
    assert len(rows(RUN)) == 2  # the first sets the mark
    assert "nothing was left to do" in plcnn("fit", "--resume", RUN).out


def test_stopped_early_stays_stopped(plcnn: Callable[..., Outcome]) -> None:
    stopping = ["--model.optimizer.lr", "0", "--early_stopping.patience", "2", "--trainer.max_epochs", "9"]
    assert plcnn("fit", *TINY, *stopping).code == 0
    before = (RUN / "checkpoints" / "last.ckpt").read_bytes()
    outcome = plcnn("fit", "--resume", RUN)
    assert outcome.code == 0 and "stopped    early, after epoch 3" in outcome.out
    assert (RUN / "checkpoints" / "last.ckpt").read_bytes() == before
    assert plcnn("fit", "--resume", RUN, "--early_stopping.patience", "4").code == 0
    assert len(rows(RUN)) == 5


@pytest.mark.parametrize("option", [["--resume", str(RUN)], ["--ckpt_path", str(RUN)], ["--resume", "auto"]])
def test_one_command_goes_on_with_settings_and_plugins(
    plcnn: Callable[..., Outcome], option: list[str], registers: None
) -> None:
    Path("my_net.py").write_text(
        "import torch\nfrom plcnn import register\n\n@register\nclass MyOwnNet(torch.nn.Module):\n"
        "    def __init__(self, num_classes: int):\n        super().__init__()\n"
        "        self.dense = torch.nn.Linear(192, num_classes)\n"
        "    def forward(self, x):\n        return self.dense(x.flatten(1))\n"
    )
    arguments = ["fit", *TINY, "--plugins", "my_net.py", "--model.arch", "my_own_net", "--seed_everything", "5"]
    assert plcnn(*arguments, "--trainer.max_epochs", "1").code == 0
    again = arguments if "auto" in option else ["fit"]
    outcome = plcnn(*again, *option, "--trainer.max_epochs", "3")
    assert outcome.code == 0, outcome.err
    assert [row["epoch"] for row in rows(RUN)] == ["1", "2", "3"] and len(list(RUN.parent.iterdir())) == 1
    assert "seed_everything: 5" in (RUN / "config_2.yaml").read_text()
    # the settings with which it went on are those with which it goes on again
    assert "nothing was left to do" in plcnn("fit", "--resume", RUN).out


def test_auto_starts_a_run_where_there_is_none(plcnn: Callable[..., Outcome]) -> None:
    for _ in range(2):
        assert plcnn("fit", *TINY, "--trainer.max_epochs", "1", "--name", "job", "--resume", "auto").code == 0
    assert [path.name for path in Path("tb_logs/job").iterdir()] == ["version_0"]
    assert "resume: null" in Path("tb_logs/job/version_0/config.yaml").read_text()


def test_a_run_without_a_checkpoint_starts_again_in_its_folder(plcnn: Callable[..., Outcome]) -> None:
    for name in ("whole", "run"):
        assert plcnn("fit", *TINY, "--trainer.max_epochs", "2", "--name", name).code == 0
    shutil.rmtree(RUN / "checkpoints")
    outcome = plcnn("fit", "--resume", RUN)
    assert outcome.code == 0, outcome.err
    assert rows(RUN) == rows(Path("tb_logs/whole/version_0"))
    assert scalars(RUN) == scalars(Path("tb_logs/whole/version_0"))
    assert names(RUN) == names(Path("tb_logs/whole/version_0"))


def test_a_broken_last_checkpoint_is_passed_over(plcnn: Callable[..., Outcome]) -> None:
    for name in ("whole", "run"):
        assert plcnn("fit", *TINY, "--trainer.max_epochs", "3", "--name", name).code == 0
    last = RUN / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:3000])
    outcome = plcnn("fit", "--resume", RUN)
    assert outcome.code == 0, outcome.err
    assert "last.ckpt" in outcome.err and "Going on from" in outcome.err and len(outcome.err.splitlines()) == 1
    assert_same(RUN, Path("tb_logs/whole/version_0"))
    for path in (RUN / "checkpoints").iterdir():
        path.write_bytes(b"broken")
    outcome = plcnn("fit", "--resume", RUN)
    assert outcome.code == 1 and "last.ckpt" in outcome.err and "Traceback" not in outcome.err


def test_what_a_kill_left_beside_the_events_is_taken_away(plcnn: Callable[..., Outcome]) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    (events,) = RUN.glob("events*")
    for content in (b"", events.read_bytes()):
        left = events.with_name(f"{events.name}.tmp")
        left.write_bytes(content)
        outcome = plcnn("fit", "--resume", RUN, "--trainer.max_epochs", "2")
        assert outcome.code == 0, outcome.err
        assert not left.exists() and events.exists()
    assert [epoch for epoch, _ in scalars(RUN)["val/acc"]] == [1, 2]


def test_files_that_a_kill_left_half_written_are_taken_away(plcnn: Callable[..., Outcome]) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    for name in ("manifest.json.tmp", "split.json.tmp"):
        (RUN / name).write_text("{")
    assert plcnn("fit", "--resume", str(RUN)).code == 0  # nothing is left to train
    assert not list(RUN.glob("*.tmp"))


def test_a_half_written_event_is_cut_off(plcnn: Callable[..., Outcome]) -> None:
    for name in ("whole", "run"):
        assert plcnn("fit", *TINY, "--trainer.max_epochs", "2", "--name", name).code == 0
    (events,) = RUN.glob("events*")
    events.write_bytes(events.read_bytes() + b"\x20\x00\x00\x00\x00\x00\x00\x00half")
    for name in ("whole", "run"):
        assert plcnn("fit", "--resume", Path("tb_logs") / name / "version_0", "--trainer.max_epochs", "4").code == 0
    assert scalars(RUN) == scalars(Path("tb_logs/whole/version_0"))


def test_mistakes_in_what_to_resume_are_one_line(plcnn: Callable[..., Outcome]) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    Path("tb_logs/run/version_7").mkdir()
    for given, said in (
        (["fit", "--resume", "tb_logs/run/version_1"], "there is no such folder. In tb_logs/run: version_0."),
        (["fit", "--resume", "tb_logs/rum/version_0"], "there is no such folder. Did you mean tb_logs/run/version_0?"),
        (["fit", "--resume", "tb_log/run/version_0"], "there is no such folder. Did you mean tb_logs/run/version_0?"),
        (["test", "--ckpt_path", "tb_logs/rum/version_0"], "run folder. Did you mean tb_logs/run/version_0?"),
        (["fit", "--resume", "tb_logs/run"], "it is no run folder. In tb_logs/run: version_0."),
        (["fit", "--resume", "tb_logs/run/version_7"], "its run ended before it began"),
        (["fit", "--resume", str(RUN / "checkpoints" / "last.ckpt")], f"name the run folder, {RUN.absolute()}"),
        (["fit", "--resume", str(RUN), "--ckpt_path", str(RUN)], "exclude each other"),
        (["test", "--resume", str(RUN)], f"for test: plcnn test {RUN}"),
        (["fit", "--resume", str(RUN), "--model.arch", "keras_cnn"], "Leave --model.arch out"),
    ):
        outcome = plcnn(*given)
        assert outcome.code == 2 and said in outcome.err, outcome.err
        assert len(outcome.err.splitlines()) == 1


def test_a_run_that_ended_before_its_test_is_tested_once(plcnn: Callable[..., Outcome]) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    for _ in range(2):
        outcome = plcnn("fit", "--resume", RUN, "--test_after", "true")
        assert outcome.code == 0, outcome.err
    assert [path.name for path in RUN.glob("test*.json")] == ["test.json"]


def test_a_refused_start_leaves_the_run_as_it_was(plcnn: Callable[..., Outcome]) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "3").code == 0
    before = {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()}
    refused = plcnn("fit", "--resume", RUN, "--model.optimizer", "sgd", "--trainer.max_epochs", "4")
    assert refused.code == 2 and "goes on with adam" in refused.err and "--model.weights" in refused.err
    for fewer in "123":
        outcome = plcnn("fit", "--resume", RUN, "--trainer.max_epochs", fewer)
        assert outcome.code == 0 and "nothing was left to do" in outcome.out, outcome.err
    assert {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()} == before
    assert plcnn("fit", "--resume", RUN, "--trainer.max_epochs", "4").code == 0


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "muon"])
def test_an_optimizers_settings_take_effect_where_a_run_goes_on(plcnn: Callable[..., Outcome], optimizer: str) -> None:
    cosine = ["--model.optimizer", optimizer, "--model.schedule", "cosine", "--trainer.max_epochs", "4"]
    assert plcnn("fit", *TINY, *cosine, "--model.optimizer.lr", "0.01", "--name", "slow").code == 0
    assert plcnn("fit", *TINY, *cosine, "--model.optimizer.lr", "0.02", "--name", "fast").code == 0
    stopped = ["--checkpoints.every_n_steps", "1", "--trainer.callbacks+=disk_faults.Stop"]
    outcome = plcnn("fit", *TINY, *cosine, "--model.optimizer.lr", "0.01", *stopped)
    assert outcome.code == 1 and len(rows(RUN)) == 2
    further = ["--model.optimizer.lr", "0.02", "--trainer.callbacks", "null"]
    outcome = plcnn("fit", "--resume", RUN, *further)
    assert outcome.code == 0 and f"going on   after epoch 2, step 6: {RUN}/checkpoints/last.ckpt" in outcome.out
    slow, fast = (rows(Path("tb_logs") / name / "version_0") for name in ("slow", "fast"))
    assert [row["lr"] for row in rows(RUN)] == [row["lr"] for row in (*slow[:2], *fast[2:])]


def test_a_reproduction_is_not_what_auto_goes_on_with(plcnn: Callable[..., Outcome]) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    assert plcnn("reproduce", RUN).code == 0
    assert plcnn("fit", *TINY, "--resume", "auto", "--trainer.max_epochs", "2").code == 0
    assert len(rows(RUN)) == 2
