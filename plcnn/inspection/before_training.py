"""What `fit` looks at by itself: its training and validation pictures, read anyway; never the test pictures."""

import inspect
import shlex
from dataclasses import replace
from typing import Any

from plcnn.data.module import ImageData
from plcnn.data.own.root import SOURCES
from plcnn.data.parts.partition import Parted
from plcnn.errors import UserError
from plcnn.inspection.finding import Finding, counted
from plcnn.inspection.findings import look
from plcnn.inspection.gather import subject_of, taken
from plcnn.inspection.words import result
from plcnn.terminal import printable, say

MOST_TOLD = 4
"""Warnings that are told in a sentence each."""

MOST_COMPARED = 300_000
"""Pictures of which those that look alike are sought, in a few seconds; copies are found among any number."""

_NOT_OF_CHECK = (
    *("augment", "mix", "mix_alpha", "batch_size", "sampling", "keep", "workers"),
    *("skip_unreadable", "check", "seed"),
)
"""Options of the data that `plcnn check` has no use for."""


def look_before_training(data: ImageData, is_first: bool = True) -> None:
    """Say what is wrong with training and validation pictures, or refuse them, as the data's `check` has it.

    Args:
        data: a data module that is set up for "fit"; what was not surveyed as it was read is not looked at.
        is_first: whether this is the process that speaks.

    Raises:
        UserError: with "stop", if there are warnings.
    """
    names = [name for name in ("train", "val") if name in data.surveyed]
    seen = {name: data.surveyed[name] for name in names}
    if not seen:
        return
    parted: dict[str, Parted] = {name: data.parts[name] for name in names}
    subject = subject_of(data, parted, [taken(survey, places.tolist()) for survey, places in seen.values()])
    findings = look(replace(subject, compares=len(subject.labels) <= MOST_COMPARED))
    warnings = [finding for finding in findings if finding.severity != "note"]
    if warnings and data.check == "stop":
        raise UserError(f"{_sentences(warnings)}\n--data.check stop: {result(warnings)}. More: {command(data)}")
    if not is_first:
        return
    if left_out := sum(len(survey.faults) for survey in {id(survey): survey for survey, _ in seen.values()}.values()):
        say(f"left out   {counted(left_out, 'picture')} that cannot be read. More: {command(data)}")
    if findings:
        say(f"checked    {result(findings)} in the training and validation pictures. More: {command(data)}")
    if warnings:
        say(_sentences(warnings, "warning    "))


def _sentences(warnings: list[Finding], before: str = "") -> str:
    return "\n".join(f"{before}{finding.sentence}" for finding in warnings[:MOST_TOLD])


def command(data: ImageData) -> str:
    """The command that shows what is found in a data module's pictures: `plcnn check` with the options that matter."""
    given, source = dict(data.hparams), data.source_choice
    del given["source"]
    words = ["plcnn", "check", str(given.pop("root")) if source.name in ("folder", *SOURCES.values()) else source.name]
    for key, value in source.arguments.items():
        if value != source.signature.parameters[key].default:
            words += _flag(f"source.{key}", value)
    for key, parameter in inspect.signature(type(data)).parameters.items():
        if key not in _NOT_OF_CHECK and given.get(key, parameter.default) != parameter.default:
            words += _flag(key, given[key])
    return printable(shlex.join(words))


def _flag(key: str, value: Any) -> list[str]:
    text = str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
    return [f"--data.{key}", text]
