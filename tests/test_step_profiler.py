"""The profile of a step, by a scripted clock."""

import pytest
from support import TINY, Outcome

from plcnn.step_profiler import FIRST_STEPS, ROWS, StepProfiler


def scripted_step(profiler: StepProfiler, pass_time: object) -> None:
    """A step as Lightning tells of it: what lies inside another action counts for itself alone."""
    wait = pass_time  # seconds
    profiler.start("[_TrainingEpochLoop].train_dataloader_next")
    wait(1)
    profiler.stop("[_TrainingEpochLoop].train_dataloader_next")
    wait(2)
    profiler.start("run_training_batch")
    profiler.start("[LightningModule]Classifier.optimizer_step")
    wait(4)
    profiler.start("[Strategy]SingleDeviceStrategy.training_step")
    wait(8)
    profiler.stop("[Strategy]SingleDeviceStrategy.training_step")
    profiler.start("[Strategy]SingleDeviceStrategy.backward")
    wait(16)
    profiler.stop("[Strategy]SingleDeviceStrategy.backward")
    wait(4)
    profiler.stop("[LightningModule]Classifier.optimizer_step")
    profiler.stop("run_training_batch")
    profiler.start("[Callback]History.on_train_batch_end")
    wait(32)
    profiler.stop("[Callback]History.on_train_batch_end")


def test_time_counts_for_the_innermost_action_and_validation_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    profiler = StepProfiler()
    monkeypatch.setattr(profiler, "_now", lambda: clock[0])

    def wait(seconds: float) -> None:
        clock[0] += seconds

    wait(1000)
    profiler.start("run_training_epoch")
    for _ in range(FIRST_STEPS - 1):
        scripted_step(profiler, lambda _: wait(500))
    scripted_step(profiler, wait)
    callbacks = 32.0  # the last of the first steps is forgotten when its batch is done
    for _ in range(5):
        scripted_step(profiler, wait)
    profiler.start("[LightningModule]Classifier.on_validation_start")
    profiler.stop("[LightningModule]Classifier.on_validation_start")
    profiler.start("[Strategy]SingleDeviceStrategy.validation_step")
    wait(700)
    profiler.stop("[Strategy]SingleDeviceStrategy.validation_step")
    profiler.start("[LightningModule]Classifier.on_validation_end")
    profiler.stop("[LightningModule]Classifier.on_validation_end")
    profiler.stop("run_training_epoch")
    assert dict(profiler.seconds) == {
        "data": 5, "loop": 10, "optimizer": 40, "forward": 40, "backward": 80, "callbacks": callbacks + 160,
    }  # fmt: skip
    shown = profiler.summary().splitlines()
    assert shown[0] == "where a training step's time goes, mean of 5 steps"
    assert shown[2].split() == ["forward", "8000.000", "ms", f"{40 / 367:.1%}"]


def test_fit_prints_the_profile_where_it_is_asked_for(plcnn: object) -> None:
    outcome: Outcome = plcnn("fit", *TINY, "--trainer.max_epochs", "2", "--profile", "true")  # type: ignore[operator]
    assert outcome.code == 0, outcome.err
    shown = {line.split()[0] for line in (outcome.out + outcome.err).splitlines() if " ms " in line}
    assert shown == set(ROWS)
