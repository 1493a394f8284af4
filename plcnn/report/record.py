"""What a run folder holds for a report; what is missing or broken there is noted and left out."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from plcnn import checkpoint as checkpoints
from plcnn import manifest, results
from plcnn.arguments import read_yaml
from plcnn.calibration import UNFITTED
from plcnn.errors import UserError
from plcnn.paths import expanded
from plcnn.reproduce import no_run
from plcnn.results import STAGES, Result
from plcnn.run import HISTORY, history, newest_config
from plcnn.suggestions import did_you_mean
from plcnn.terminal import printable

TRACES = ("config*.yaml", HISTORY, manifest.FILE, checkpoints.FOLDER, *(f"{command}*.json" for command in STAGES))
"""Of these, a run folder holds at least one."""

SWEEP = "sweep.html"


class Record(NamedTuple):
    """What is known of a run.

    Attributes:
        folder: the run folder.
        rows: one an epoch, as `History.rows` has them.
        config: its newest settings; empty where there are none.
        sessions: entries of its manifest.
        result: what was measured; none where nothing was.
        classes: their names.
        parameters: number of trainable parameters; none where the network is not at hand.
        notes: what is missing or broken, in sentences.
    """

    folder: Path
    rows: list[dict[str, float]]
    config: dict[str, Any]
    sessions: list[dict[str, Any]]
    result: Result | None
    classes: list[str]
    parameters: int | None
    notes: list[str]

    @property
    def name(self) -> str:
        """The run's name with its number."""
        folder = self.folder.resolve()
        return f"{folder.parent.name}/{folder.name}"

    @property
    def temperature(self) -> float:
        """Of the result's probabilities; 1 where none is known."""
        return float(self.result.figures.get("temperature", UNFITTED)) if self.result else UNFITTED

    @property
    def seconds(self) -> float:
        """What its epochs took."""
        return sum(row.get("seconds", 0.0) for row in self.rows)


def find(typed: str) -> Path:
    """The run folder that was meant: itself, or that of a checkpoint.

    Raises:
        UserError: if it is none.
    """
    folder = expanded(typed)
    if folder.is_file() and (of := checkpoints.run_folder(folder)):
        return of
    if (folder / SWEEP).is_file():
        page = printable(folder / SWEEP)
        raise UserError(f"report {printable(folder)}: it is a sweep, which has a page: {page}", exit_code=2)
    if not folder.is_dir() or not any(next(folder.glob(trace), None) for trace in TRACES):
        raise UserError(printable(no_run("report", folder)), exit_code=2)
    return folder


def read(folder: Path, wanted: str | None = None) -> Record:
    """Read a run folder.

    Args:
        folder: as `find` gives it.
        wanted: name of the result's file; the newest test by default, or else the newest validation.

    Raises:
        UserError: if the wanted result is not there or cannot be read.
    """
    notes: list[str] = []
    rows: list[dict[str, float]] = []
    config: dict[str, Any] = {}
    sessions: list[dict[str, Any]] = []
    with _noting(notes, HISTORY):
        rows = history(folder)
    with _noting(notes, "config.yaml"):
        path = newest_config(folder)
        if path is None:
            raise FileNotFoundError
        config = read_yaml(str(path))
    with _noting(notes, manifest.FILE):
        sessions = manifest.read(folder)
        if not sessions:
            raise FileNotFoundError
    result = _wanted(folder, wanted) if wanted else _newest(folder, notes)
    classes, parameters = _network(folder, result, notes)
    if result and not result.outputs:
        notes.append(f"{result.path.name} is of an older version, without the answers to each picture.")
    number = result.outputs.logits.shape[1] if result and result.outputs else len(classes)
    if len(classes) != number:
        classes = [f"class {place}" for place in range(number)]
    return Record(folder, rows, config, sessions, result, classes, parameters, notes)


@contextlib.contextmanager
def _noting(notes: list[str], name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        notes.append(f"There is no {name} in the run folder.")
    except (OSError, ValueError, TypeError) as error:
        notes.append(f"{name} cannot be read: {printable(error)}")


def _wanted(folder: Path, name: str) -> Result:
    there = [path for command in STAGES for path in results.results_in(folder, command)]
    for path in there:
        if expanded(name).name in (path.name, path.stem) and expanded(name).parent in (Path(), folder):
            return results.read(path)
    known = [path.name for path in there]
    hint = did_you_mean(name, known) if known else "Nothing has been measured there yet."
    raise UserError(f"--result {printable(name)}: there is no such result in {folder}. {hint}", exit_code=2)


def _newest(folder: Path, notes: list[str]) -> Result | None:
    """The newest test that can be read, or else the newest validation."""
    for command in STAGES:
        for path in reversed(results.results_in(folder, command)):
            try:
                return results.read(path)
            except UserError as error:
                notes.append(str(error))
    return None


def _network(folder: Path, result: Result | None, notes: list[str]) -> tuple[list[str], int | None]:
    """Names of the classes, and number of parameters, of the checkpoint that was measured or else of the best."""
    from plcnn.api import load

    path = folder / checkpoints.FOLDER / Path(str(result.figures["checkpoint"])).name if result else folder
    try:
        path = checkpoints.find(path if path.is_file() else folder)
    except UserError:
        notes.append("The run has no checkpoint.")
        return [], None
    try:
        classifier = load(path)
        return classifier.classes, sum(p.numel() for p in classifier.parameters() if p.requires_grad)
    except UserError as error:
        notes.append(f"The network is not at hand: {error}")
    with contextlib.suppress(UserError):
        content = checkpoints.read_safely(path)
        settings = content.get("hyper_parameters") if isinstance(content, Mapping) else None
        classes = settings.get("classes") if isinstance(settings, Mapping) else None
        if isinstance(classes, list | tuple):
            return [str(name) for name in classes], None
    return [], None
