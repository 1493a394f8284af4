"""A user's own Python files, imported so that what they register can be used by name.

Plugin files are named by `--plugins`, by `plugins:` in a YAML, or by the environment variable PLCNN_PLUGINS; never by a
checkpoint, which would undo the safe loading of checkpoints. The absolute paths are kept in that variable, so that
re-launched and spawned processes load the same files.
"""

import hashlib
import importlib.util
import os
import shlex
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from plcnn.errors import UserError

ENVIRONMENT_VARIABLE = "PLCNN_PLUGINS"


def loaded() -> list[str]:
    """Absolute paths of the plugin files that are loaded or, in a process just started, to be loaded."""
    return [path for path in os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep) if path]


def option(paths: Iterable[str]) -> str:
    """What a command must be given to load plugin files: empty for none, or else ` --plugins ...`."""
    files = list(paths)
    return f" --plugins {shlex.quote(files[0] if len(files) == 1 else str(files))}" if files else ""


def load(paths: Iterable[str] = ()) -> None:
    """Import plugin files, those of the environment variable first; one that is loaded already is left alone.

    Args:
        paths: Python files, absolute or relative to the working directory.

    Raises:
        UserError: if a file is missing, is no Python file, or fails to import; it names the file, line and reason.
    """
    wanted = list(dict.fromkeys(str(Path(p).expanduser().resolve()) for p in [*loaded(), *paths]))
    for path in wanted:
        _import_file(Path(path))
    if wanted:
        os.environ[ENVIRONMENT_VARIABLE] = os.pathsep.join(wanted)


def _import_file(path: Path) -> None:
    name = f"plcnn_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return
    if not path.is_file():
        raise UserError(f"--plugins: there is no file {path}.", exit_code=2)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"--plugins: {path} is no Python file (its name must end in .py).", exit_code=2)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        if isinstance(error, UserError):
            raise
        raise UserError(f"--plugins: {path}, line {_line(error, path)}: {_reason(error)}", exit_code=2) from error


def _line(error: Exception, path: Path) -> int | str:
    if isinstance(error, SyntaxError):
        return error.lineno or "?"
    frames = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return frames[-1] if frames and frames[-1] is not None else "?"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
