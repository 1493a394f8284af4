"""Peak memory of a whole `plcnn fit`: resident, and the GPU's.

    python benchmarks/memory.py
    python benchmarks/memory.py --config configs/base.yaml --root data --batches 20
    python benchmarks/memory.py --root data --model.arch resnet18 --data.batch_size 512

The resident peak is the process's (of the largest, where there are several), as the kernel counts it; beside it stands
the peak of a Python that imports torch and Lightning and ends. One epoch, whole unless `--batches` limits it. What is
not an option here is handed on to `plcnn fit`.
"""

import statistics
import sys
from collections.abc import Callable
from functools import partial

from common import BASE, SHAPES, Finished, Report, add_root, data_flags, fit, parser, run, turn_by_turn

MEASURED = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"resident": peak}))
sys.exit(code)
"""
"""A small process between this one and the measured one: a child's peak begins at the size of its parent."""

WRAPPER = [sys.executable, "-S", "-c", MEASURED]


def mib(finished: Finished, key: str) -> float | None:
    size = finished.read(key)
    return size / 2**20 if size is not None else None


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    add_root(options)
    options.add_argument("--config", default=str(BASE))
    options.add_argument("--pictures", type=int, default=SHAPES, help="of the embedded shapes")
    options.add_argument("--batches", type=int, help="training and validation batches (default: all)")
    given, others = options.parse_known_args(arguments)
    report = Report(given, plcnn_fit=others)
    flags = ["--config", given.config, *data_flags(given.root, given.pictures)]
    flags += ["--trainer.accelerator", given.accelerator, "--trainer.max_epochs", "1"]
    for kind in ("train", "val") if given.batches else ():
        flags += [f"--trainer.limit_{kind}_batches", str(given.batches)]
    flags += ["--trainer.callbacks+", "probes.CudaPeak", *others]
    imports = [*WRAPPER, sys.executable, "-c", "import torch, lightning.pytorch"]
    sides: dict[str, Callable[[], Finished]] = {
        "import torch, lightning": partial(run, imports),
        "plcnn fit": lambda: fit(*flags, wrapper=WRAPPER).finished,
    }
    for name, turns in turn_by_turn(sides, given.repeats).items():
        resident = [float(mib(turn, "resident") or 0) for turn in turns]
        on_gpu = turns[-1] if name == "plcnn fit" else None
        report.add(
            **{
                "command": name,
                "resident MiB": statistics.median(resident),
                "largest": max(resident),
                "CUDA allocated MiB": mib(on_gpu, "allocated") if on_gpu else None,
                "CUDA reserved MiB": mib(on_gpu, "reserved") if on_gpu else None,
            }
        )


if __name__ == "__main__":
    main()
