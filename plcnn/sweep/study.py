"""The study of a search: Optuna's, in a file of the sweep's folder, written by the sweep's process alone.

Akiba et al., "Optuna", 2019, https://arxiv.org/abs/1907.10902. `optuna-dashboard FOLDER/study.journal` shows it.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from plcnn.errors import UserError
from plcnn.sweep.plan import MODES

if TYPE_CHECKING:
    import optuna

FILE = "study.journal"
NAME = "sweep"
FLAGS = "flags"
"""Of a trial's attributes: the options that were drawn."""

NOTE = "note"
"""Of a trial's attributes: why it failed or ended early."""

RUN = "run"
"""Of a trial's attributes, where it is another try of one that failed: the name of that one's run."""

TRY = "try"
"""Of a trial's attributes: which try of its run it is; missing of the first."""

TRIES = 3
"""Of a trial that fails: what fails for its settings fails each time."""

Sampler = Literal["tpe", "random"]
Pruner = Literal["median", "hyperband", "none"]
SAMPLERS, PRUNERS = get_args(Sampler), get_args(Pruner)

UNPRUNED = 5
"""Trials that the median pruner lets end before it prunes."""

FIRST = 2
"""The first epoch after which it prunes."""


def require() -> None:
    """Refuse a search where Optuna is missing, before anything is made.

    Raises:
        UserError: if it is.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise UserError("A search needs Optuna: pip install 'plcnn[sweep]'") from error


def open_study(folder: Path, search: dict[str, Any]) -> "optuna.Study":
    """Open a sweep's study, or begin it; hold the sweep's lock.

    Args:
        folder: the sweep's.
        search: monitor, pruner and epochs, as the plan has them.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = folder / FILE
    mend(path)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path))),
        study_name=NAME,
        direction="maximize" if MODES[search["monitor"]] == "max" else "minimize",
        pruner=_pruner(search["pruner"], search["epochs"]),
        load_if_exists=True,
    )


def mend(path: Path) -> None:
    """Take away what a killed process left: half a line at the journal's end, and Optuna's lock.

    Args:
        path: the journal.
    """
    for left in path.parent.glob(f"{path.name}.lock*"):
        with suppress(OSError):
            left.unlink()
    if path.is_file():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)


def sampler(search: dict[str, Any], number: int) -> "optuna.samplers.BaseSampler":
    """What draws a trial: its random numbers depend on the seed and the trial's number, not on what was before.

    Args:
        search: sampler and seed, as the plan has them.
        number: of the trial.
    """
    import numpy as np
    import optuna

    seed = int(np.random.SeedSequence([search["seed"], number]).generate_state(1)[0])
    if search["sampler"] == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def _pruner(name: str, epochs: int) -> "optuna.pruners.BasePruner":
    import optuna

    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=FIRST)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=max(epochs, 1))
    return optuna.pruners.NopPruner()


def flags_of(trial: "optuna.trial.FrozenTrial | optuna.trial.Trial") -> list[str] | None:
    """The options that were drawn for a trial; none where the sweep was killed before it had drawn them all."""
    found = trial.user_attrs.get(FLAGS)
    return list(found) if isinstance(found, list) else None


def key_of(trial: "optuna.trial.FrozenTrial | optuna.trial.Trial") -> str:
    """The name of a trial's run in the sweep: further tries of it go on with the same run."""
    return str(trial.user_attrs.get(RUN, f"trial_{trial.number}"))


def try_of(trial: "optuna.trial.FrozenTrial | optuna.trial.Trial") -> int:
    """Which try of its run a trial is, from 1 on."""
    return int(trial.user_attrs.get(TRY, 1))


def drawn_trials(study: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    """The trials that were drawn, in this order, each in its last try."""
    trials = study.get_trials(deepcopy=False)
    return list({key_of(trial): trial for trial in trials if flags_of(trial) is not None}.values())


def to_be_tried_again(study: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    """The trials that failed, each in its last try, and may be tried again."""
    import optuna

    failed = [trial for trial in drawn_trials(study) if trial.state == optuna.trial.TrialState.FAIL]
    return [trial for trial in failed if try_of(trial) < TRIES]


def try_again(study: "optuna.Study", failed: "optuna.trial.FrozenTrial") -> None:
    """Add another try of a trial that failed: one that has ended cannot be opened again.

    It is what Optuna's RetryHeartbeatStaleTrialCallback does, with a try that is under way at once: it goes on where
    the run was, and is judged by its new epochs.

    Args:
        study: that it belongs to.
        failed: the last try.
    """
    import optuna

    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=failed.params,
            distributions=failed.distributions,
            intermediate_values=failed.intermediate_values,
            user_attrs={FLAGS: flags_of(failed), RUN: key_of(failed), TRY: try_of(failed) + 1},
        )
    )
