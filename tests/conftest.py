"""Shared fixtures: the command line run in this process or in one of its own, in an empty working directory."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import Outcome

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests run in parallel
os.environ["JSONARGPARSE_DEPRECATION_WARNINGS"] = "off"  # Lightning 2.6 calls what jsonargparse 4.53 deprecates


@pytest.fixture(autouse=True)
def _working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLCNN_PLUGINS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield


@pytest.fixture
def plcnn(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run the command line in this process."""
    from plcnn.__main__ import main

    def run(*arguments: str) -> Outcome:
        capfd.readouterr()
        monkeypatch.setenv("PLCNN_PLUGINS", os.environ.get("PLCNN_PLUGINS", ""))
        try:
            main([str(a) for a in arguments])
            code = 0
        except SystemExit as ending:
            code = int(ending.code or 0)
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture
def registers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the architectures that a test registers."""
    from plcnn.architectures import architectures

    architectures.names()
    monkeypatch.setattr(architectures, "_choices", dict(architectures._choices))
    monkeypatch.setattr(architectures, "origins", dict(architectures.origins))


@pytest.fixture
def spawn() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start the command line in a process of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, module: str = "plcnn", **environment: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", *module.split(), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()
