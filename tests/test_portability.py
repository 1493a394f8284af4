"""What other systems have differently: encodings, closed streams, no /proc, no fcntl, folders that cannot be opened."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import TINY, Outcome

from plcnn import files
from plcnn.report.files import write
from plcnn.terminal import say
from plcnn.tune import batch_size

Command = Callable[..., Outcome]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_an_encoding_that_lacks_a_character_gets_an_escape() -> None:
    command = [sys.executable, "-m", "plcnn", "archs"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **ASCII}, check=True)
    assert b"3 \\xd7 32 \\xd7 32" in done.stdout + done.stderr


def test_python_prints_to_such_a_stream_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("out").open("w", encoding="ascii") as out:
        monkeypatch.setattr(sys, "stdout", out)
        say("8 × 8")
    assert Path("out").read_text() == "8 \\xd7 8\n"


def test_commands_run_with_their_standard_streams_closed() -> None:
    command = f"{sys.executable} -m plcnn datasets shapes"
    done = subprocess.run(
        ["sh", "-c", f"{command} <&- >&- && {command} <&- >&- 2>&-"], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_name_that_is_no_text_goes_into_a_page() -> None:
    write(Path("report"), {"page.html": f"<p>{os.fsdecode(b'a' + bytes([233]) + b'.png')}</p>"})
    assert Path("report/page.html").read_bytes() == b"<p>a\\udce9.png</p>"


def test_a_folder_that_cannot_be_opened_is_not_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def on_windows(path: str, flags: int, *rest: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        assert flags & os.O_RDWR  # else fsync is refused there
        return opened(path, flags, *rest)

    monkeypatch.setattr(files.os, "open", on_windows)
    monkeypatch.setattr(files, "ON_WINDOWS", True)
    with files.written_aside(Path("a.txt")) as aside:
        aside.write_text("whole")
    assert Path("a.txt").read_text() == "whole"


def test_memory_is_measured_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def missing(path: Path, *_: object) -> str:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    cpu = torch.device("cpu")
    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(Path, "write_text", missing)
    batch_size._forget_peak(cpu)
    assert batch_size._peak(cpu) > 2**26
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    assert batch_size._peak(cpu) == 0


def test_sweep_says_where_it_runs(plcnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setattr("plcnn.sweep.command.ON_WINDOWS", True)
    outcome = plcnn("sweep", "seeds", "0-1", *TINY)
    assert outcome.code == 1 and "plcnn sweep runs on Linux and macOS" in outcome.err
