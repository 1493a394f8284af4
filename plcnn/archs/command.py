"""The command `plcnn archs`: a list that answers at once; a page, or the checks, for one architecture."""

import argparse
import json
import sys
from fnmatch import fnmatchcase
from typing import Any

from plcnn.archs.catalogue import Input, names, rows
from plcnn.arguments import load_plugins
from plcnn.command_parser import CommandParser, whole_number
from plcnn.errors import UserError
from plcnn.named import choose, matches, own_flags, short_source
from plcnn.suggestions import did_you_mean

EPILOG = """examples:
  plcnn archs                          all architectures
  plcnn archs 'resnet*'                those whose name or family matches
  plcnn archs wide_resnet              one: its arguments, an example, its layers
  plcnn archs wide_resnet --model.arch.depth 16
  plcnn archs timm --models 'convnext*'
  plcnn archs my_net --plugins my_nets.py --check
"""


def run(arguments: list[str]) -> None:
    """Run the command.

    Args:
        arguments: the command line, `archs` first.

    Raises:
        UserError: if an option, a name or an argument is unknown, or a check fails.
    """
    flags, rest = own_flags(arguments[1:], "model.arch")
    options = _parser().parse_args(rest)
    load_plugins(rest)
    given = Input(options.in_channels, options.image_size, options.num_classes)
    if options.name and options.name in names():
        _one(options, flags, given)
        return
    if options.check or options.models or flags:
        wanted = "--check" if options.check else "--models" if options.models else flags[0]
        raise UserError(_unknown(options.name) if options.name else f"{wanted} needs a name: plcnn archs NAME.", 2)
    _list(rows(given), options, given)


def _parser() -> CommandParser:
    parser = CommandParser("archs", "Lists the architectures; explains or checks one.", EPILOG)
    parser.add_argument("name", nargs="?", default="", help="a name, or a pattern for names and families")
    parser.add_argument("--check", action="store_true", help="check that the architecture can do what plcnn needs")
    parser.add_argument("--models", metavar="PATTERN", help="list the models that timm or torchvision has by names")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plugins", action="append", help="a Python file whose registered names are listed, too")
    parser.add_argument("--image_size", type=whole_number, default=32, help="height and width in pixels (default 32)")
    parser.add_argument("--in_channels", type=whole_number, default=3, help="channels of a picture (default 3)")
    parser.add_argument("--num_classes", type=whole_number, default=10, help="number of classes (default 10)")
    return parser


def _unknown(name: str) -> str:
    from plcnn.architectures import architectures

    return architectures.unknown(name)


def _list(found: list[dict[str, Any]], options: argparse.Namespace, given: Input) -> None:
    chosen = [row for row in found if matches(options.name, row["name"], row["family"])]
    if not chosen:
        raise UserError(_unknown(options.name), exit_code=2)
    if options.json:
        print(json.dumps({"input": given._asdict(), "architectures": chosen}, indent=2))
        return
    table = [("name", "family", "parameters", "mult-adds", "source")]
    for row in chosen:
        numbers = (_short(row["parameters"]), _short(row["multiply_adds"]))
        table.append((row["name"], row["family"], *numbers, short_source(row["source"])))
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    for name, family, parameters, adds, source in table:
        numbers = (f"{parameters:>{widths[2]}}", f"{adds:>{widths[3]}}")
        print(f"{name:<{widths[0]}}", f"{family:<{widths[1]}}", *numbers, source, sep="  ")
    for row in chosen:
        if "problem" in row:
            print(f"{row['name']}: {row['problem']}", file=sys.stderr)
    print(f"\n{len(chosen)} architectures at {given}. `plcnn archs NAME` explains one, --check checks it.")
    for row in chosen:
        if row.get("models"):
            listing = f"`plcnn archs {row['name']} --models '*'` lists them"
            print(f"{row['name']} stands for {row['models']:,} models, shown with its default one: {listing}.")


def _short(number: int | None) -> str:
    if number is None:
        return "-"
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return str(number)


def _one(options: argparse.Namespace, flags: list[str], given: Input) -> None:
    from plcnn.architectures import architectures

    choice = choose("archs", architectures, "model.arch", options.name, flags)
    if options.models:
        _models(choice, options)
    elif options.check:
        _check(choice, given, options.json)
    else:
        from plcnn.archs.page import as_text, describe

        about = describe(choice, given)
        print(json.dumps(about, indent=2) if options.json else as_text(about))


def _models(choice: Any, options: argparse.Namespace) -> None:
    if choice.models is None:
        raise UserError(f"--models: {choice.name} is one network, not a library of them.", exit_code=2)
    found = [name for name in choice.models() if fnmatchcase(name, options.models)]
    if not found:
        hint = did_you_mean(options.models, choice.models(), "")
        raise UserError(f"--models {options.models}: {choice.name} has none. {hint}".rstrip(), 2)
    print(json.dumps(found) if options.json else "\n".join(found))


def _check(choice: Any, given: Input, as_json: bool) -> None:
    from plcnn.archs.checks import Subject
    from plcnn.archs.checks import run as run_checks

    results, failed = [], 0
    if not as_json:
        print(f"{choice!r} at {given}")
    for name, sentence, problem in run_checks(Subject(choice, given)):
        failed += problem is not None
        results.append({"check": name, "what": sentence, "passed": problem is None, "problem": problem})
        if not as_json:
            print(f"{'ok    ' if problem is None else 'FAILED'}  {name:<15} {sentence if problem is None else problem}")
    if as_json:
        print(json.dumps({"name": choice.name, "checks": results}, indent=2))
    if failed:
        raise UserError(f"{choice.name} fails {failed} of {len(results)} checks.")
