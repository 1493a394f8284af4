"""The processes of one run: those that Lightning starts end before their starter; those of torchrun meet anew."""

import atexit
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from plcnn.errors import UserError

SECONDS_TO_END = 10
"""How long a failed run waits for its processes to end by themselves and to say why."""


def meet_anew() -> None:
    """Have processes that torchrun has started again meet at a port of their own.

    torchrun (2.14) keeps its store from one start to the next, and with it the addresses of the processes that have
    died: a new one that reads them before they are written anew waits for the dead.
    """
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    if attempt == "0" or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return
    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    key = f"plcnn/port/{attempt}"
    if os.environ["RANK"] == "0":
        with socket.socket() as free:
            free.bind(("", 0))
            store.set(key, str(free.getsockname()[1]))
    os.environ["MASTER_PORT"] = store.get(key).decode()
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"


def refuse_what_is_no_file(trainer: Trainer) -> None:
    """Refuse several devices where the program, which each of their processes runs again, is in no file.

    Raises:
        UserError: saying what to do instead.
    """
    if isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher) and sys.argv[0] in ("-c", "-"):
        raise UserError(
            "each device's process would run this program again, which is in no file: save it as a script, or use the"
            " strategy ddp_spawn."
        )


def await_all(trainer: Any) -> None:
    """Wait, after a command that went well here, until it has ended in the processes that this one started.

    Raises:
        UserError: if one failed.
    """
    for rank, process in enumerate(_started_by(trainer), 1):
        if code := process.wait():
            raise UserError(f"The process of device {rank} failed: exit code {code}.")


def is_of_another(error: BaseException) -> bool:
    """Whether an error only says that another process is no more, in gloo's words."""
    return isinstance(error, RuntimeError) and "by peer" in str(error)


def fate_of_others(trainer: Any) -> str:
    """What became of the processes that this one started, where one was killed; empty where that is not known."""
    for rank, process in enumerate(_started_by(trainer), 1):
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(1)
            if code < 0:
                return f"the process of device {rank} was killed by {signal.Signals(-code).name}"
    return ""


def end_all(trainer: Any) -> None:
    """Have the processes that this one started end before it does, a failed run's.

    Lightning (2.6) would kill this process as soon as one of them ends with an error, before it has told its own or
    saved a checkpoint; and would leave alone those that wait for ever.
    """
    started = _started_by(trainer)
    processes = list(started)
    started.clear()  # the list that Lightning watches
    if processes:
        atexit.register(_end, processes)


def _end(processes: list["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started_by(trainer: Any) -> list["subprocess.Popen[bytes]"]:
    """The processes that Lightning started as commands; those that it spawned, it joins itself."""
    found: list[subprocess.Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
    return found if all(isinstance(process, subprocess.Popen) for process in found) else []


def has_whole_weights(trainer: Trainer) -> bool:
    """Whether each process holds all weights, so that one can look at them alone."""
    return isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy)
