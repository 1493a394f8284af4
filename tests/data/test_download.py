"""Downloads from a server that misbehaves: what is tried again, what is not, and what is left on the disk."""

import hashlib
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from plcnn.data.published.checksums import Checksum
from plcnn.data.published.download import download
from plcnn.errors import UserError

DATA = bytes(range(256)) * 2048  # 512 KiB
SHA256 = hashlib.sha256(DATA).hexdigest()
PROCESS = """
import logging, sys
from pathlib import Path
from plcnn.data.published.checksums import Checksum
from plcnn.data.published.download import download
logging.basicConfig(level=logging.INFO, format="%(message)s")
download(sys.argv[1], Path(sys.argv[2]), size=int(sys.argv[3]), checksum=Checksum("SHA-256", sys.argv[4]))
"""


def fetch(url: str | list[str], path: Path, **changes: Any) -> None:
    settings = {"attempts": 3, "first_wait_seconds": 0.01, "timeout_seconds": 5.0}
    download(url, path, **{"size": len(DATA), "checksum": Checksum("SHA-256", SHA256), **settings, **changes})


def start(url: str, path: Path) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", PROCESS, url, str(path), str(len(DATA)), SHA256]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".data.bin.lock"}


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "data.bin"


def test_a_file_is_fetched_once_and_readable_by_others(server, answers, path, capfd):
    server.answers = [answers.body(DATA)]
    fetch(server.url, path)
    fetch(server.url, path)
    assert path.read_bytes() == DATA
    assert len(server.requests) == 1
    assert left(path.parent) == {"data.bin"}
    umask_applied = path.parent / "plain"
    umask_applied.touch()
    assert path.stat().st_mode == umask_applied.stat().st_mode
    assert stat.S_IMODE((path.parent / ".data.bin.lock").stat().st_mode) == 0o666
    assert capfd.readouterr().err == ""  # no progress bar where there is no terminal


@pytest.mark.parametrize("fault", ["503", "429", "cut", "lie", "reset", "stall", "too much"])
def test_a_fault_that_passes_is_tried_again(server, answers, path, fault, caplog):
    faults = {
        "503": answers.status(503),
        "429": answers.status(429),
        "cut": answers.cut(DATA),
        "lie": answers.body(bytes(len(DATA))),
        "reset": answers.reset,
        "stall": answers.stall(DATA),
        "too much": answers.body(DATA + b"!"),
    }
    server.answers = [faults[fault], faults[fault], answers.body(DATA)]
    fetch(server.url, path, timeout_seconds=0.2)
    assert path.read_bytes() == DATA
    assert len(server.requests) == 3
    waits = [record.getMessage().split("again in ")[1] for record in caplog.records]
    assert waits == ["0.01 s", "0.02 s"]


@pytest.mark.parametrize(
    ("fault", "reason", "requests"),
    [
        ("503", "HTTP 503 Service Unavailable (attempt 3 of 3)", 3),
        ("cut", f"the server sent {len(DATA) // 2} of {len(DATA)} bytes", 3),
        ("lie", "the server sent another file, with SHA-256 " + hashlib.sha256(bytes(len(DATA))).hexdigest(), 3),
        ("reset", "Connection reset by peer", 3),
        ("stall", "nothing came for 0.2 s", 3),
        ("404", "HTTP 404 Not Found (attempt 1 of 3)", 1),
        ("403", "HTTP 403 Forbidden (attempt 1 of 3)", 1),
        ("ftp", "unknown url type: ftp", 3),
    ],
)
def test_a_fault_that_stays_is_one_error_with_the_way_out(server, answers, path, fault, reason, requests):
    faults = {
        "503": answers.status(503),
        "404": answers.status(404),
        "403": answers.status(403),
        "cut": answers.cut(DATA),
        "lie": answers.body(bytes(len(DATA))),
        "reset": answers.reset,
        "stall": answers.stall(DATA),
        "ftp": answers.redirect("ftp://127.0.0.1/file"),
    }
    server.answers = [faults[fault]]
    with pytest.raises(UserError) as caught:
        fetch(server.url, path, timeout_seconds=0.2)
    message = str(caught.value)
    for part in (server.url, reason, str(path), f"{len(DATA)} bytes", SHA256):
        assert part in message
    assert len(message.splitlines()) == 2
    assert len(server.requests) == requests
    assert left(path.parent) == set()


def test_nobody_listens(path):
    with pytest.raises(UserError, match="Connection refused"):
        fetch("http://127.0.0.1:9/file", path)


def test_no_more_than_the_size_is_taken(server, answers, path):
    server.answers = [answers.stall(DATA)]
    with pytest.raises(UserError, match="more than the expected 1000 bytes"):
        fetch(server.url, path, size=1000, attempts=1)  # else it would wait for the second half


def test_the_next_address_is_tried_when_one_fails(server, answers, path, caplog):
    server.answers = [answers.status(404), answers.status(503), answers.body(DATA)]
    fetch([f"{server.url}/first", f"{server.url}/second"], path)
    assert path.read_bytes() == DATA
    assert server.requests == ["/file/first", "/file/second", "/file/second"]
    assert "HTTP 404 Not Found (attempt 1 of 3); the next address is tried" in caplog.messages[0]


def test_a_file_may_be_told_by_its_md5(server, answers, path):
    server.answers = [answers.body(DATA)]
    fetch(server.url, path, checksum=Checksum("MD5", hashlib.md5(DATA).hexdigest()))
    path.unlink()
    with pytest.raises(UserError, match=r"another file, with MD5 [0-9a-f]{32} .*\n.* MD5 0{32}\)"):
        fetch(server.url, path, checksum=Checksum("MD5", "0" * 32), attempts=1)


def test_redirects_are_followed(server, answers, path):
    server.answers = [answers.redirect("/elsewhere"), answers.body(DATA)]
    fetch(server.url, path)
    assert path.read_bytes() == DATA
    assert server.requests == ["/file", "/elsewhere"]


def test_the_environment_names_the_proxy(server, answers, path, monkeypatch):
    server.answers = [answers.body(DATA)]
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/file"))
    fetch("http://pictures.invalid/file", path)
    assert server.requests == ["http://pictures.invalid/file"]


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/file", "data:,x", "/etc/hostname"])
def test_only_http_addresses(url, path):
    with pytest.raises(ValueError, match="only http and https"):
        fetch(url, path)


def test_a_certificate_that_nobody_signed(tls_server, answers, path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    tls_server.answers = [answers.body(DATA)]
    with pytest.raises(UserError, match="certificate could not be verified: self.signed certificate") as caught:
        fetch(tls_server.url, path)
    for part in ("SSL_CERT_FILE", "HTTPS_PROXY", "attempt 1 of 3", f"put the file at {path}", SHA256):
        assert part in str(caught.value)
    assert tls_server.requests == []


def test_the_environment_names_the_certificates(tls_server, answers, path, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_server.answers = [answers.body(DATA)]
    fetch(tls_server.url, path)
    assert path.read_bytes() == DATA


def test_no_room_for_the_file(server, answers, path):
    server.answers = [answers.body(DATA)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(DATA) // 2, limits[1]))
    try:
        with pytest.raises(UserError, match="File too large") as caught:
            fetch(server.url, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(path) in str(caught.value)
    assert len(server.requests) == 1  # the disk is not the server's fault
    assert left(path.parent) == set()


def test_a_folder_that_cannot_be_made(tmp_path, server):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="File exists"):
        fetch(server.url, tmp_path / "file" / "data.bin")
    assert server.requests == []


def test_killed_in_the_middle(server, answers, path):
    server.answers = [answers.stall(DATA), answers.body(DATA)]
    with start(server.url, path) as process:
        wait_for(lambda: any(part.stat().st_size for part in path.parent.glob("*.part")))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not path.exists()
    assert len(left(path.parent)) == 1
    fetch(server.url, path)
    assert path.read_bytes() == DATA
    assert left(path.parent) == {"data.bin"}


def test_two_processes_at_once(server, answers, path):
    server.answers = [answers.stall(DATA)]
    with start(server.url, path) as first:
        wait_for(lambda: server.requests)
        with start(server.url, path) as second:
            assert second.stderr is not None
            assert "waiting for another process" in second.stderr.readline()
            server.release.set()
            second.communicate()
        first.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert path.read_bytes() == DATA
    assert len(server.requests) == 1
