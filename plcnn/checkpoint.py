"""Checkpoint files: found in run folders, and read with PyTorch's safe loader alone."""

import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any, Literal

import torch

from plcnn.checkpoint_content import RECORDS, check
from plcnn.checkpoint_network import check_network
from plcnn.errors import UserError
from plcnn.paths import expanded
from plcnn.suggestions import near
from plcnn.terminal import printable, warn

FOLDER = "checkpoints"
LAST = "last.ckpt"
NUMBERED = re.compile(r"version_\d+")
LOADER = "WeightsUnpickler error: "
"""What stands before some of the safe loader's sentences."""


def find(path: str | Path, prefer: Literal["best", "last"] = "best") -> Path:
    """The checkpoint file meant by a path: the file itself, or a run folder's best or last one.

    Args:
        path: a checkpoint file, a run folder, or a run folder's folder of checkpoints.
        prefer: which of a run's checkpoints to take; the other one stands in where it is missing.

    Raises:
        UserError: if there is no checkpoint at that path.
    """
    path = expanded(path)
    if path.is_file():
        return path
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: it is no plain file; name a checkpoint or a run folder.", exit_code=2)
    if not path.is_dir():
        raise UserError(f"{path}: there is no such file or run folder.{meant_by(path)}", exit_code=2)
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    best = _best_in(folder)
    last = list(folder.glob(LAST))
    wanted, other = (best, last) if prefer == "best" else (last, best)
    if not wanted and not other:
        raise UserError(f"{path}: no best-*.ckpt or last.ckpt in {folder}.{runs_in(path)}", exit_code=2)
    return (wanted or other)[-1]


def newest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The checkpoint from which a run goes on, with its content: the last one, or else the newest that can be read.

    Args:
        folder: a run folder.

    Returns:
        None where there is none yet.

    Raises:
        UserError: if there are some and none can be read.
    """
    faults: list[UserError] = []
    for path in [*(folder / FOLDER).glob(LAST), *reversed(_best_in(folder / FOLDER))]:
        try:
            content = read(path)
        except UserError as fault:
            faults.append(fault)
            continue
        if faults:
            warn(f"{faults[0]} Going on from {path}.")
        return path, content
    if faults:
        raise faults[0]
    return None


def _best_in(folder: Path) -> list[Path]:
    """The best checkpoints in a folder, the newest last."""
    return sorted(folder.glob("best-*.ckpt"), key=lambda path: path.stat().st_mtime)


def run_folder(checkpoint: Path) -> Path | None:
    """The run folder in which a checkpoint lies, or None where it was moved out of one."""
    folder = checkpoint.resolve().parent
    return folder.parent if folder.name == FOLDER and (folder.parent / "config.yaml").is_file() else None


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint that this program wrote.

    Raises:
        UserError: if the file is broken, holds anything but tensors and plain data, is no plcnn checkpoint or one of a
            newer version, or its weights are not those of the architecture that it names.
    """
    content: dict[str, Any] = read_safely(path)
    check(content, path)
    check_network(content, path)
    return content


def model_arguments(content: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint's classifier was built with, less what is only kept for the record."""
    return {k: v for k, v in content["hyper_parameters"].items() if k not in RECORDS}


def read_safely(path: Path) -> Any:
    """Read a file of `torch.save` with PyTorch's safe loader.

    Raises:
        UserError: if the file is broken, or holds anything but tensors and plain data.
    """
    try:
        check_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the loader cannot read is refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} was refused: it is broken, or holds more than tensors and plain data, and such a file can run "
            f"code when it is read{_what_was_found(error)}."
        ) from error
    except UserError:
        raise
    except Exception as error:  # a damaged file may raise anything
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no checkpoint, or a broken one"
        raise UserError(f"{path} cannot be read as a checkpoint: {reason}.") from error


def check_file(path: Path) -> None:
    """Refuse what is no plain file, and a zip archive that is damaged or swells; PyTorch's loader looks for neither.

    Raises:
        UserError: if the path is a folder, a pipe or a device, or a part of the file has not its checksum.
        OSError: if it cannot be read.
        zipfile.BadZipFile: if it is a broken archive.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path} cannot be read as a checkpoint: it is no plain file.")
    with path.open("rb") as file:
        if file.read(4) != b"PK\3\4":
            return
        with zipfile.ZipFile(file) as parts:
            if sum(part.file_size for part in parts.infolist()) > path.stat().st_size:
                raise UserError(f"{path} was refused: it would swell when it is read, as no checkpoint does.")
            if damaged := parts.testzip():
                raise UserError(f"{path} is damaged: {damaged} in it has not the checksum that was written.")


def _what_was_found(error: pickle.UnpicklingError) -> str:
    """The one sentence of PyTorch's page of advice that says what the file holds."""
    found = [line.strip().removeprefix(LOADER) for line in str(error).splitlines() if "nsupported" in line]
    return f" ({printable(found[0].split('. ')[0].rstrip('.'))[:120]})" if found else ""


def meant_by(path: Path) -> str:
    """A sentence that names what a path that does not exist may stand for, or the newest runs where it ought to be."""
    missing = next(part for part in (path, *path.parents) if part.parent.is_dir())
    if NUMBERED.fullmatch(missing.name):  # one number is no misspelling of another
        return runs_in(missing.parent)
    beside = [found.name for found in missing.parent.iterdir() if not found.name.startswith(".")]
    rest = path.relative_to(missing)
    found = [missing.parent / name / rest for name in near(missing.name, beside)]
    found = [one for one in found if one.exists()] or found
    return f" Did you mean {' or '.join(map(str, found))}?" if found else runs_in(missing.parent)


def runs_in(folder: Path) -> str:
    """A sentence that names the newest runs in a folder; nothing where there is none."""
    runs = sorted((p for p in folder.iterdir() if (p / FOLDER).is_dir()), key=lambda p: p.stat().st_mtime)
    return f" In {folder}: {', '.join(run.name for run in runs[-5:])}." if runs else ""
