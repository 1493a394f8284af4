"""What a search found, drawn: its history, its settings' importances, all of them at once, and each by itself."""

from typing import Any, NamedTuple

import optuna

from plcnn.figures.curves import METRICS, STAGES
from plcnn.figures.search import Axis, Tried, importances, parallel, search_history, search_slice
from plcnn.report.page import Drawn, Stop, drawn
from plcnn.sweep.distributions import as_text
from plcnn.sweep.outcome import Outcome
from plcnn.sweep.study import drawn_trials, key_of

MOST_SLICES = 12
MOST_AXES = 6
GOOD = 0.25
"""The best share of the trials, by which importance is judged: Optuna's tenth is of few trials a single one."""

FEWEST = 12
"""Of fewer trials that ran to their end, the best quarter is one or two, and importance would be chance."""


class Reached(NamedTuple):
    """A trial that measured something.

    Attributes:
        tried: as figures show it.
        trial: Optuna's.
    """

    tried: Tried
    trial: optuna.trial.FrozenTrial


def figures(outcome: Outcome) -> dict[str, tuple[Any, Drawn]]:
    """What the trials reached, and how their settings made for it; nothing where none reached anything.

    Args:
        outcome: of a search.
    """
    assert outcome.study is not None
    monitor = outcome.plan.search["monitor"]
    title = f"{STAGES[monitor.split('/')[0]]} {METRICS[monitor.split('/')[1]]}"
    largest = outcome.study.direction.name == "MAXIMIZE"
    reached = _reached(outcome, monitor)
    if not reached:
        return {}
    tried = [one.tried for one in reached]
    history = search_history(tried, title, largest)
    stops = [Stop(one.number, one.value, f"trial {one.number}\n{monitor} {one.value:.4f}") for one in tried]
    found: dict[str, tuple[Any, Drawn]] = {"search_history": (history, drawn(history, f"{title} of each trial", stops))}
    shares = _importances(outcome.study)
    if shares:
        figure = importances(shares)
        stops = [Stop(share, place, f"{name}\n{share:.3f}") for place, (name, share) in enumerate(shares.items())]
        note = "PED-ANOVA (Watanabe and others, 2023): what tells the best quarter of those that ended from the rest."
        found["importances"] = (figure, drawn(figure, "importance of each setting", stops, note))
    names = dict.fromkeys([*shares, *(name for _, trial in reached for name in trial.params)])
    differing = [name for name in names if len({trial.params[name] for _, trial in _having(name, reached)}) > 1]
    found |= _parallel(reached, differing, title, largest)
    for place, name in enumerate(differing[:MOST_SLICES]):
        having = _having(name, reached)
        axis = _axis(name, having)
        figure = search_slice([one.tried for one in having], axis, title)
        stops = [
            Stop(at, one.value, f"trial {one.number}\n{as_text(trial.params[name])}\n{monitor} {one.value:.4f}")
            for at, (one, trial) in zip(axis.places, having, strict=True)
        ]
        found[f"slice_{place}"] = (figure, drawn(figure, f"by {name}", stops))
    return found


def _reached(outcome: Outcome, monitor: str) -> list[Reached]:
    assert outcome.study is not None
    rows = {row.state.key: row for row in outcome.rows if monitor in row.best and row.status != "failed"}
    found = []
    for trial in drawn_trials(outcome.study):
        row = rows.get(key_of(trial))
        if row:
            number = int(row.state.key.rpartition("_")[2])
            found.append(Reached(Tried(number, row.best[monitor], row.status != "done"), trial))
    return found


def _having(name: str, reached: list[Reached]) -> list[Reached]:
    return [one for one in reached if name in one.trial.params]


def _axis(name: str, having: list[Reached]) -> Axis:
    """A setting's axis, with the place of each trial on it."""
    distribution: Any = having[0].trial.distributions[name]
    choices = [str(choice) for choice in getattr(distribution, "choices", ())]
    values = [trial.params[name] for _, trial in having]
    places = [choices.index(value) if choices else value for value in values]
    return Axis(name, places, choices, bool(getattr(distribution, "log", False)))


def _parallel(reached: list[Reached], names: list[str], title: str, largest: bool) -> dict[str, tuple[Any, Drawn]]:
    """All settings at once; nothing where fewer than two differ that every trial has."""
    axes = [_axis(name, reached) for name in names if len(_having(name, reached)) == len(reached)][:MOST_AXES]
    if len(axes) < 2:
        return {}
    figure = parallel([one.tried for one in reached], axes, title, largest)
    note = "A line is a trial, from setting to setting and to what it reached; coloured are the best."
    return {"parallel": (figure, drawn(figure, "all settings at once", [], note))}


def _importances(study: optuna.Study) -> dict[str, float]:
    """The importances of the settings that all trials have, the largest first; none where too few ran to their end."""
    ended = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    if len(ended) < FEWEST:
        return {}
    # a setting of a few trials only, and one with a single value, would get a share that says nothing
    values = {name: [trial.params[name] for trial in ended if name in trial.params] for name in ended[0].params}
    names = [name for name, found in values.items() if len(found) == len(ended) and len(set(found)) > 1]
    try:
        judge = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=GOOD)
        shares = optuna.importance.get_param_importances(study, evaluator=judge, params=names) if names else {}
    except (ValueError, RuntimeError):  # all alike
        return {}
    return {name: float(share) for name, share in shares.items()}
