"""Training on 1, 2, ... devices: pictures a second, and the efficiency against one.

    python benchmarks/scaling.py --accelerator gpu --root data --trainer.precision bf16-mixed
    python benchmarks/scaling.py --accelerator cpu --devices 1 2

Whole `plcnn fit` commands, turn by turn; the second epoch's rate from `history.csv`, the first one warms up. Every
device gets batches of `--batch_size`, so the work grows with the devices; efficiency is the rate over devices × the
rate of the first row a device. Processes on one CPU share its cores (set OMP_NUM_THREADS), so there it says what
sharing costs. What is not an option here is handed on to `plcnn fit`.
"""

import statistics
from functools import partial

from common import BASE, SHAPES, Report, add_root, data_flags, fail, fit, median_ratio, parser, turn_by_turn


def rate(*flags: str) -> float:
    return fit(*flags).history[-1]["pictures/s"]


def counts(accelerator: str) -> list[int]:
    """Powers of two up to the devices that there are, and all of them; two processes on a CPU."""
    import torch
    from device import choose

    most = torch.cuda.device_count() if choose(accelerator).type == "cuda" else 2
    return sorted({*(2**i for i in range(most.bit_length())), most})


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    add_root(options)
    options.add_argument("--devices", type=int, nargs="+", help="numbers of devices (default: 1, 2, 4 ... all)")
    options.add_argument("--batch_size", type=int, default=64, help="on each device")
    options.add_argument("--pictures", type=int, default=SHAPES, help="of the embedded shapes")
    given, others = options.parse_known_args(arguments)
    given.devices = given.devices or counts(given.accelerator)
    if min(given.devices) < 1:
        fail(f"--devices must be at least 1, got {min(given.devices)}.")
    report = Report(given, plcnn_fit=others)
    flags = ["--config", str(BASE), *data_flags(given.root, given.pictures), "--data.batch_size", str(given.batch_size)]
    flags += ["--trainer.accelerator", given.accelerator, "--trainer.max_epochs", "2", *others]
    sides = {devices: partial(rate, *flags, "--trainer.devices", str(devices)) for devices in given.devices}
    turns = turn_by_turn({str(devices): side for devices, side in sides.items()}, given.repeats)
    one = [r / given.devices[0] for r in turns[str(given.devices[0])]]
    for devices, rates in turns.items():
        report.add(
            **{
                "devices": devices,
                "pictures/s": statistics.median(rates),
                "slowest": min(rates),
                "fastest": max(rates),
                "efficiency": median_ratio(rates, one) / int(devices),
            }
        )


if __name__ == "__main__":
    main()
