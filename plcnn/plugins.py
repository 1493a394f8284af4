"""A user's own Python files, and installed packages, imported so that what they register can be used by name.

Plugin files are named by `--plugins`, by `plugins:` in a YAML, or by the environment variable PLCNN_PLUGINS; never by a
checkpoint, which would undo the safe loading of checkpoints. The absolute paths are kept in that variable, so that
re-launched and spawned processes find the same files. Each file is a submodule of this module: what unpickles one of
its classes imports this module, and with it the finder, first.
"""

import hashlib
import importlib
import os
import shlex
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from plcnn.errors import UserError
from plcnn.paths import expanded

ENVIRONMENT_VARIABLE = "PLCNN_PLUGINS"

__path__: list[str] = []  # makes the files submodules


class _Finder(MetaPathFinder):
    """Finds the plugin files under their module names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The file's spec, or none for a name that is no plugin file's."""
        found = next((file for file in loaded() if _module_name(file) == fullname), None)
        return spec_from_file_location(fullname, found) if found else None


sys.meta_path.append(_Finder())


def loaded() -> list[str]:
    """Absolute paths of the plugin files that are loaded or, in a process just started, to be loaded."""
    return [path for path in os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep) if path]


def option(paths: Iterable[str]) -> str:
    """What a command must be given to load plugin files: empty for none, or else ` --plugins ...`."""
    files = list(paths)
    return f" --plugins {shlex.quote(files[0] if len(files) == 1 else str(files))}" if files else ""


def load(paths: Iterable[str] = ()) -> None:
    """Import plugin files, those of the environment variable first; one that is loaded already is left alone.

    A file may import others that lie beside it.

    Args:
        paths: Python files, absolute or relative to the working directory.

    Raises:
        UserError: if a file is missing, is no Python file, or fails to import; it names the file, line and reason.
    """
    before = os.environ.get(ENVIRONMENT_VARIABLE)
    wanted = list(dict.fromkeys(str(expanded(p).resolve()) for p in [*loaded(), *paths]))
    if not wanted:
        return
    os.environ[ENVIRONMENT_VARIABLE] = os.pathsep.join(wanted)
    try:
        for path in wanted:
            _check_file(Path(path))
            _import_file(Path(path))
    except UserError:
        os.environ[ENVIRONMENT_VARIABLE] = before or ""
        raise


def load_installed(group: str) -> None:
    """Import what installed packages declare as entry points of a group; a broken one is left out with a warning.

    Args:
        group: the group's name, say `plcnn.architectures`; each of its values is a module or `module:object`.
    """
    for point in entry_points(group=group):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            if os.environ.get("LOCAL_RANK", "0") == "0":
                package = point.dist.name if point.dist else point.value
                reason = error if isinstance(error, UserError) else _reason(error)
                entry = f"its entry point {point.name!r} ({point.value}) fails"
                print(f"warning: the package {package} is left out: {entry}: {reason}", file=sys.stderr)


def _module_name(path: str) -> str:
    return f"{__name__}.{Path(path).stem}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def _check_file(path: Path) -> None:
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:  # a name that is too long, say
        raise UserError(f"--plugins: {str(path)[:100]} cannot be read: {error.strerror}.", exit_code=2) from error
    if is_folder:
        raise UserError(f"--plugins: {path} is a folder; name the Python file in it.", exit_code=2)
    if not is_file:
        raise UserError(f"--plugins: there is no file {path}.", exit_code=2)


def _import_file(path: Path) -> None:
    if path.suffix != ".py":
        raise UserError(f"--plugins: {path} is no Python file (its name must end in .py).", exit_code=2)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that it hides no installed package
    try:
        importlib.import_module(_module_name(str(path)))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"--plugins: {path}, line {_line(error, path)}: {_reason(error)}", exit_code=2) from error


def _line(error: Exception, path: Path) -> int | str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or "?"
    frames = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return frames[-1] if frames and frames[-1] is not None else "?"


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
