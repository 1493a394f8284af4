"""The command `plcnn serve`: loads a run and serves it until it is stopped."""

import argparse
import math

from plcnn.arguments import load_plugins
from plcnn.command_parser import CommandParser
from plcnn.errors import UserError
from plcnn.serve.listening import listen
from plcnn.terminal import printable, say, warn

EPILOG = """examples:
  plcnn serve tb_logs/base/version_0
  plcnn serve tb_logs/base/version_0 --port 8080 --device cuda
  curl -F files=@cat.png 'http://127.0.0.1:8000/predict?top_k=3'
"""


def run(arguments: list[str]) -> None:
    """Run the command.

    Args:
        arguments: the command line, `serve` first.

    Raises:
        UserError: if an option is wrong, there is no such run, a package is missing, or the port cannot be had.
    """
    options = _parser().parse_args(arguments[1:])
    load_plugins(arguments[1:])
    try:
        import uvicorn

        from plcnn.serve.app import application
    except ImportError as error:
        if (error.name or "").startswith("plcnn"):
            raise
        raise UserError(f"serve needs {error.name}: pip install 'plcnn[serve]'") from error
    from plcnn.api import load
    from plcnn.data.reading.pictures import MODES
    from plcnn.serve.device import device

    listening = listen(options.host, options.port)
    with listening:
        classifier = load(options.run).to(device(options.device))
        if (channels := classifier.image_shape[0]) not in MODES:
            raise UserError(
                f"{printable(options.run)} takes {channels} channels, which no picture file has; plcnn predict reads"
                " arrays.",
                exit_code=2,
            )
        app = application(classifier, options.max_upload_mb, options.host)
        host, port = listening.getsockname()[:2]
        say(
            f"serving    {classifier.arch.short()}: {len(classifier.classes)} classes, on {classifier.device}\n"
            f"page       http://{_written(host)}:{port}  (the API at /docs; Ctrl-C stops)"
        )
        if not _is_local(host):
            warn(f"{host} can be reached from other machines, and nobody is asked who they are.")
        settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3)
        uvicorn.Server(settings).run([listening])


def _parser() -> CommandParser:
    parser = CommandParser("serve", "Serves a run: a page for pictures, and an HTTP API.", EPILOG)
    parser.add_argument("run", help="a run folder, of which the best checkpoint is taken, or a checkpoint file")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: this machine alone)")
    parser.add_argument("--port", type=_port, default=8000, help="the port (default 8000; 0 takes a free one)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    parser.add_argument("--max_upload_mb", type=_size, default=10.0, help="the most of one request (default 10)")
    parser.add_argument("--plugins", action="append", help="a Python file that the run's architecture needs")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, got {text!r}")
    return int(text)


def _size(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 < size < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return size


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_local(host: str) -> bool:
    return host == "::1" or host.startswith("127.")
