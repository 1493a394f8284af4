"""A search whose runs are scripted: what is ended early, what fails, and what a killed one leaves."""

from pathlib import Path

import pytest

pytest.importorskip("optuna")

from optuna.trial import TrialState

from plcnn.sweep.crew import Ended, Job
from plcnn.sweep.outcome import conclude
from plcnn.sweep.plan import Plan
from plcnn.sweep.runs import State
from plcnn.sweep.search import Search, best_trial
from plcnn.sweep.space import parse
from plcnn.sweep.study import (
    drawn_trials,
    flags_of,
    key_of,
    mend,
    open_study,
    sampler,
    to_be_tried_again,
    try_again,
    try_of,
)

SEARCH = {"monitor": "val/acc", "pruner": "median", "sampler": "tpe", "seed": 3, "epochs": 4, "trials": 0}


class Scripted:
    """A crew whose runs write what a script says, an epoch each time that they are looked at."""

    def __init__(self, script: dict[str, list[float]], codes: dict[str, int], message: str = "") -> None:
        self.script, self.codes, self.message = script, codes, message
        self.epochs: dict[str, int] = {}
        self.ends: list[str] = []
        self.jobs: list[Job] = []
        self.has_room, self.is_idle = True, True

    def start(self, job: Job) -> None:
        self.jobs.append(job)
        self.epochs[job.key], self.has_room, self.is_idle = 0, False, False

    def end(self, key: str) -> None:
        self.ends.append(key)

    def ended(self) -> list[Ended]:
        key = self.jobs[-1].key
        self.epochs[key] += 1
        if self.epochs[key] <= len(self.script[key]) and key not in self.ends:
            return []
        self.has_room, self.is_idle = True, True
        return [Ended(key, 143 if key in self.ends else self.codes.get(key, 0))]

    def look(self, _: Path, key: str) -> State:
        rows = [{"epoch": float(epoch), "val/acc": value} for epoch, value in enumerate(self.script[key], 1)][
            : self.epochs[key]
        ]
        return State(key, None, rows, "failed" if self.codes.get(key) else "finished", self.message)


def searched(
    tmp_path: Path, crew: Scripted, monkeypatch: pytest.MonkeyPatch, epochs: int = 4
) -> tuple[Search, dict[str, str]]:
    monkeypatch.setattr("plcnn.sweep.search.look", crew.look)
    plan = Plan("search", [], [], 1, 1, True, False, SEARCH | {"trials": len(crew.script), "epochs": epochs})
    space = parse({"model.optimizer.lr": "loguniform(1e-3, 1)"})
    search = Search(tmp_path, plan, space, open_study(tmp_path, plan.search), crew)  # type: ignore[arg-type]
    return search, search.run()


def test_a_run_below_the_median_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = {f"trial_{number}": [0.5, 0.6, 0.7, 0.65] for number in range(5)}
    script |= {"trial_5": [0.1, 0.2, 0.9, 0.9], "trial_6": [0.6, 0.7, 0.8, 0.7]}
    crew = Scripted(script, {})
    search, failed = searched(tmp_path, crew, monkeypatch)
    trials = search.study.get_trials()
    assert failed == {} and crew.ends == ["trial_5"]
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 5 + [TrialState.PRUNED, TrialState.COMPLETE]
    assert list(trials[5].intermediate_values) == [1, 2]  # nothing ends after its first epoch
    assert [trial.value for trial in trials[:5]] == [0.7] * 5  # of the best epoch, not of the last
    best = best_trial(search.study)
    assert best.number == 6 and best.value == 0.8
    assert "trial_5    ended early, after epoch 2" in capsys.readouterr().out


def test_a_run_that_has_come_to_its_end_does_not_end_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Scripted({f"trial_{number}": [0.5, 0.6] for number in range(5)} | {"trial_5": [0.1, 0.2]}, {})
    search, _ = searched(tmp_path, crew, monkeypatch, epochs=2)
    assert search.study.get_trials()[5].state == TrialState.COMPLETE and not crew.ends


def test_epochs_after_its_early_end_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = {f"trial_{number}": [0.5, 0.6, 0.7, 0.65] for number in range(5)} | {"trial_5": [0.1, 0.2, 0.9, 0.9]}
    crew = Scripted(script, {})
    search, _ = searched(tmp_path, crew, monkeypatch)
    crew.epochs["trial_5"] = 4  # it had trained on before it heard of that
    monkeypatch.setattr("plcnn.sweep.outcome.look", crew.look)
    monkeypatch.setattr("plcnn.sweep.outcome.told", lambda _: [])
    monkeypatch.setattr("plcnn.sweep.outcome._write_best", lambda *_: None)
    monkeypatch.setattr("plcnn.sweep.page.write", lambda outcome: outcome.folder)
    row = conclude(tmp_path, search.plan, {}).rows[-1]
    assert row.status == "ended early" and len(row.state.rows) == 2 and row.best["val/acc"] == 0.2


def test_a_run_that_goes_on_is_judged_by_its_new_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = {f"trial_{number}": [0.5, 0.6, 0.7, 0.65] for number in range(5)}
    search, _ = searched(tmp_path, Scripted(script, {}), monkeypatch)
    left = search._ask()
    for epoch in (1, 2):
        left.report(0.1, epoch)  # the sweep was killed before it ended the run
    search, _ = searched(tmp_path, Scripted(script | {"trial_5": [0.1] * 4}, {}), monkeypatch)
    assert search.study.get_trials()[5].user_attrs["note"] == "ended early, after epoch 3"


def test_a_failed_run_does_not_end_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Scripted({"trial_0": [], "trial_1": [0.5], "trial_2": [0.4]}, {"trial_0": 1, "trial_2": -9})
    search, failed = searched(tmp_path, crew, monkeypatch)
    assert failed == {"trial_0": "exit code 1", "trial_2": "killed by signal 9"}
    states = [trial.state for trial in search.study.get_trials()]
    assert states == [TrialState.FAIL, TrialState.COMPLETE, TrialState.FAIL]


def test_what_failed_goes_on_in_the_same_run_three_times_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed, tried = [], []
    for codes in ({"trial_0": 1, "trial_1": -9}, {"trial_0": 1}, {"trial_0": 1}, {}):
        crew = Scripted({"trial_0": [0.2], "trial_1": [0.5], "trial_2": [0.4]}, codes)
        search, found = searched(tmp_path, crew, monkeypatch)
        failed.append(found)
        tried.append([job.key for job in crew.jobs])
    assert tried == [["trial_0", "trial_1", "trial_2"], ["trial_0", "trial_1"], ["trial_0"], []]
    assert failed == [
        {"trial_0": "exit code 1", "trial_1": "killed by signal 9"},
        {"trial_0": "exit code 1 (tried 2 times)"},
        {"trial_0": "exit code 1 (tried 3 times)"},
        {},
    ]
    trials = drawn_trials(search.study)
    assert [key_of(trial) for trial in trials] == ["trial_0", "trial_1", "trial_2"]
    assert [trial.state.name for trial in trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    first = search.study.get_trials()[0]
    assert trials[0].params == first.params and flags_of(trials[0]) == flags_of(first)
    assert trials[0].intermediate_values == first.intermediate_values == {1: 0.2}  # it is not judged twice
    assert not to_be_tried_again(search.study) and best_trial(search.study).value == 0.5
    assert "trial_1    val/acc 0.5000" in capsys.readouterr().out


def test_a_killed_search_does_not_lose_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched(tmp_path, Scripted({"trial_0": [0.2]}, {"trial_0": 1}), monkeypatch)
    study = open_study(tmp_path, SEARCH)
    try_again(study, to_be_tried_again(study)[0])  # and killed
    crew = Scripted({"trial_0": [0.2], "trial_2": [0.3]}, {})  # Optuna has given 1 to the try
    search, _ = searched(tmp_path, crew, monkeypatch)
    assert [job.key for job in crew.jobs] == ["trial_0", "trial_2"]
    assert [try_of(trial) for trial in drawn_trials(search.study)] == [2, 1]


def test_a_run_that_diverges_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Scripted({"trial_0": [0.1]}, {"trial_0": 1}, "UserError: The training loss became nan in epoch 2")
    search, failed = searched(tmp_path, crew, monkeypatch)
    (trial,) = search.study.get_trials()
    assert failed == {} and trial.state == TrialState.PRUNED and trial.user_attrs["note"] == "diverged"


def test_draws_depend_on_seed_and_number_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = {f"trial_{number}": [0.1 * number] for number in range(4)}
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole, _ = searched(tmp_path / "whole", Scripted(script, {}), monkeypatch)
    searched(tmp_path / "parts", Scripted(dict(list(script.items())[:2]), {}), monkeypatch)
    again, _ = searched(tmp_path / "parts", Scripted(script, {}), monkeypatch)
    assert [trial.params for trial in again.study.get_trials()] == [trial.params for trial in whole.study.get_trials()]
    assert len({trial.params["model.optimizer.lr"] for trial in again.study.get_trials()}) == 4
    assert type(sampler(SEARCH | {"sampler": "random"}, 0)).__name__ == "RandomSampler"


def test_a_torn_line_and_a_stale_lock_are_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched(tmp_path, Scripted({"trial_0": [0.5]}, {}), monkeypatch)
    journal = tmp_path / "study.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 5, "wor')
    (tmp_path / "study.journal.lock").symlink_to("nowhere")
    mend(journal)
    assert journal.read_bytes() == whole and not (tmp_path / "study.journal.lock").is_symlink()
    (trial,) = open_study(tmp_path, SEARCH).get_trials()
    assert trial.value == 0.5
