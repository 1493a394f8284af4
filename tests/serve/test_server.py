"""The command `plcnn serve` as a process of its own: its page in a browser, its end, and its mistakes."""

import io
import json
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from support import Outcome

from plcnn.serve.listening import listen

Command = Callable[..., Outcome]
Server = tuple["subprocess.Popen[str]", str]
Spawn = Callable[..., "subprocess.Popen[str]"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def server(spawn: Spawn, served_run: Path) -> Iterator[Server]:
    """A running server and its address."""
    process = spawn("serve", str(served_run), "--port", "0")
    assert process.stdout and process.stderr
    lines = [process.stdout.readline(), process.stdout.readline()]
    found = re.search(r"http://127\.0\.0\.1:\d+", lines[1])
    assert found, (lines, process.stderr.read())
    assert lines[0].startswith("serving    keras_cnn(widths=(4,), dropouts=(0.0,)): 10 classes, on cpu")
    yield process, found[0]


def test_it_serves_until_it_is_interrupted(server: Server) -> None:
    process, address = server
    with urllib.request.urlopen(f"{address}/health", timeout=20) as answer:
        assert json.load(answer)["status"] == "ok"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (130, "error: interrupted"), out


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(server: Server) -> None:
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 99999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(server[1].rpartition(":")[2])), timeout=20) as opened:
        opened.sendall(head.encode())
        assert opened.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_names_what_is_dropped(server: Server) -> None:
    from playwright.sync_api import sync_playwright

    _, address = server
    Image.new("RGB", (40, 30), "teal").save("teal.png")
    Path("<b>no picture.png").write_text("no picture")
    asked: list[str] = []
    faults: list[str] = []
    with sync_playwright() as opened:
        browser = opened.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        page.wait_for_selector("text=keras_cnn knows 10 classes")
        page.set_input_files("#files", ["teal.png", "<b>no picture.png"])
        page.wait_for_selector("article dl")
        page.wait_for_selector("article .fault")
        names = page.eval_on_selector_all("article dt", "cells => cells.map((cell) => cell.textContent)")
        shares = page.eval_on_selector_all("article progress", "bars => bars.map((bar) => bar.value)")
        assert len(names) == 5 and shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1.0001
        assert page.text_content("article h2") == names[0]
        assert "<b>no picture.png (no picture)" in (page.text_content("article .fault") or "")
        page.fill("#threshold", "100")
        assert page.text_content("article h2") == "unsure"
        page.check("#saliency")
        page.wait_for_selector("article .heat")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.evaluate(
            """(bytes) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], 'dropped.png', { type: 'image/png' }));
                document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
            }""",
            list(Path("teal.png").read_bytes()),
        )
        page.wait_for_selector("article:nth-of-type(3) dl")
        page.click("#clear")
        assert page.query_selector("article") is None
        page.goto(f"{address}/docs")
        page.wait_for_selector("text=Name the classes of pictures")
        browser.close()
    assert not faults
    assert all(url.startswith((address, "blob:", "data:")) for url in asked), asked


def test_connections_send_what_they_have_at_once() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_one_line(server: Server, plcnn: Command, served_run: Path) -> None:
    port = server[1].rpartition(":")[2]
    outcome = plcnn("serve", served_run, "--port", port)
    assert outcome.code == 1
    words = f"--host 127.0.0.1 --port {port}: Address already in use. --port 0 takes a port that is free."
    assert outcome.err.strip() == f"error: {words}"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "serve: the following arguments are required: run"),
        (["RUN", "--prot", "1"], 2, "there is no option --prot. Did you mean --port or --host?"),
        (["RUN", "--port", "70000"], 2, "expected a number from 0 to 65535, got '70000'"),
        (["RUN", "--max_upload_mb", "0"], 2, "expected a number above 0, got '0'"),
        (["RUN", "--device", "gpu", "--port", "0"], 2, "--device gpu: there is none here."),
        (["RUN", "--host", "300.1.1.1", "--port", "0"], 1, "--host 300.1.1.1 --port 0: "),
        (["runs/version_1", "--port", "0"], 2, "runs/version_1: there is no such file or run folder."),
    ],
)
def test_mistakes_are_told_in_words(
    plcnn: Command, served_run: Path, arguments: list[str], code: int, words: str
) -> None:
    outcome = plcnn("serve", *(str(served_run) if argument == "RUN" else argument for argument in arguments))
    assert outcome.code == code and words in outcome.err, outcome
    assert len(outcome.err.splitlines()) <= 2


def test_listening_to_others_is_warned_of(spawn: Spawn, served_run: Path) -> None:
    process = spawn("serve", str(served_run), "--port", "0", "--host", "0.0.0.0")
    assert process.stderr and process.stdout
    assert process.stderr.readline().startswith("warning: 0.0.0.0 can be reached from other machines")
    port = process.stdout.readline() and process.stdout.readline().split("  (")[0].rpartition(":")[2]
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict", buffer.getvalue(), {"Content-Type": "image/png"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert len(json.load(answer)["predictions"]) == 1
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode in (143, -signal.SIGTERM)
