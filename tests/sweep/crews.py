"""A crew that needs no keeper: its runs are forked from the tests' warm process."""

import shutil
from collections.abc import Callable
from pathlib import Path

from support import Forked

from plcnn.sweep.crew import Ended, Job


class WarmCrew:
    """Runs one job at a time, forked from the process that has everything imported."""

    at_once = 1

    def __init__(self, fork: Callable[..., Forked]) -> None:
        self.fork, self.job = fork, None
        self.started: list[Job] = []
        self.further: dict[str, list[str]] = {}  # options to add to a run's

    @property
    def has_room(self) -> bool:
        return self.job is None

    @property
    def is_idle(self) -> bool:
        return self.job is None

    def start(self, job: Job) -> None:
        self.started.append(job)
        self.job, self.process = job, self.fork(*job.arguments, *self.further.get(job.key, []))

    def end(self, key: str) -> None:
        raise AssertionError("nothing is ended here")

    def ended(self) -> list[Ended]:
        if self.job is None:
            return []
        outcome, job = self.process.wait(), self.job
        job.log.parent.mkdir(exist_ok=True)
        for name in ("out", "err"):
            with job.log.open("ab") as log, Path(name).open("rb") as printed:
                shutil.copyfileobj(printed, log)
        self.job = None
        return [Ended(job.key, outcome.code)]

    def close(self) -> None:
        pass
