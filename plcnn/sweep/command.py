"""The command `plcnn sweep`: a training repeated over seeds or folds, or a search for its best settings."""

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plcnn.arguments import typed
from plcnn.behind_fit import part
from plcnn.command_parser import CommandParser, whole_number
from plcnn.errors import UserError
from plcnn.files import ON_WINDOWS, reason, written_aside
from plcnn.run import new_run_folder, short
from plcnn.sweep import plan as plans
from plcnn.sweep import space as spaces
from plcnn.sweep.crew import Crew, Gone, Interrupted, crew, lock
from plcnn.sweep.plan import MODES, SETTINGS, Plan
from plcnn.sweep.repetitions import repeat
from plcnn.sweep.study import PRUNERS, SAMPLERS, require
from plcnn.terminal import printable, say

if TYPE_CHECKING:
    import optuna

    from plcnn.sweep.settings import Settings

EPILOG = """All options of `plcnn fit` say what is to be trained; `plcnn fit --help` lists them.

examples:
  plcnn sweep seeds 0-4 --config configs/base.yaml --test_after true
  plcnn sweep folds 5 --config configs/base.yaml
  plcnn sweep search --space.model.optimizer.lr 'loguniform(1e-4, 1e-1)' --space.data.batch_size '[32, 64, 128]' \\
      --trials 30 --config configs/base.yaml
  plcnn sweep --resume tb_logs/base/sweep_0

All lies in tb_logs/NAME/sweep_N. A sweep that was stopped or killed goes on with --resume.
"""

SPACE = "--space."
MOST = 1000
"""Runs of seeds or folds; more are taken for a slip."""


def run(arguments: list[str]) -> None:
    """Run the command.

    Args:
        arguments: the command line, `sweep` first.

    Raises:
        UserError: if an option is wrong (exit code 2), a run failed (1), or a signal ended the sweep (130, 143).
    """
    parser = _parser()
    rest, space = _space(arguments[1:])
    if ON_WINDOWS:
        raise UserError("plcnn sweep runs on Linux and macOS; on Windows, in its Linux (WSL).")
    options, rest = part(rest, parser)
    folder, plan = _resumed(options, [*rest, *space]) if options.resume else _begun(options, rest, space, parser)
    with lock(folder) as handle:
        failed = _work(folder, plan, handle)
        _conclude(folder, plan, failed)


def _parser() -> CommandParser:
    parser = CommandParser(
        "sweep", "Repeats a training over seeds or folds, or searches for its best settings.", EPILOG
    )
    parser.add_argument("kind", nargs="?", choices=("seeds", "folds", "search"), help="what differs from run to run")
    parser.add_argument("numbers", nargs="*", metavar="N", help="seeds: 0 1 2, or 0-4; folds: how many")
    parser.add_argument("--jobs", type=whole_number, help="runs at once, each with its share of the cores (default 1)")
    parser.add_argument("--resume", metavar="FOLDER", help="go on with the sweep in a folder")
    parser.add_argument("--trials", type=whole_number, help="search: how many runs (default 20)")
    parser.add_argument("--space", metavar="FILE", help="search: YAML with keys of fit and distributions")
    parser.add_argument(
        "--space.KEY",
        metavar="DISTRIBUTION",
        help="search: of one key: uniform(0, 0.3), loguniform(1e-4, 1e-1), int(1, 8), logint(16, 512), choice(a, b)",
    )
    parser.add_argument("--monitor", choices=tuple(MODES), help="search: what is to be best (default val/acc)")
    parser.add_argument("--sampler", choices=SAMPLERS, help="search: what draws (default tpe)")
    parser.add_argument("--pruner", choices=PRUNERS, help="search: what ends bad runs early (default median)")
    return parser


def _space(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Take the options --space.KEY out of a command line."""
    rest: list[str] = []
    space: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        if not word.startswith(SPACE):
            rest.append(word)
            continue
        key, has_value, value = word.removeprefix(SPACE).partition("=")
        value = value if has_value else next(words, "")
        if not value or value.startswith("--"):
            raise UserError(f"{SPACE}{key} needs a distribution, as 'loguniform(1e-4, 1e-1)'.", exit_code=2)
        space[key] = value
    return rest, space


def _begun(
    options: argparse.Namespace, rest: list[str], space: dict[str, str], parser: CommandParser
) -> tuple[Path, Plan]:
    """Make the folder of a new sweep, once all that it is to do is checked."""
    if options.kind is None:
        raise UserError("sweep needs seeds, folds or search: `plcnn sweep --help` has examples.", exit_code=2)
    if options.kind != "search":
        given = [f"--{name}" for name in ("trials", "space", "monitor", "sampler", "pruner") if getattr(options, name)]
        if given or space:
            raise UserError(f"{[*given, *(SPACE + key for key in space)][0]} belongs to `plcnn sweep search`.", 2)
    numbers = _numbers(options.kind, options.numbers)
    _refuse_fits(options.kind, rest)
    from plcnn.compute import usable_cores
    from plcnn.sweep.settings import can_fork, parsed

    settings = parsed(rest, parser)
    jobs = options.jobs or 1
    threads = 0 if jobs == 1 or "OMP_NUM_THREADS" in os.environ else max(1, usable_cores() // jobs)
    plan = Plan(options.kind, rest, numbers, jobs, threads, can_fork(settings), bool(settings.get("test_after")))
    if plan.kind == "search":
        plan.search = _search(options, space, settings)
    else:
        settings.check(plan.flags(plan.names()[0]))
    if plan.kind == "folds" and settings.get("data.split_file"):
        raise UserError("--data.split_file: sweep folds makes splits of its own; leave it out of the config.", 2)
    folder = new_run_folder(settings.get("trainer.default_root_dir"), settings.get("name"), "sweep")
    try:
        with written_aside(folder / SETTINGS) as aside:
            aside.write_text(settings.as_yaml(), encoding="utf-8")
        plan.write(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {reason(error)}.") from error
    return folder, plan


def _numbers(kind: str, typed: list[str]) -> list[int]:
    """The seeds, or the numbers of the folds."""
    if kind == "search":
        if typed:
            raise UserError(f"search: {printable(typed[0])!r} is not understood; --trials says how many.", exit_code=2)
        return []
    if kind == "folds":
        if len(typed) != 1 or not typed[0].isdecimal() or not 2 <= int(typed[0]) <= MOST:
            raise UserError("folds needs their number, 2 or more: plcnn sweep folds 5 --config ...", exit_code=2)
        return list(range(int(typed[0])))
    found: list[int] = []
    for text in typed:
        first, is_range, last = text.partition("-")
        if not first.isdecimal() or (is_range and not last.isdecimal()):
            raise UserError(f"seeds: {printable(text)!r} is no seed; 0 1 2, or 0-4.", exit_code=2)
        seeds = range(int(first), int(last or first) + 1)
        if not 1 <= len(seeds) <= MOST:
            raise UserError(f"seeds: {text} stands for {len(seeds)} seeds; 1 to {MOST}.", exit_code=2)
        found += seeds
    if not found:
        raise UserError("seeds needs some: plcnn sweep seeds 0 1 2 --config ..., or 0-4.", exit_code=2)
    return list(dict.fromkeys(found))


def _refuse_fits(kind: str, rest: list[str]) -> None:
    """Refuse options of `fit` that the sweep sets itself, or that would start every run from another."""
    own = {"seeds": ["seed_everything"], "folds": ["data.folds", "data.fold", "data.split_file"], "search": []}[kind]
    for key in typed(rest):
        if key in own:
            raise UserError(f"--{key} is what sweep {kind} sets itself; leave it out.", exit_code=2)
        if key in ("resume", "ckpt_path"):
            raise UserError(f"--{key} does not go with sweep; --model.weights FILE starts every run from weights.", 2)


def _search(options: argparse.Namespace, typed_space: dict[str, str], settings: "Settings") -> dict[str, Any]:
    """What a search is to do, with every end of its space checked as `fit` would."""
    require()
    given = spaces.read(options.space, typed_space)
    space = spaces.parse(given)
    flags = typed(settings.arguments[1:])
    for key in space:
        if key in flags:
            raise UserError(f"--{key} is given, and searched by --space; leave one of them out.", exit_code=2)
    for example in spaces.examples(space):
        settings.check(example)
    if settings.get("test_after"):
        raise UserError("--test_after: a search would choose by test pictures; leave it out, and test the best.", 2)
    monitor = options.monitor or next(iter(MODES))
    return {
        "space": given,
        "trials": options.trials or 20,
        "monitor": monitor,
        "sampler": options.sampler or SAMPLERS[0],
        "pruner": options.pruner or PRUNERS[0],
        "seed": settings.get("seed_everything"),
        "epochs": settings.get("trainer.max_epochs") or 0,
    }


def _resumed(options: argparse.Namespace, rest: list[str]) -> tuple[Path, Plan]:
    """The sweep that goes on, with more trials or other jobs where that was asked for."""
    if options.kind or rest:
        what = options.kind or rest[0]
        raise UserError(f"--resume goes on with a sweep as it was begun; leave {printable(what)} out.", exit_code=2)
    folder, plan = plans.read(options.resume)
    for name in ("space", "monitor", "sampler", "pruner"):
        if getattr(options, name):
            raise UserError(f"--resume goes on with a sweep as it was begun; leave --{name} out.", exit_code=2)
    if options.trials and plan.kind != "search":
        raise UserError("--trials belongs to a search.", exit_code=2)
    if options.trials:
        plan.search["trials"] = options.trials
    if options.jobs and options.jobs != plan.jobs:
        from plcnn.compute import usable_cores

        plan.jobs, plan.threads = options.jobs, max(1, usable_cores() // options.jobs)
    if options.trials or options.jobs:
        plan.write(folder)
    if plan.kind == "search":
        require()
    return folder, plan


def _work(folder: Path, plan: Plan, handle: int) -> dict[str, str]:
    """Run what is not done; returns what those said that failed."""
    shared: list[str] = []
    if plan.jobs > 1 and not plan.forks:
        from plcnn.sweep.settings import gpus

        shared = gpus()
    at_once = f", {plan.jobs} at once" if plan.jobs > 1 else ""
    count = plan.search["trials"] if plan.kind == "search" else len(plan.numbers)
    what = "trial" if plan.kind == "search" else plan.kind.removesuffix("s")
    say(f"sweep      {count} {what}{'s' * (count > 1)}{at_once}, in {printable(short(folder))}")
    try:
        with crew(lambda: Crew(plan.jobs, plan.threads, shared, plan.forks, handle)) as hands:
            if plan.kind != "search":
                return repeat(folder, plan, hands)
            from plcnn.sweep.search import Search
            from plcnn.sweep.study import open_study

            study = open_study(folder, plan.search)
            return Search(folder, plan, spaces.parse(plan.search["space"]), study, hands).run()
    except Gone as error:
        raise UserError(f"The process that held the runs has died. To go on: {_again(folder)}") from error
    except Interrupted as interruption:
        raise UserError(f"{interruption}. To go on: {_again(folder)}", interruption.exit_code) from interruption


def _conclude(folder: Path, plan: Plan, failed: dict[str, str]) -> None:
    """Say what came of it, write the page, and end with an error where a run failed."""
    from plcnn.sweep import outcome

    found = outcome.conclude(folder, plan, failed)
    if failed:
        names = ", ".join(failed)
        again = f" To try again: {_again(folder)}" if _can_try_again(found.study) else ""
        raise UserError(f"{len(failed)} run{'s' * (len(failed) > 1)} failed: {names}.{again}")


def _can_try_again(study: "optuna.Study | None") -> bool:
    """Whether --resume tries again what failed: seeds and folds always, a search's trials only so often."""
    if study is None:
        return True
    from plcnn.sweep.study import to_be_tried_again

    return bool(to_be_tried_again(study))


def _again(folder: Path) -> str:
    return f"plcnn sweep --resume {shlex.quote(short(folder))}"
