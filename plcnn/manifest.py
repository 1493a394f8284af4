"""manifest.json: what is needed to repeat a run, as plain data; an entry for each time that it was started.

Pictures and weights stand there as SHA-256. Names of hosts and users do not.
"""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plcnn.data.kept.stores import Pictures, take
from plcnn.data.module import ImageData
from plcnn.files import written_aside
from plcnn.hashes import IN_A_STORE, as_bytes, tensor_hash
from plcnn.paths import expanded
from plcnn.run import short

FILE = "manifest.json"
PACKAGES = ("plcnn", "torch", "torchvision", "lightning", "numpy", "torchmetrics", "jsonargparse", "timm")
_SECONDS_FOR_GIT = 5
_PICTURES_AT_ONCE = 4096


def read(folder: Path) -> list[dict[str, Any]]:
    """The entries of a run folder's manifest, the first start first; none where there is no file.

    Raises:
        ValueError: if the file holds something else.
        OSError: if it cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    sessions = content.get("sessions") if isinstance(content, dict) else None
    if not isinstance(sessions, list) or not all(isinstance(session, dict) for session in sessions):
        raise ValueError("no sessions in it")
    return sessions


def write(folder: Path, sessions: list[dict[str, Any]]) -> None:
    """Write a run folder's manifest, whole or not at all.

    Raises:
        OSError: if the disk does not take it.
    """
    with written_aside(folder / FILE) as aside:
        aside.write_text(json.dumps({"sessions": sessions}, indent=2) + "\n")


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_states() -> dict[str, dict[str, Any] | None]:
    """The working directory's commit, and that of plcnn's own source where it is a checkout; None for none."""
    source = Path(__file__).parent
    tracked = _git(source, "ls-files", "--error-unmatch", "__init__.py") is not None
    return {"working_directory": _git_state(Path.cwd()), "plcnn": _git_state(source) if tracked else None}


def _git_state(folder: Path) -> dict[str, Any] | None:
    status = _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if status is None:
        return None
    lines = status.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), None)
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where it is missing, fails or takes too long."""
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_FOR_GIT, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout


def processor() -> str:
    """The CPU's model, and the widest instructions that PyTorch uses on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{model or platform.processor() or platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def file_hashes(paths: Iterable[str | Path]) -> dict[str, str | None]:
    """SHA-256 of files; None for one that cannot be read."""
    return {short(Path(path)): _file_hash(expanded(path)) for path in paths}


def _file_hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def data_facts(data: ImageData) -> dict[str, Any]:
    """What is trained on: SHA-256 of the source's training pictures and labels in its order, and of the split.

    Args:
        data: its sets for training and validation are read.
    """
    (train, train_labels), (val, val_labels) = data.sets["train"], data.sets["val"]
    split = {name: data.parts[name].rows for name in ("train", "val")}
    place = torch.cat([split["train"], split["val"]]).argsort(
        stable=True
    )  # of each of the source's pictures in the sets
    return {
        "source": data.source_choice.name,
        "classes": len(data.classes),
        "image_shape": list(data.image_shape),
        "counts": {name: len(rows) for name, rows in split.items()},
        "pictures": _pictures_hash(train, val, place),
        "labels": tensor_hash(torch.cat([train_labels, val_labels])[place]),
        "split": {name: tensor_hash(rows) for name, rows in split.items()},
    }


def _pictures_hash(train: Pictures, val: Pictures, place: Tensor) -> str:
    if not isinstance(train, Tensor) or not isinstance(val, Tensor):
        return IN_A_STORE
    digest = hashlib.sha256()
    for places in place.split(_PICTURES_AT_ONCE):
        trained = places < len(train)
        here: Any
        held: Any
        here, held = take(train, places[trained]), take(val, places[~trained] - len(train))
        pictures = here if trained.all() else held
        if len(here) and len(held):
            pictures = train.new_empty((len(places), *train.shape[1:]))
            pictures[trained], pictures[~trained] = here, held
        digest.update(as_bytes(pictures.cpu()))
    return digest.hexdigest()
