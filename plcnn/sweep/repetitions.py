"""The runs of seeds and folds: each is begun, gone on with or left alone, as its folder says."""

import json
from pathlib import Path

from tqdm import tqdm

from plcnn.run import short
from plcnn.sweep import plan as plans
from plcnn.sweep.crew import Crew, Job
from plcnn.sweep.plan import Plan
from plcnn.sweep.runs import State, last_words, look
from plcnn.terminal import say, warn


def next_step(folder: Path, plan: Plan, state: State) -> list[str] | None:
    """The command that a run needs next; none where it is done.

    Args:
        folder: the sweep's.
        plan: of the sweep.
        state: of the run.
    """
    if not state.is_trained or (plan.test_after and not state.result("test")):
        return plans.fit_command(folder, state.key, plan.flags(state.key))
    if plan.kind == "folds" and not state.result("validate"):
        return ["validate", str(state.folder), "--report", "false"]
    return None


def repeat(folder: Path, plan: Plan, crew: Crew) -> dict[str, str]:
    """Run all that is not done.

    Args:
        folder: the sweep's.
        plan: seeds or folds.
        crew: runs it.

    Returns:
        What those said that failed, by their names.
    """
    waiting, done, failed = plan.names(), 0, {}
    under_way: dict[str, list[str]] = {}
    with tqdm(total=len(waiting), unit="run", disable=None, leave=False) as bar:
        while waiting or not crew.is_idle:
            while waiting and crew.has_room:
                state = look(folder, waiting.pop(0))
                step = next_step(folder, plan, state)
                log = plans.log_of(folder, state.key)
                if step is None:
                    done += 1
                    bar.update()
                    say(told(state))
                elif step == under_way.get(state.key):  # it ended well, and left nothing
                    failed[state.key] = last_words(log) or "it left no result"
                else:
                    under_way[state.key] = step
                    crew.start(Job(state.key, step, log))
            for ended in crew.ended():
                if ended.code == 0:
                    waiting.insert(0, ended.key)
                    continue
                log = plans.log_of(folder, ended.key)
                failed[ended.key] = why(ended.code, log)
                warn(f"{ended.key} failed: {failed[ended.key]} ({short(log)})")
                bar.update()
    return failed


def why(code: int, log: Path) -> str:
    """Why a run failed.

    Args:
        code: its exit code, negative for a signal.
        log: what it printed.
    """
    if code < 0:
        return f"killed by signal {-code}"
    return last_words(log) or f"exit code {code}"


def told(state: State) -> str:
    """A line about a run that is done."""
    best = state.best()
    measured = [f"{name} {best[name]:.4f}" for name in ("val/acc", "val/loss", "train/acc") if name in best][:2]
    if test := state.result("test"):
        measured.append(f"test/acc {json.loads(test.read_text(encoding='utf-8'))['acc']:.4f}")
    seconds = sum(row.get("seconds", 0.0) for row in state.rows)
    epochs = f"best of {len(state.rows)} epochs: {best.get('epoch', 0):.0f}"
    return f"{state.key:<10} {', '.join(measured)}  ({epochs})  {seconds:.1f} s"
