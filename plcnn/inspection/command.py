"""The command `plcnn check`: what is wrong with pictures, before anything is trained on them."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from plcnn.arguments import typed
from plcnn.behind_fit import part
from plcnn.command_parser import CommandParser
from plcnn.errors import UserError
from plcnn.files import reason, written_aside
from plcnn.paths import expanded
from plcnn.run import short, unused
from plcnn.terminal import in_bytes, printable, remark, say

if TYPE_CHECKING:
    from plcnn.data.module import ImageData

EPILOG = """The --data options of `plcnn fit` say more of the pictures; `plcnn fit --help` lists them.

examples:
  plcnn check pictures/                  a folder with a folder for each class
  plcnn check birds.csv                  a table; also .tsv, .parquet, .npz
  plcnn check cifar10                    a data set by its name
  plcnn check tb_logs/birds/version_0    the pictures of a run, in its own split
  plcnn check --config my.yaml --data.val_fraction 0.2

Training, validation and test pictures are read once and compared. No network sees them, and no accuracy is measured.
The exit code is 0 where nothing or only notes are found, and 1 where there are warnings or errors.
"""

FOLDER, JSON = "check", "check.json"
STANDARD_OUTPUT = "-"
_NAMES_DATA = {"config", "data", "data.source", "data.root", "resume", "ckpt_path"}


def run(arguments: list[str]) -> None:
    """Run the command.

    Args:
        arguments: the command line, `check` first.

    Raises:
        UserError: for a wrong command line (exit code 2), or where pictures cannot be had or something not written (1).
        SystemExit: with code 1, where something is wrong with the pictures.
    """
    parser = _parser()
    options, rest = part(arguments[1:], parser)
    if options.data is None and not _NAMES_DATA & set(typed(rest)):
        raise UserError("check needs pictures: plcnn check DATA, or --config FILE. `plcnn check --help` says more.", 2)
    json_file = _unwritten(options.json)
    folder = unused(expanded(options.output or FOLDER)) if options.page == "true" else None
    data = _data(options.data, rest, parser)

    from plcnn.data.kept.cache_folder import cache_folder
    from plcnn.data.kept.near_hashes import hasher_version
    from plcnn.inspection.facts import facts
    from plcnn.inspection.findings import look
    from plcnn.inspection.gather import gather
    from plcnn.inspection.words import as_data, as_text
    from plcnn.report.files import as_json

    if not hasher_version():
        remark("Pictures that look alike are not sought, only copies: pip install 'plcnn[check]'")
    subject, scaling, kept = gather(data)
    known, findings = facts(subject, scaling), look(subject)
    text = as_json({"command": shlex.join(["plcnn", *arguments]), **as_data(subject, known, findings)})
    tell = remark if options.json == STANDARD_OUTPUT else say
    if options.json == STANDARD_OUTPUT:
        print(text, end="")
    else:
        print(as_text(known, findings, shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
    if json_file:
        _write(json_file, text)
    if folder:
        from plcnn.inspection.page import PAGE, content
        from plcnn.report.files import write

        told = {"data": printable(options.data or data.source_choice.short()), "files": [JSON]}
        write(folder, {JSON: text, PAGE: content(subject, known, findings, told)})
        tell(f"page       {printable(short(folder / PAGE))}")
    if kept:
        tell(f"kept       {in_bytes(kept)} in {printable(short(cache_folder(data.cache_dir)))}, for fit and test")
    if any(finding.severity != "note" for finding in findings):
        sys.exit(1)


def _data(named: str | None, rest: list[str], parser: CommandParser) -> "ImageData":
    """The data module of what was typed, not set up."""
    from plcnn.cli import run as run_command
    from plcnn.inspection.data_of_fit import DataOfFit
    from plcnn.inspection.named_data import flags

    arguments = ["fit", *([] if named is None else flags(named)), *rest]
    command = run_command(arguments, command_class=lambda *given: DataOfFit(*given, parser=parser))
    data: ImageData = command.datamodule
    return data


def _parser() -> CommandParser:
    parser = CommandParser("check", "Looks for what is wrong with pictures before they are trained on.", EPILOG)
    parser.add_argument(
        "data", nargs="?", metavar="DATA", help="a folder, a table, an .npz file, a run folder, or a data set's name"
    )
    parser.add_argument(
        "--output", metavar="FOLDER", help=f"for the page; numbered where one is there (default {FOLDER})"
    )
    parser.add_argument(
        "--page", choices=("true", "false"), default="true", help="whether to write the page (default true)"
    )
    parser.add_argument("--json", metavar="FILE", help="write all findings to a new file, too; - prints them instead")
    return parser


def _unwritten(file: str | None) -> Path | None:
    """The file for JSON, which must be a new one; none where there is none to write."""
    if file is None or file == STANDARD_OUTPUT:
        return None
    path = expanded(file)
    if path.exists():
        raise UserError(f"--json {printable(file)}: exists already; name another file.", exit_code=2)
    return path


def _write(file: Path, text: str) -> None:
    try:
        with written_aside(file) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--json {printable(file)}: cannot be written: {reason(error)}.") from error
