"""Processes that are started anew: the starter's script is run again only for what it defines, and works once."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plcnn.data.carried import Carried
from plcnn.errors import UserError

HELPER = """
import signal

def answer(carried, connection, number):
    held = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        connection.send((held, carried.opened()(number)))
    except Exception as error:
        connection.send((held, str(error)))
"""

SCRIPT = """
import multiprocessing
import helper
from plcnn.data.carried import refuse_second_run, start

def double(number):
    return 2 * number

def work():
    refuse_second_run()
    multiprocessing.set_start_method("{method}")
    for work in (abs, double):
        here, there = multiprocessing.Pipe()
        start(helper.answer, work, there, -3)
        print(here.recv(), flush=True)

print("run", flush=True)
{guard}work()
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("guard", ["", 'if __name__ == "__main__": '])
def test_a_script_is_run_again_only_for_what_it_defines(method: str, guard: str) -> None:
    Path("helper.py").write_text(HELPER)
    Path("script.py").write_text(SCRIPT.format(method=method, guard=guard))
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=True)
    *lines, last = done.stdout.splitlines()
    assert lines == ["run", "(True, 3)", "run"]
    assert last == "(True, -6)" if guard else "Put what it does, not what it defines, below `if __name__ ==" in last


def test_a_forked_process_gets_what_a_notebook_defines() -> None:
    Path("helper.py").write_text(HELPER)
    code = SCRIPT.format(method="fork", guard="")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["run", "(True, 3)", "(True, -6)"]


def test_what_is_not_to_be_found_is_asked_for_in_a_file() -> None:
    carried = pickle.loads(pickle.dumps(Carried(os.getcwd)))
    assert carried.opened() is os.getcwd
    carried.__setstate__((b"c__main__\ndefined_in_a_cell\n.", {}))
    with pytest.raises(UserError, match=r"lacks .*'defined_in_a_cell'.* Define it in a file, .* --plugins or import"):
        carried.opened()


def test_signals_are_heeded_again_once_a_process_has_started() -> None:
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
