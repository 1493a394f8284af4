"""What the benchmarks share: options, the machine, tables with their JSON, timing turn by turn, child processes."""

import argparse
import contextlib
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, TypeVar

HERE = Path(__file__).parent
BASE = HERE.parent / "configs" / "base.yaml"
SHAPES = 6400
"""Training pictures of the embedded data set where no folder with CIFAR-10 is given; 640 of them are held out."""

K = TypeVar("K")
T = TypeVar("T")


def parser(doc: str | None, *, repeats: int | None = 3) -> argparse.ArgumentParser:
    """A command's options, begun with those that all have; its help is the module's docstring."""
    options = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    options.add_argument("--accelerator", default="auto", help="auto, cpu or gpu (default: auto)")
    options.add_argument("--json", type=Path, help="file to write settings, machine and rows to")
    if repeats:
        options.add_argument(
            "--repeats",
            type=int,
            default=repeats,
            help=f"turns; quote medians of 3 or more (default: {repeats})",
        )
    return options


def add_root(options: argparse.ArgumentParser, otherwise: str | None = "; the embedded shapes if left out") -> None:
    """Add the option that names the folder with CIFAR-10; it is required where there is nothing otherwise."""
    text = f"folder that holds cifar-10-batches-py{otherwise or ''}"
    options.add_argument("--root", required=otherwise is None, help=text)


def machine() -> dict[str, Any]:
    """The machine and the versions that a number was measured with."""
    import torch

    names = (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name"))
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": next(names, platform.processor() or platform.machine()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "lightning", "plcnn")},
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


class Report:
    """Prints rows as they are measured, and keeps them in the file that `--json` names.

    Args:
        options: the command's, recorded as its settings.
        settings: what else belongs to them.
    """

    def __init__(self, options: argparse.Namespace, **settings: Any) -> None:
        self.path: Path | None = options.json
        self.settings = {k: v for k, v in vars(options).items() if k != "json"} | settings
        self.machine, self.rows = machine(), list[dict[str, Any]]()
        print(", ".join(f"{k} {_text(v)}" for k, v in self.machine.items() if v != []), flush=True)

    def add(self, **row: Any) -> None:
        """Print a row, below the names of its columns where they changed; its first cell is its label."""
        if not self.rows or list(self.rows[-1]) != list(row):
            print(_line(row, row))
        print(_line(row, map(_text, row.values())), flush=True)
        self.rows.append(row)
        if self.path:
            content = {"command": sys.argv, "settings": self.settings, "machine": self.machine, "rows": self.rows}
            self.path.write_text(json.dumps(content, indent=2, default=str) + "\n")


def _line(columns: Iterable[str], cells: Iterable[str]) -> str:
    first, *others = (cell.rjust(max(len(column), 9)) for column, cell in zip(columns, cells, strict=True))
    return "  ".join([first.strip().ljust(30), *others])


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, list):
        return " + ".join(map(str, value))
    return "-" if value is None else f"{value:,}" if type(value) is int else str(value)


def turn_by_turn(sides: Mapping[K, Callable[[], T]], repeats: int) -> dict[K, list[T]]:
    """Run the sides of a comparison A B A B A B, so that a machine that slows down slows all of them down.

    Returns:
        Each side's results, one a turn.
    """
    if repeats < 1:
        fail(f"--repeats must be at least 1, got {repeats}.")
    results: dict[K, list[T]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            results[name].append(side())
    return results


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """The median of the turns' ratios."""
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


@dataclass
class Finished:
    """A child process that went well.

    Attributes:
        seconds: from its start to its end.
        lines: what it printed to standard output, each line with the seconds after its start.
    """

    seconds: float
    lines: list[tuple[float, str]]

    def when(self, beginning: str) -> float:
        """Seconds from the start to the first line that begins so."""
        return next(seconds for seconds, line in self.lines if line.startswith(beginning))

    def read(self, key: str) -> Any:
        """The value of a key in the last line that is a JSON object with this key."""
        objects = (json.loads(line) for _, line in reversed(self.lines) if line.startswith("{"))
        return next(content[key] for content in objects if key in content)


def run(command: Sequence[str], *, echo: bool = False) -> Finished:
    """Run a child process to its end; if it fails, show what it said and fail, too."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "JSONARGPARSE_DEPRECATION_WARNINGS": "off"}
    paths = (str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH"))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    lines: list[tuple[float, str]] = []
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    lines.append((time.perf_counter() - started, line.rstrip("\n")))
                    if echo:
                        print(f"    {lines[-1][1]}", flush=True)
                code = process.wait()
            except BaseException:
                process.kill()
                raise
        seconds = time.perf_counter() - started
        if code:
            errors.seek(0)
            said = "\n".join([*(line for _, line in lines), errors.read().rstrip()])
            fail(f"exit code {code} of: {' '.join(command)}\n{said[-4000:]}")
    return Finished(seconds, lines)


def fail(message: str) -> NoReturn:
    """End the command with a message and exit code 1."""
    raise SystemExit(f"error: {message}")


@dataclass
class Fit:
    """A `plcnn fit` that went well.

    Attributes:
        finished: the process.
        history: the rows of its history.csv, one an epoch.
        test: the content of its test.json, where it has one.
    """

    finished: Finished
    history: list[dict[str, float]]
    test: dict[str, Any] | None


def fit(*arguments: str, echo: bool = False, wrapper: Sequence[str] = ()) -> Fit:
    """Run `plcnn fit` in a process and a run folder of its own; the folder is deleted once it is read."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*wrapper, *plcnn("fit"), *arguments, "--trainer.default_root_dir", folder]
        finished = run(command, echo=echo)
        history: list[dict[str, float]] = []
        for path in Path(folder).glob("*/version_*/history.csv"):
            with path.open(newline="") as file:
                history = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
        tests = [json.loads(path.read_text()) for path in Path(folder).glob("*/version_*/test.json")]
    return Fit(finished, history, tests[0] if tests else None)


def plcnn(*arguments: str) -> list[str]:
    """The command line of a `plcnn` command."""
    return [sys.executable, "-m", "plcnn", *arguments]


def data_flags(root: str | None, pictures: int = SHAPES) -> list[str]:
    """The flags of `plcnn` for CIFAR-10 in a folder, or for the embedded shapes where there is none."""
    if root:
        return ["--data.source", "cifar10", "--data.root", root, "--data.verify", "false"]
    return ["--data.source", "shapes", "--data.source.train_size", str(pictures)]


def image_data(root: str | None, pictures: int = SHAPES, **settings: Any) -> Any:
    """The data module that `data_flags` asks for, its training and validation pictures read."""
    from plcnn.data.module import ImageData

    if root:
        data = ImageData(root=root, verify=False, **settings)
    else:
        source: Any = {"class_path": "shapes", "init_args": {"train_size": pictures}}
        data = ImageData(source=source, **settings)
    data.prepare_data()
    data.setup("fit")
    return data


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's hints and warnings; the table is the output."""
    import logging
    import warnings

    import lightning.pytorch  # noqa: F401  it sets its logger's level

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
