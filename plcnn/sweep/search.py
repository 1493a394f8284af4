"""The runs of a search: drawn by Optuna, watched epoch by epoch, ended early where others did better.

One process writes the study. It reads what each run writes into its history.csv anyway, so that a run is a plain `plcnn
fit`; a run that is pruned gets SIGTERM, and leaves a checkpoint.
"""

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from plcnn.run import short
from plcnn.sweep import plan as plans
from plcnn.sweep.crew import Crew, Job
from plcnn.sweep.distributions import Distribution
from plcnn.sweep.plan import MODES, Plan
from plcnn.sweep.repetitions import why
from plcnn.sweep.runs import best_row, look
from plcnn.sweep.space import draw
from plcnn.sweep.study import FLAGS, NOTE, drawn_trials, flags_of, key_of, sampler, to_be_tried_again, try_again, try_of
from plcnn.terminal import say, warn

if TYPE_CHECKING:
    import optuna


@dataclass
class Watched:
    """A trial whose run is under way.

    Attributes:
        trial: Optuna's.
        pruned: whether it is to end early.
    """

    trial: "optuna.trial.Trial"
    pruned: bool = False


class Search:
    """Runs the trials of a search.

    Args:
        folder: the sweep's.
        plan: of a search.
        space: what is searched.
        study: Optuna's.
        crew: runs it.
    """

    def __init__(
        self, folder: Path, plan: Plan, space: dict[str, Distribution], study: "optuna.Study", crew: Crew
    ) -> None:
        self.folder, self.plan, self.space, self.study, self.crew = folder, plan, space, study, crew
        self.monitor: str = plan.search["monitor"]
        self.mode = MODES[self.monitor]
        self.under_way: dict[str, Watched] = {}
        self.failed: dict[str, str] = {}

    def run(self) -> dict[str, str]:
        """Run what is left of the trials, and what failed before once more.

        Returns:
            What those said that failed, by their names.
        """
        for trial in to_be_tried_again(self.study):
            try_again(self.study, trial)
        left = self._left_running()
        trials = int(self.plan.search["trials"])
        ended = len(drawn_trials(self.study)) - len(left)
        with tqdm(total=trials, initial=ended, unit="trial", disable=None, leave=False) as bar:
            while True:
                while self.crew.has_room and (left or len(drawn_trials(self.study)) < trials):
                    self._start(left.pop(0) if left else self._ask())
                if self.crew.is_idle:
                    return self.failed
                for key, code in self.crew.ended():
                    self._end(key, code)
                    bar.update()
                for key, watched in self.under_way.items():
                    if not watched.pruned and self._report(key, watched):
                        self.crew.end(key)

    def _left_running(self) -> list["optuna.trial.Trial"]:
        """The trials that go on: a killed sweep's, and other tries. One that was not drawn to its end is given up."""
        import optuna

        found = []
        for trial in self.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            if flags_of(trial) is None:
                self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            else:
                found.append(optuna.trial.Trial(self.study, trial._trial_id))
        return found

    def _ask(self) -> "optuna.trial.Trial":
        self.study.sampler = sampler(self.plan.search, len(self.study.get_trials(deepcopy=False)))
        trial = self.study.ask()
        trial.set_user_attr(FLAGS, draw(self.space, trial))
        return trial

    def _start(self, trial: "optuna.trial.Trial") -> None:
        key, flags = key_of(trial), flags_of(trial)
        assert flags is not None
        self.under_way[key] = Watched(trial)
        self.crew.start(Job(key, plans.fit_command(self.folder, key, flags), plans.log_of(self.folder, key)))

    def _report(self, key: str, watched: Watched) -> bool:
        """Tell the study of new epochs, in order; whether the trial is to end early."""
        trial = watched.trial
        known = self.study._storage.get_trial(trial._trial_id).intermediate_values
        for row in look(self.folder, key).rows:
            step, value = int(row["epoch"]), row.get(self.monitor)
            if step in known or value is None or not math.isfinite(value):
                continue
            trial.report(value, step)
            if step != self.plan.search["epochs"] and trial.should_prune():  # after the last there is nothing to save
                watched.pruned = True
                trial.set_user_attr(NOTE, f"ended early, after epoch {step}")
                return True
        return False

    def _end(self, key: str, code: int) -> None:
        from optuna.trial import TrialState

        watched = self.under_way.pop(key)
        trial, state = watched.trial, look(self.folder, key)
        pruned = watched.pruned or self._report(key, watched)
        best = best_row(state.rows, self.monitor, self.mode)
        flags = shlex.join(flags_of(trial) or [])
        if not pruned and code == 0 and self.monitor in best:
            self.study.tell(trial, best[self.monitor])
            say(f"{key:<10} {self.monitor} {best[self.monitor]:.4f} (epoch {best['epoch']:.0f})  {flags}")
        elif pruned or state.has_diverged:
            if not pruned:
                trial.set_user_attr(NOTE, "diverged")
            self.study.tell(trial, state=TrialState.PRUNED)
            say(f"{key:<10} {trial.user_attrs[NOTE]}  {flags}")
        else:
            log = plans.log_of(self.folder, key)
            tries = f" (tried {try_of(trial)} times)" if try_of(trial) > 1 else ""
            self.failed[key] = (why(code, log) if code else f"{self.monitor} was not measured") + tries
            trial.set_user_attr(NOTE, self.failed[key])
            self.study.tell(trial, state=TrialState.FAIL)
            warn(f"{key} failed: {self.failed[key]} ({short(log)})")


def best_trial(study: "optuna.Study") -> Any:
    """The best trial that ran to its end; none where none did."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return study.best_trial if ended else None
