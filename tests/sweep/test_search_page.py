"""What the page of a search draws, of trials whose settings and values are scripted."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

import optuna

from plcnn.sweep.outcome import Outcome, Row
from plcnn.sweep.page import write
from plcnn.sweep.plan import LOGS, Plan
from plcnn.sweep.runs import State
from plcnn.sweep.search_figures import FEWEST, figures
from plcnn.sweep.study import FLAGS

ARCH = optuna.distributions.CategoricalDistribution(["good", "bad"])
OPTIMIZER = optuna.distributions.CategoricalDistribution(["adam", "sgd"])
RATE = optuna.distributions.FloatDistribution(0.01, 1, log=True)
SIZE = optuna.distributions.IntDistribution(8, 64)


def searched(folder: Path) -> Outcome:
    """Sixteen trials: the architecture makes all the difference, `sgd` alone has a rate, the size is always 8.

    Two more failed, for the same reason, and have measured nothing.
    """
    study, rows = optuna.create_study(direction="maximize"), []
    for number in range(18):
        failed = number > 15
        params: dict[str, Any] = {"arch": "good" if number % 4 == 0 else "bad", "opt": ("adam", "sgd")[number // 2 % 2]}
        params |= {"size": 8, "opt[sgd].lr": 0.01 * (number + 1)}
        distributions = {"arch": ARCH, "opt": OPTIMIZER, "size": SIZE, "opt[sgd].lr": RATE}
        if params["opt"] == "adam":
            del params["opt[sgd].lr"], distributions["opt[sgd].lr"]
        value = (0.9 if params["arch"] == "good" else 0.1) + number / 1000
        state = optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE
        given = {"params": params, "distributions": distributions, "user_attrs": {FLAGS: ["--x"]}}
        study.add_trial(optuna.create_trial(state=state, value=None if failed else value, **given))
        best = {} if failed else {"epoch": 1.0, "val/acc": value}
        run = State(f"trial_{number}", None, [best] if best else [], "", "")
        rows.append(Row(run, "failed" if failed else "done", best, {}, "no <room>" if failed else ""))
    plan = Plan("search", [], [], 1, 1, True, False, {"monitor": "val/acc", "space": {"arch": ["good", "bad"]}})
    plan.search |= {"trials": 18, "sampler": "tpe", "pruner": "none"}
    return Outcome(folder, plan, rows, {}, None, study, study.best_trial)


def test_importances_are_of_settings_that_all_have_and_that_differ(tmp_path: Path) -> None:
    found = figures(searched(tmp_path))
    assert list(found) == ["search_history", "importances", "parallel", "slice_0", "slice_1", "slice_2"]
    bars = [label.get_text() for label in found["importances"][0].axes[0].get_yticklabels()]
    assert bars == ["arch", "opt"]  # the one that makes the difference first
    assert [found[f"slice_{place}"][1].title for place in range(3)] == ["by arch", "by opt", "by opt[sgd].lr"]
    columns = [label.get_text() for label in found["parallel"][0].axes[0].get_xticklabels()]
    assert columns == ["arch", "opt", "validation accuracy"]


def test_of_few_trials_no_importance_is_told(tmp_path: Path) -> None:
    outcome = searched(tmp_path)
    few = optuna.create_study(direction="maximize")
    few.add_trials(outcome.study.get_trials()[: FEWEST - 1])
    assert "importances" not in figures(outcome._replace(study=few))
    few.add_trial(outcome.study.get_trials()[FEWEST])
    assert "importances" in figures(outcome._replace(study=few))


def test_what_failed_stands_on_the_page_once_with_all_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / LOGS).mkdir()
    (tmp_path / LOGS / "trial_16.txt").touch()
    monkeypatch.setattr("plcnn.sweep.page.as_png", lambda _: b"")
    monkeypatch.setattr("plcnn.sweep.search_figures.figures", lambda _: {})
    page = write(searched(tmp_path)).read_text()
    assert '<a href="logs/trial_16.txt">trial_16</a>, trial_17: no &lt;room&gt;</li>' in page
    assert page.count("no &lt;room&gt;") == 1
    lines = (tmp_path / "sweep.csv").read_text().splitlines()
    assert lines[0].endswith(",seconds,note") and lines[-1].startswith("trial_17,failed,") and "no <room>" in lines[-1]
