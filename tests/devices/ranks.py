"""The ranks of one run as processes forked from a warm one: what torchrun would start, without its seconds."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rank_callbacks import PLACE
from support import Forked, Outcome

Fork = Callable[..., Forked]


def port() -> str:
    """A port that is free."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return str(opened.getsockname()[1])


def with_callbacks(folder: Path) -> dict[str, str]:
    """The environment in which ranks find the callbacks, which report to the folder."""
    path = os.pathsep.join([str(Path(__file__).parent), str(folder.absolute()), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path.rstrip(os.pathsep), PLACE: str(folder.absolute())}


def start(fork: Fork, world: int, *arguments: object, folder: Path, **environment: str) -> list[Forked]:
    """Start a command on so many ranks; each writes `out` and `err` in a folder of its own, runs go to `folder`."""
    folder.mkdir(exist_ok=True)
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port(), **with_callbacks(folder)}
    processes = []
    for rank in range(world):
        own = folder / f"rank_{rank}"
        own.mkdir(exist_ok=True)
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "GROUP_RANK": 0}
        launched = {"TORCHELASTIC_RUN_ID": "tests", **meeting, **{key: str(value) for key, value in place.items()}}
        devices = ["--trainer.accelerator", "cpu", "--trainer.devices", world]
        root = ["--trainer.default_root_dir", folder.absolute()]
        processes.append(fork(*arguments, *devices, *root, folder=own, **{**launched, **environment}))
    return processes


def ends(processes: Iterable[Forked], seconds: float = 60) -> list[Outcome]:
    """Wait until all have ended; those that have not by then are killed, which shows in their code."""
    end = time.monotonic() + seconds
    processes = list(processes)
    while any(map(runs, processes)) and time.monotonic() < end:
        time.sleep(0.05)
    for process in processes:
        if runs(process):
            process.kill()
    return [process.wait() for process in processes]


def runs(process: Forked) -> bool:
    """Whether a process has not ended yet."""
    return Path(f"/proc/{process.number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def all_well(processes: Iterable[Forked]) -> list[Outcome]:
    """Wait for the end of ranks that are to end well."""
    outcomes = ends(processes)
    assert [outcome.code for outcome in outcomes] == [0] * len(outcomes), "\n".join(o.err for o in outcomes)
    return outcomes


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is the case."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never was the case"
        time.sleep(0.02)


def reports(folder: Path, world: int) -> list[dict[str, Any]]:
    """What `Report` wrote, by rank."""
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(world)]
