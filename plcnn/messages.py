"""jsonargparse's errors, of many lines, in the words of the person who typed the command."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from plcnn.registry import NAMES_MODULE, Registry
from plcnn.suggestions import did_you_mean

UNKNOWN_OPTION = re.compile(
    r"unrecognized arguments: (?P<arguments>.+)"
    r"|(?:Subcommand|Group) '\w+' does not accept (?:option|nested key) '(?P<option>[^']+)'"
    r"|Key '(?P<key>[^']+)' is not expected"
)
UNKNOWN_CLASS = re.compile(r"Expected a dot import path string: (\S+)|Import path (\S+) not")
UNKNOWN_ARGUMENT = re.compile(r"Option '([^']+)' is not accepted|Key '([^']+)' is not expected")
GOT = re.compile(r"(?:Got value|Given value): (.*)")
EXPECTED = re.compile(r"Expected (?:an? )?(.+?)(?:\. Got value.*)?$", re.MULTILINE)


def short_names(text: str) -> str:
    """Registered names in place of the import paths under which jsonargparse knows them."""
    return re.sub(rf"\b{re.escape(NAMES_MODULE)}\.\w+\.", "", text)


def in_words(message: str, flags: Iterable[str], choices: Mapping[str, Registry[Any]]) -> str:
    """What a parser's message means.

    Args:
        message: jsonargparse's message, of several indented lines.
        flags: keys of all options.
        choices: the keys whose values are registered names.

    Returns:
        One or two lines: what was typed, what is allowed, how to mend it.
    """
    message = short_names(message)
    key = _full_key(re.findall(r'[Pp]arser key "([^"]+)"', message))
    if found := UNKNOWN_CLASS.search(message):
        name = found.group(1) or found.group(2)
        if key in choices:
            return f"--{key}: {choices[key].unknown(name)}"
        helped = re.match(r"--(\S+)\.help: ", message)
        if helped and helped.group(1) in choices:
            return f"--{helped.group(1)}.help: {choices[helped.group(1)].unknown(name)}"
        known = _lightning_classes(key)
        if name in known:
            return f"--{key} {name} needs a package that is not installed; see Lightning's documentation of {name}."
        hint = did_you_mean(name, known, f"Lightning's: {', '.join(known)}.") if known else ""
        return f"--{key}: there is no class {name!r}; give its import path, as package.module.Class. {hint}".rstrip()
    if key and (found := UNKNOWN_ARGUMENT.search(message)):
        return _unknown_argument(key, found.group(1) or found.group(2), message, choices)
    if found := UNKNOWN_OPTION.search(message):
        return _unknown_option(found, flags)
    if key and (missing := re.search(r"the following arguments are required: (.+)", message)):
        return " ".join(f"--{key}.{argument.strip()} is required." for argument in missing.group(1).split(","))
    if key and (got := GOT.search(message)):
        return f"--{key}: expected {_expected(message)}, got {got.group(1).strip()!r}."
    if found := re.match(r"argument (--\S+): expected one argument", message):
        return f"{found.group(1)} needs a value."
    if found := re.match(r"argument (\S+) --> (\S+):", message):
        return f"--{found.group(2)} is determined by the data; leave it out."
    if found := re.match(r'Linked "([^"]+)" must be given via "([^"]+)"', message):
        return f"--{found.group(1)} is not an option of its own; use --{found.group(2)}."
    words = " ".join(message.split())
    return words if len(words) < 400 else f"{words[:400]} ..."


def _lightning_classes(key: str) -> list[str]:
    """Lightning's own classes for a key, which need no import path."""
    if key == "trainer.logger":
        from lightning.pytorch import loggers

        return [name for name in loggers.__all__ if name != "Logger"]
    return []


def _full_key(keys: list[str]) -> str:
    """The whole key of nested parsers' messages, each of which may name its own part alone."""
    full: list[str] = []
    for key in keys:
        if not full or not (key == full[-1] or key.startswith(f"{full[-1]}.")):
            full.append(key)
        else:
            full[-1] = key
    return ".".join(full)


def _unknown_option(found: "re.Match[str]", flags: Iterable[str]) -> str:
    given = next(group for group in found.groups() if group)
    typed = next(iter(given.split()), ascii(given)).split("=")[0]
    if found["arguments"] and not typed.startswith("-"):
        return f"{typed!r} is not understood: options begin with --, and `plcnn COMMAND --help` lists them."
    typed, options = f"--{typed.lstrip('-')}", [f"--{flag}" for flag in flags]
    hint = did_you_mean(typed, options, "`plcnn COMMAND --help` lists all.")
    return f"there is no option {typed}. {hint}"


def _unknown_argument(key: str, argument: str, message: str, choices: Mapping[str, Registry[Any]]) -> str:
    named = re.search(r"class_path '([^']+)'", message)
    name = named.group(1) if named else ""
    if key not in choices or name not in choices[key]:
        return f"--{key}: {name or 'it'} has no argument {argument!r}."
    known = choices[key][name].signature.parameters
    listed = f"It takes: {', '.join(known)}." if known else "It takes none."
    return f"--{key}.{argument}: {choices[key].kind} {name!r} has no argument {argument!r}. {listed}"


def _expected(message: str) -> str:
    """The types a message expects, as a person says them."""
    # where a value may be of several types, that which the user named has the problem
    message = message.partition("Problem with given class_path")[2] or message
    subtypes = re.search(r"Subtypes: \[(.+)\]$", message, re.MULTILINE)
    texts = [subtypes.group(1)] if subtypes else EXPECTED.findall(message)
    text = ", ".join(texts)
    for literal in re.findall(r"typing\.Literal\[[^\]]*\]", text):
        text = text.replace(literal, literal.removeprefix("typing.Literal[").removesuffix("]").replace("'", ""))
    text = re.sub(r"\bplcnn\.[\w.]+\.(?=[A-Z])", "", text)
    text = re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1", text).replace("NoneType", "null")
    words = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}
    parts = [words.get(part, part) for part in dict.fromkeys(text.split(", "))]
    return ", ".join(parts[:-1]) + (" or " if len(parts) > 1 else "") + parts[-1]
