"""A process that has everything imported, and forks one for each command line: a start takes no seconds.

Reads lines of JSON: {"start": [argument, ...], "folder": ..., "environment": {...}} is answered by the new process's
number, {"wait": number} by its exit code, negative for a signal. The process writes to `out` and `err` in its folder.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    from lightning.fabric.utilities.rank_zero import _get_rank, rank_zero_only

    import plcnn.cli
    from plcnn.__main__ import main as plcnn

    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
            continue
        folder = Path(order["folder"])
        handles = [os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666) for name in ("out", "err")]
        number = os.fork()
        if number:
            print(number, flush=True)
            for handle in handles:
                os.close(handle)
            continue
        os.chdir(folder)
        os.environ.update(order["environment"])
        rank_zero_only.rank = _get_rank() or 0
        sys.path[:0] = filter(None, order["environment"].get("PYTHONPATH", "").split(os.pathsep))
        for handle, standard in zip(handles, (1, 2), strict=True):
            os.dup2(handle, standard)
        try:
            plcnn(order["start"])
            code = 0
        except SystemExit as ending:
            code = int(ending.code or 0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
