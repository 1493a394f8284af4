"""The command `plcnn report`: a page for a run, or one that compares several."""

from pathlib import Path

from plcnn.arguments import load_plugins
from plcnn.command_parser import CommandParser
from plcnn.errors import UserError
from plcnn.files import reason
from plcnn.paths import expanded
from plcnn.run import short, unused
from plcnn.terminal import printable, say, warn

EPILOG = """examples:
  plcnn report tb_logs/base/version_0                       its newest test, or else validation
  plcnn report tb_logs/base/version_0 --result test_2.json  another one
  plcnn report tb_logs/base/version_*                       compares runs

The test pictures are not read: what `plcnn test` left in the run folder is.
"""


def run(arguments: list[str]) -> None:
    """Run the command.

    Args:
        arguments: the command line, `report` first.

    Raises:
        UserError: for a wrong command line (exit code 2), or where the report cannot be written (1).
    """
    options = _parser().parse_args(arguments[1:])
    load_plugins([word for path in options.plugins or [] for word in ("--plugins", path)])
    from plcnn.report import comparison, record, single

    folders = [record.find(path) for path in options.runs]
    known = {folder.resolve(): folder for folder in folders}
    records = [record.read(folder, options.result) for folder in known.values()]
    output = _unused(expanded(options.output)) if options.output else None
    if len(records) == 1:
        page = single.write(records[0], output)
    else:
        page = comparison.write(records, output or _unused(Path(comparison.FOLDER)))
    say(f"report     {printable(short(page))}")


def _parser() -> CommandParser:
    parser = CommandParser("report", "Writes a page with all that is known of a run, or compares several.", EPILOG)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--result", metavar="FILE", help="which result to show: test.json, validate_2.json ...")
    parser.add_argument(
        "--output", metavar="FOLDER", help="the report's folder; numbered where one is there (default: in the run)"
    )
    parser.add_argument("--plugins", action="append", metavar="FILE", help="a Python file whose names a run uses")
    return parser


def _unused(folder: Path) -> Path:
    """The folder itself where it is empty or missing, or with the first free number."""
    try:
        return folder if folder.is_dir() and not any(folder.iterdir()) else unused(folder)
    except OSError as error:
        raise UserError(f"--output {folder}: {reason(error)}.", exit_code=2) from error


def after(result: Path) -> None:
    """Write the report of a result that has just been measured; what stands in the way is but a warning.

    Args:
        result: its file in the run folder.
    """
    from plcnn.report import record, single

    try:
        page = single.write(record.read(result.parent, result.name))
        say(f"report     {printable(short(page))}")
    except (UserError, ImportError) as error:
        warn(f"no report was written: {error}")
