"""The `plcnn` command: picks the command to run; plain help answers without importing PyTorch."""

import gc
import os
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

COMMANDS = {
    "fit": "train a network; --config configs/base.yaml is the recipe to start from",
    "validate": "measure a run or checkpoint on the validation pictures",
    "test": "measure a run or checkpoint on the test pictures",
    "predict": "name the classes of pictures: plcnn predict RUN cat.png holiday/",
    "report": "write a page about a run, or one that compares several",
    "export": "write a network as ONNX, .pt2 or safetensors, checked against its checkpoint",
    "serve": "serve a page and an HTTP API that name the classes of pictures",
    "reproduce": "run a run again and say whether the result is the same",
    "tune": "suggest a learning rate or a batch size: plcnn tune lr --config ...",
    "sweep": "repeat a training over seeds or folds, or search for its best settings",
    "check": "look for what is wrong with pictures: plcnn check pictures/",
    "show": "draw training pictures, plain and augmented",
    "archs": "list the architectures; explain or check one",
    "datasets": "list the data sets; explain one",
}

WITHOUT_TRAINER = {
    "archs": "plcnn.archs.command",
    "check": "plcnn.inspection.command",
    "datasets": "plcnn.datasets.command",
    "report": "plcnn.report.command",
    "reproduce": "plcnn.reproduce",
    "serve": "plcnn.serve.command",
    "sweep": "plcnn.sweep.command",
    "tune": "plcnn.tune.command",
}
"""The modules of the commands that are not LightningCLI's; each has a function `run`."""

HELP = """usage: plcnn COMMAND [options]

Trains image classifiers: any registered architecture, on pictures, by one command.

commands:
{commands}

plcnn COMMAND --help                       all options of a command
plcnn archs NAME                           the arguments and layers of an architecture
plcnn datasets NAME                        what a data set holds, its arguments, where its files go
plcnn fit --config configs/quickstart.yaml a first run: small, no download
plcnn --version                            versions
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: the command line without the program's name; `sys.argv`'s by default.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    _mend_standard_streams()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP.format(commands="\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())), end="")
        return
    if arguments[0] == "--version":
        print(" ".join(f"{name} {version(name)}" for name in ("plcnn", "torch", "lightning")))
        return
    command = next((a for a in arguments if a in COMMANDS), None) if arguments[0].startswith("-") else arguments[0]
    if command is None:
        _fail(f"a command comes first, before {arguments[0]}: {', '.join(COMMANDS)}.", 2)
    if command not in COMMANDS:
        from plcnn.suggestions import did_you_mean

        _fail(f"there is no command {command!r}. {did_you_mean(command, COMMANDS)}", 2)
    arguments.remove(command)
    _run([command, *arguments])


def _mend_standard_streams() -> None:
    """Open those that are closed, whose numbers other files would get; write escapes for what an encoding lacks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their numbers
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - it stays open
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _run(arguments: list[str]) -> None:
    from plcnn.errors import UserError

    try:
        # What is imported stays: looking through it for garbage takes a fifth of the start, and a second at the end.
        gc.disable()
        module = import_module(WITHOUT_TRAINER.get(arguments[0], "plcnn.cli"))
        gc.freeze()
        gc.enable()
        module.run(arguments)
        sys.stdout.flush()
    except UserError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:  # `plcnn archs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(message: str, code: int) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
