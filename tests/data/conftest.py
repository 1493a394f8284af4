"""A web server on this machine that misbehaves as told, and batches as Python 2 wrote them."""

import http.server
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

Answer = Callable[["Handler"], None]


class Server(http.server.ThreadingHTTPServer):
    """Gives the first of `answers`, drops it while others follow, and so on; counts the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.requests: list[str] = []
        self.release = threading.Event()  # ends what `stall` holds
        self.url = f"http://127.0.0.1:{self.server_port}/file"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: object) -> None:
        pass

    def head(self, length: int, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class Answers:
    """What the server can do with a request."""

    @staticmethod
    def body(data: bytes) -> Answer:
        def answer(handler: Handler) -> None:
            handler.head(len(data))
            handler.wfile.write(data)

        return answer

    @staticmethod
    def status(code: int) -> Answer:
        return lambda handler: handler.head(0, code)

    @staticmethod
    def redirect(url: str) -> Answer:
        return lambda handler: handler.head(0, 302, Location=url)

    @staticmethod
    def cut(data: bytes) -> Answer:
        def answer(handler: Handler) -> None:
            handler.head(len(data))
            handler.wfile.write(data[: len(data) // 2])

        return answer

    @staticmethod
    def stall(data: bytes) -> Answer:
        """Send half, and the rest when the test says so."""

        def answer(handler: Handler) -> None:
            handler.head(len(data))
            handler.wfile.write(data[: len(data) // 2])
            handler.wfile.flush()
            handler.server.release.wait(30)
            handler.wfile.write(data[len(data) // 2 :])

        return answer

    @staticmethod
    def reset(handler: Handler) -> None:
        linger_then_reset = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_then_reset)
        handler.close_connection = True
        handler.connection.close()


@pytest.fixture
def answers() -> type[Answers]:
    return Answers


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server() as running:
        yield from _serve(running)


@pytest.fixture
def tls_server(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with Server() as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        running.url = running.url.replace("http:", "https:")
        yield from _serve(running)


def _serve(running: Server) -> Iterator[Server]:
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.release.set()
    running.shutdown()
    thread.join()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1; its key lies beside it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    path = tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path.with_suffix(".key")), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    return path


def _python2_batch(pixels: np.ndarray, labels: list[int]) -> bytes:
    """Write, opcode by opcode, what Python 2's cPickle made of the official batches (protocol 2, byte strings)."""

    def string(text: bytes) -> bytes:
        return b"U" + bytes([len(text)]) + text if len(text) < 256 else b"T" + struct.pack("<i", len(text)) + text

    def integer(number: int) -> bytes:
        return b"J" + struct.pack("<i", number)

    numbers = b"cnumpy\ndtype\n" + string(b"u1") + b"K\x00K\x01\x87R"
    numbers += b"(K\x03" + string(b"|") + b"NNN" + integer(-1) + integer(-1) + b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + string(b"b") + b"\x87R"
    array += b"(K\x01" + integer(pixels.shape[0]) + integer(pixels.shape[1]) + b"\x86" + numbers + b"\x89"
    array += string(pixels.tobytes()) + b"tb"
    numbers_list = b"](" + b"".join(map(integer, labels)) + b"e"
    return b"\x80\x02}(" + string(b"data") + array + string(b"labels") + numbers_list + b"u."


@pytest.fixture
def python2_batch() -> Callable[[np.ndarray, list[int]], bytes]:
    return _python2_batch
