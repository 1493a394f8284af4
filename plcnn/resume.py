"""Which run a `fit` goes on with: the one named by --resume, or by --ckpt_path with a run folder."""

from pathlib import Path

from plcnn import checkpoint
from plcnn.arguments import asks_for_help, read_yaml, typed
from plcnn.errors import UserError
from plcnn.paths import expanded
from plcnn.run import newest_config

NEWEST = "auto"
"""What --resume is given for the newest run of the name, or a new one where there is none."""


def given(arguments: list[str], key: str) -> str | None:
    """What a command is given for a key before any parsing: by its last flag, or else by its last config."""
    values = typed(arguments)
    configs = [read_yaml(config).get(key) for config in values.get("config", [])]
    found = [*filter(None, configs), *values.get(key, [])]
    return str(found[-1]) if found else None


def named_run(command: str, arguments: list[str]) -> Path | None:
    """The run folder that a command is told to go on with.

    Args:
        command: its name; `fit` alone goes on with a run.
        arguments: what follows it.

    Returns:
        The folder; None where none is named, where it is to be found (`auto`), or where a checkpoint file is named.

    Raises:
        UserError: if --resume names no run folder, or stands beside --ckpt_path.
    """
    if asks_for_help(arguments):
        return None
    resumed, start = given(arguments, "resume"), given(arguments, "ckpt_path")
    if command != "fit":
        if resumed:
            raise UserError(f"--resume belongs to fit; for {command}: plcnn {command} {resumed}", exit_code=2)
        return None
    if resumed and "ckpt_path" in typed(arguments):
        raise UserError("--resume and --ckpt_path exclude each other; --resume RUN_FOLDER goes on with a run.", 2)
    if resumed == NEWEST:
        return None
    if resumed:
        return _checked(expanded(resumed))
    return _meant_by(expanded(start)) if start else None


def _meant_by(path: Path) -> Path | None:
    """The run folder, where a path is one or is the last checkpoint in one."""
    if path.is_dir():
        return path if newest_config(path) else None
    return checkpoint.run_folder(path) if path.is_file() and path.name == checkpoint.LAST else None


def _checked(folder: Path) -> Path:
    if folder.is_dir() and newest_config(folder):
        return folder
    own = checkpoint.run_folder(folder) if folder.is_file() else None
    if own:
        raise UserError(f"--resume {folder}: name the run folder, {own}, or give the file to --ckpt_path.", 2)
    if (folder / checkpoint.FOLDER).is_dir() or (folder.is_dir() and folder.name.startswith("version_")):
        reason = "it has no config.yaml: its run ended before it began. Type its first command again"
    else:
        reason = "it is no run folder" if folder.exists() else "there is no such folder"
    nearby = checkpoint.runs_in(folder) if folder.is_dir() else checkpoint.meant_by(folder)
    raise UserError(f"--resume {folder}: {reason}.{nearby}", exit_code=2)
