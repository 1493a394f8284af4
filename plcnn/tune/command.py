"""The command `plcnn tune`: a learning rate or a batch size for what `fit` would train, with a picture of why."""

import argparse
import math
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plcnn.behind_fit import part
from plcnn.command_parser import CommandParser, whole_number
from plcnn.errors import UserError, wrong_value
from plcnn.files import reason, written_aside
from plcnn.paths import expanded
from plcnn.run import short, unused
from plcnn.terminal import printable, say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from plcnn.tune.trial import Trial

EPILOG = """All options of `plcnn fit` say what is to be trained; `plcnn fit --help` lists them.

examples:
  plcnn tune lr --config configs/base.yaml
  plcnn tune lr --config configs/resnet18.yaml --low 1e-4 --high 10
  plcnn tune batch_size --config configs/base.yaml --largest 1024

A picture and a JSON file are written; no run is made, and the test pictures are not read.
"""


def run(arguments: list[str]) -> None:
    """Run the command.

    Args:
        arguments: the command line, `tune` first.

    Raises:
        UserError: if an option is wrong (exit code 2), or nothing can be suggested (1).
    """
    parser = _parser()
    options, rest = part(arguments[1:], parser)
    _check(options)
    output = unused(expanded(options.output or f"tune_{options.what}.png"))
    if output.suffix.lower() != ".png":
        raise UserError(f"--output {printable(options.output)}: the picture is a PNG: name a file.png.", exit_code=2)
    from plcnn.cli import run as run_command
    from plcnn.tune.trial import Trial

    def find(trial: "Trial") -> None:
        (_learning_rate if options.what == "lr" else _batch_size)(trial, options, rest, output)

    steps = options.steps
    with tempfile.TemporaryDirectory(prefix="plcnn-tune-") as folder:

        def built(*given: Any) -> Trial:
            return Trial(*given, folder=Path(folder), steps=steps, find=find, parser=parser)

        run_command(["fit", *rest], command_class=built)


def _parser() -> CommandParser:
    parser = CommandParser("tune", "Suggests a learning rate or a batch size for what fit would train.", EPILOG)
    parser.add_argument(
        "what", choices=("lr", "batch_size"), metavar="lr|batch_size", help="the learning rate, or the batch size"
    )
    parser.add_argument("--output", metavar="PNG", help="the picture to write, JSON beside it (default tune_WHAT.png)")
    parser.add_argument(
        "--steps", type=whole_number, help="lr: steps of the test (default 200); batch_size: of each size (default 8)"
    )
    parser.add_argument("--low", type=float, default=1e-6, help="lr: the first rate (default 1e-6)")
    parser.add_argument("--high", type=float, default=10.0, help="lr: the last rate (default 10)")
    parser.add_argument("--first", type=whole_number, default=16, help="batch_size: the first size (default 16)")
    parser.add_argument(
        "--largest", type=whole_number, default=8192, help="batch_size: the last at most (default 8192)"
    )
    return parser


def _check(options: argparse.Namespace) -> None:
    least = 20 if options.what == "lr" else 3
    options.steps = options.steps or (200 if options.what == "lr" else 8)
    if options.steps < least:
        raise wrong_value("--steps", options.steps, f"{least} or more", 10 * least)
    if not 0 < options.low < options.high < math.inf:
        raise UserError(f"--low {options.low:g} --high {options.high:g}: both above 0, and the second greater.", 2)
    if options.first > options.largest:
        raise UserError(f"--first {options.first}: greater than --largest {options.largest}.", exit_code=2)


def _learning_rate(trial: "Trial", options: argparse.Namespace, rest: list[str], output: Path) -> None:
    from plcnn.figures.tuning import range_test as drawn
    from plcnn.tune.learning_rate import flags, range_test

    optimizer = trial.model.optimizer_choice
    found = range_test(trial, options.steps, options.low, options.high)
    typed = flags(optimizer, found.suggestion) if found.suggestion else []
    _write(
        output,
        drawn(found.rates, found.losses, found.smooth, found.suggestion, found.ended),
        {**found._asdict(), "flags": typed},
    )
    say(f"tried      {len(found.rates)} learning rates from {options.low:g} on: {found.ended}")
    say(f"picture    {printable(short(output))}")
    if found.suggestion is None:
        raise UserError(
            "No learning rate is suggested: the loss hardly falls anywhere. Look at the picture, and try more --steps "
            "or another range (--low, --high)."
        )
    say(f"suggested  {' '.join(typed)}")
    say(f"           where the loss falls fastest; it is least at {found.lowest:.3g}, beyond which it grows")
    say(f"next       {_fit(rest, typed)}")


def _batch_size(trial: "Trial", options: argparse.Namespace, rest: list[str], output: Path) -> None:
    from plcnn.figures.tuning import scaling as drawn
    from plcnn.tune.batch_size import scale

    try:
        found = scale(trial, options.steps, options.first, options.largest)
    except RuntimeError as error:
        if trial.trainer.strategy.root_device.type == "cpu":
            raise
        raise UserError(f"No batch size is suggested: {error}. Try a smaller --first.") from error
    sizes = [size.pictures for size in found.sizes]
    memory = [size.memory / 2**20 for size in found.sizes]
    typed = [f"--data.batch_size {found.suggestion}"]
    figure = drawn(sizes, [size.speed for size in found.sizes], memory, found.suggestion, found.ended)
    _write(output, figure, {**found._asdict(), "sizes": [size._asdict() for size in found.sizes], "flags": typed})
    for size, used in zip(found.sizes, memory, strict=True):
        say(f"batch      {size.pictures:>5}  {size.speed:>10,.0f} pictures/s  {used:>8,.0f} MiB")
    say(f"memory     of {printable(found.memory_of)}")
    say(f"ended      {found.ended}")
    say(f"picture    {printable(short(output))}")
    say(f"suggested  {' '.join(typed)}")
    say("           the smallest that is about as fast as the fastest; another batch wants another learning rate:")
    say(f"next       {_fit(rest, typed, 'tune lr')}")


def _write(output: Path, figure: "Figure", values: dict[str, Any]) -> None:
    from plcnn.figures.style import as_png
    from plcnn.report.files import as_json

    try:
        for path, content in ((output.with_suffix(".json"), as_json(values).encode()), (output, as_png(figure))):
            with written_aside(path) as aside:
                aside.write_bytes(content)
    except OSError as error:
        raise UserError(f"--output {output}: cannot be written: {reason(error)}.") from error


def _fit(rest: list[str], flags: list[str], command: str = "fit") -> str:
    return f"plcnn {command} {shlex.join(rest)} {' '.join(flags)}"
