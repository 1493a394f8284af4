"""`plcnn reproduce`: runs a run again from its own settings, and says whether the result is the same, bit for bit."""

import os
from pathlib import Path
from typing import Any

from plcnn import manifest
from plcnn.arguments import asks_for_help, read_yaml, typed
from plcnn.checkpoint import meant_by, runs_in
from plcnn.errors import UserError
from plcnn.paths import expanded
from plcnn.run import history, newest_config, short
from plcnn.terminal import say, warn

USAGE = """usage: plcnn reproduce RUN_DIR [options of fit]

Runs a run again, under its name with -reproduced, with the settings in its config.yaml, and says whether every epoch's
metrics and the final weights are the same, bit for bit; if not, what differs. Options of fit change settings, say
--data.root FOLDER.

exit code: 0 if the same, 1 if not, 2 for a wrong command line
"""

TIMES = ("seconds", "pictures/s")
"""Columns of history.csv that differ from run to run."""

SUFFIX = "-reproduced"
"""Of the name under which a run is made again: `--resume auto` looks for the newest of the run's own."""

PLACES = ("name", "trainer.default_root_dir")
"""Settings that say where a run lies."""

FACTS = {
    "versions": "version of {}",
    "git": "git commit of {}",
    "plugins": "plugin file {}",
    "weights": "file of weights {}",
    "device": "{}",
    "data": "data: {}",
}
"""The parts of a manifest's entry that can change a result, with words for their keys."""

Row = dict[str, float]


def run(arguments: list[str]) -> None:
    """Run a run again and compare.

    Args:
        arguments: `reproduce`, the run folder, and options of `fit`.

    Raises:
        UserError: for what is no finished run (exit code 2), or if the result differs (1).
    """
    rest = arguments[1:]
    if asks_for_help(rest):
        say(USAGE.rstrip())
        return
    if not rest or rest[0].startswith("-"):
        raise UserError("reproduce needs the run folder first: plcnn reproduce tb_logs/NAME/version_N", exit_code=2)
    folder, overrides = expanded(rest[0]), rest[1:]
    for key in ("resume", "ckpt_path"):
        if key in typed(overrides):
            raise UserError(f"--{key} goes on with a run; reproduce begins it anew. Leave it out.", exit_code=2)
    config, sessions, rows = _finished(folder)
    told = _warn_of_files(sessions, config)
    made: dict[str, Any] = {}

    def on_start(new_folder: Path, session: dict[str, Any]) -> None:
        made["folder"] = new_folder
        for difference in differences(sessions, session):
            if difference not in told:
                warn(difference)

    from plcnn.cli import run as run_command

    name = folder.resolve().parent.name.removesuffix(SUFFIX) + SUFFIX
    place = ["--trainer.default_root_dir", str(folder.resolve().parent.parent), "--name", name]
    run_command(["fit", "--config", str(config), *place, *overrides], on_start)
    if "folder" not in made:
        if os.environ.get("LOCAL_RANK", "0") != "0":  # the first process compares
            return
        raise UserError("Nothing was trained, so there is nothing to compare.")
    _compare(folder, made["folder"], sessions, rows)


def _finished(folder: Path) -> tuple[Path, list[dict[str, Any]], list[Row]]:
    """A finished run's newest settings, its manifest's entries and its history.

    Raises:
        UserError: if it is no run folder, or one of another kind.
    """
    config = newest_config(folder)
    if not folder.is_dir() or config is None:
        raise UserError(no_run("reproduce", folder), exit_code=2)
    try:
        sessions = manifest.read(folder)
        rows = _rows(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"reproduce {folder}: its record cannot be read: {error}.", exit_code=2) from error
    if not sessions:
        raise UserError(
            f"reproduce {folder}: it has no {manifest.FILE}, so what it was made with is not known. "
            f"To run its settings again: plcnn fit --config {config}",
            exit_code=2,
        )
    ended = sessions[-1].get("ended") or {}
    if ended.get("reason") not in ("finished", "stopped early"):
        why = ended.get("reason", "not at an end")
        raise UserError(
            f"reproduce {folder}: the run is unfinished ({why}); go on with it first: plcnn fit --resume {folder}",
            exit_code=2,
        )
    return config, sessions, rows


def no_run(command: str, folder: Path) -> str:
    """That there is no run folder, with the nearest names.

    Args:
        command: what the message begins with.
        folder: as it was typed.
    """
    if folder.exists():
        hint = f" It lies in {folder.parent}." if folder.is_file() else runs_in(folder)
        return f"{command} {folder}: it is no run folder.{hint}"
    return f"{command} {folder}: there is no such folder.{meant_by(folder)}"


def _rows(folder: Path) -> list[Row]:
    return [{key: value for key, value in row.items() if key not in TIMES} for row in history(folder)]


def _warn_of_files(sessions: list[dict[str, Any]], config: Path) -> list[str]:
    """Warn of what differs and is known before anything is loaded; returns what was told."""
    given = read_yaml(str(config)).get("plugins") or []
    paths = [given] if isinstance(given, str) else [str(path) for path in given]
    now = {
        "versions": manifest.versions(),
        "git": manifest.git_states(),
        "plugins": manifest.file_hashes(paths),
    }
    told = differences(sessions, now)
    for difference in told:
        warn(difference)
    return told


def differences(sessions: list[dict[str, Any]], now: dict[str, Any]) -> list[str]:
    """What differs between the entries of a run's manifest and another entry, or a part of one, in words.

    Args:
        sessions: the run's entries; those before its last start from nothing made nothing of it.
        now: the other entry.
    """
    begun = max((i for i, session in enumerate(sessions) if not session.get("resumed")), default=0)
    found: list[str] = []
    for session in sessions[begun:]:
        for part, words in FACTS.items():
            if part in now and not (part == "weights" and session.get("resumed")):  # it has the checkpoint's
                then, here = session.get(part) or {}, now[part] or {}
                for key in sorted(then.keys() | here.keys()):
                    if then.get(key) != here.get(key):
                        found.append(f"{words.format(key)}: {_short(then.get(key))} then, {_short(here.get(key))} now")
    return list(dict.fromkeys(found))


def _short(value: Any) -> str:
    """A value in a few characters: hashes are cut, commits named."""
    if isinstance(value, dict):
        if "commit" in value:
            return f"{str(value['commit'])[:10]}{' with changes' if value.get('dirty') else ''}"
        return " ".join(f"{key} {_short(part)}" for key, part in value.items())
    if isinstance(value, str) and len(value) == 64 and " " not in value:
        return value[:10]
    return "none" if value in (None, []) else str(value)


def _compare(folder: Path, new: Path, sessions: list[dict[str, Any]], rows: list[Row]) -> None:
    """Say whether the new run is the same.

    Raises:
        UserError: if it is not, with what differs.
    """
    again, new_rows = manifest.read(new)[-1], _rows(new)
    hashes = [(entry.get("ended") or {}).get("weights") for entry in (sessions[-1], again)]
    faults = [first_difference(rows, new_rows)]
    if hashes[0] != hashes[1]:
        faults.append(f"final weights: {_short(hashes[0])} then, {_short(hashes[1])} now")
    faults = [fault for fault in faults if fault]
    if not faults:
        say(f"the same   {short(new)} repeats {folder}: {len(rows)} epochs and the final weights, bit for bit")
        return
    known = differences(sessions, again)
    lines = [f"The result differs: {short(new)} does not repeat {folder}.", *faults]
    reasons = [*known, *_settings(folder, new)]
    lines += ["Between the two runs differ:", *(f"  {reason}" for reason in reasons)] if reasons else []
    lines += _advice(sessions[-1], again, reasons)
    raise UserError("\n".join(lines))


def first_difference(rows: list[Row], new_rows: list[Row]) -> str:
    """The first epoch and metric that differ, with both values; empty where all are the same."""
    for row, new_row in zip(rows, new_rows, strict=False):
        for key in dict.fromkeys([*row, *new_row]):
            then, now = (str(one.get(key, "none")) for one in (row, new_row))  # every bit; and nan is nan
            if then != now:
                return f"epoch {row['epoch']:.0f}, {key}: {then} then, {now} now"
    return "" if len(rows) == len(new_rows) else f"epochs: {len(rows)} then, {len(new_rows)} now"


def _settings(folder: Path, new: Path) -> list[str]:
    """Settings that differ between two runs' newest configs."""
    one, other = (flat(read_yaml(str(newest_config(run)))) for run in (folder, new))
    changed = [key for key in dict.fromkeys([*one, *other]) if key not in PLACES and one.get(key) != other.get(key)]
    found = [f"--{key}: {one.get(key)} then, {other.get(key)} now" for key in changed]
    configs = sorted(path.name for path in folder.glob("config_*.yaml"))
    if configs:
        found.append(f"the run went on with changed settings ({', '.join(configs)}), this one had them from its start")
    return found


def flat(config: dict[str, Any], place: str = "") -> dict[str, Any]:
    """Settings by their options' names.

    Args:
        config: as a config.yaml holds them.
        place: what stands before each name.
    """
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= flat(value, f"{place}{key}.") if isinstance(value, dict) else {f"{place}{key}": value}
    return found


def _advice(then: dict[str, Any], now: dict[str, Any], reasons: list[str]) -> list[str]:
    """What to do about a difference."""
    device, other = then.get("device") or {}, now["device"]
    if device.get("threads") != other["threads"] and other["accelerator"] == "cpu":
        cause = "The thread count made the difference" if len(reasons) == 1 else "The thread count changes sums, too"
        return [f"{cause}; with the run's own: OMP_NUM_THREADS={device.get('threads')} plcnn reproduce ..."]
    if other["accelerator"] != "cpu" and not reasons:
        return ["A GPU may add in any order: --trainer.deterministic true, in both runs, makes it keep to one."]
    return []
