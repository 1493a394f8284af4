"""Shared fixtures: the command line run in this process or in one of its own, in an empty working directory."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import Forked, Outcome, asked

pytest.register_assert_rewrite("runs")

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


@pytest.fixture(scope="session")
def _warm() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("warm.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as server:
        assert server.stdout.readline() == "ready\n"  # type: ignore[union-attr]
        yield server
        server.stdin.close()  # type: ignore[union-attr]


@pytest.fixture
def fork(_warm: "subprocess.Popen[str]") -> Callable[..., Forked]:
    """Start a command line in a process of its own, in the working directory or another, within milliseconds."""

    def start(*arguments: object, folder: Path | None = None, **environment: str) -> Forked:
        folder = (folder or Path()).absolute()
        order = {"start": [str(a) for a in arguments], "folder": str(folder), "environment": environment}
        return Forked(_warm, int(asked(_warm, order)), folder)

    return start


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
