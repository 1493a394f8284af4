"""Commands run inside a Python program or a notebook, which is left as it was."""

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.fabric.utilities.seed import _collect_rng_states, _set_rng_states

from plcnn.callbacks.interruption import SIGNALS
from plcnn.callbacks.manifest import OnStart
from plcnn.cli import CLI, run
from plcnn.data.carried import refuse_second_run
from plcnn.errors import UserError

LOGGERS = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.profilers")
SEEDS = "PL_"
"""What the names of environment variables begin with that Lightning sets for the processes of a run."""


def run_command(arguments: list[str], on_start: OnStart | None = None) -> CLI:
    """Run a command of `plcnn`; arguments as for `cli.run`.

    Raises:
        UserError: whatever ends the command before its end.
    """
    refuse_second_run()
    try:
        with _undisturbed():
            return run(arguments, on_start)
    except SystemExit as ending:
        raise UserError(f"{arguments[0]} ended with exit code {ending.code}") from ending


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put back what a command changes of the process: signals, random numbers, warnings, logging, the environment."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS} if _in_main_thread() else {}
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    variables = {name: value for name, value in os.environ.items() if name.startswith(SEEDS)}
    states = _collect_rng_states()
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)  # Lightning (2.6) leaves its own
        _set_rng_states(states)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for name in [name for name in os.environ if name.startswith(SEEDS)]:
            del os.environ[name]
        os.environ.update(variables)
