"""Distributions to draw a setting from, read from text without running any of it.

    uniform(0, 0.3)          a number, every one as likely
    loguniform(1e-4, 1e-1)   a number, every power of ten as likely
    int(1, 8)                a whole number, both ends included; int(32, 256, 32) in steps
    logint(16, 512)          a whole number, small ones more likely
    choice(adam, sgd)        one of several; as a YAML list, too: [adam, sgd]

A choice may be a name with arguments, {class_path: sgd, init_args: {lr: loguniform(0.01, 1)}}, and these may be
distributions: they are drawn only where the name is.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from plcnn import strict_yaml
from plcnn.errors import UserError
from plcnn.suggestions import did_you_mean
from plcnn.terminal import printable

NAMES = ("uniform", "loguniform", "int", "logint", "choice")
CALL = re.compile(r"\s*(\w+)\s*\((.*)\)\s*", re.DOTALL)
DIGITS = 4
"""Of a number that is drawn: more would say nothing."""


class Trial(Protocol):
    """What draws: a trial of Optuna."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Draw a number."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """Draw a whole number."""

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        """Draw one of several."""


@dataclass(frozen=True)
class Number:
    """A number between two.

    Attributes:
        low: the least.
        high: the greatest.
        log: whether every power of ten is as likely.
    """

    low: float
    high: float
    log: bool

    def draw(self, name: str, trial: Trial) -> float:
        """Draw one, rounded to `DIGITS`."""
        drawn = float(f"{trial.suggest_float(name, self.low, self.high, log=self.log):.{DIGITS}g}")
        return min(max(drawn, self.low), self.high)

    def examples(self) -> list[Any]:
        """Values at the ends."""
        return [self.low, self.high]


@dataclass(frozen=True)
class Whole:
    """A whole number between two, both included.

    Attributes:
        low: the least.
        high: the greatest.
        step: from one to the next.
        log: whether small ones are more likely.
    """

    low: int
    high: int
    step: int
    log: bool

    def draw(self, name: str, trial: Trial) -> int:
        """Draw one."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def examples(self) -> list[Any]:
        """Values at the ends."""
        return [self.low, self.high]


@dataclass(frozen=True)
class OneOf:
    """One of several.

    Attributes:
        labels: what each is called, no two alike.
        values: plain data, in which distributions may stand.
    """

    labels: tuple[str, ...]
    values: tuple[Any, ...]

    def draw(self, name: str, trial: Trial) -> Any:
        """Draw one, and then what stands in it."""
        label = trial.suggest_categorical(name, list(self.labels)) if len(self.labels) > 1 else self.labels[0]
        place = f"{name}[{label}]" if len(self.labels) > 1 else name
        value = self.values[self.labels.index(label)]
        return _within(value, place, lambda one, at: one.draw(at, trial))

    def examples(self) -> list[Any]:
        """Each, with the least of what stands in it."""
        return [_within(value, "", lambda one, _: one.examples()[0]) for value in self.values]


Distribution = Number | Whole | OneOf


def as_text(value: Any) -> str:
    """A value as it was given to a run."""
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def distribution(value: Any, where: str) -> Distribution:
    """A distribution from plain data.

    Args:
        value: text such as "uniform(0, 1)", a list, or a name with arguments.
        where: what a message begins with.

    Raises:
        UserError: if it is not understood.
    """
    if isinstance(value, list):
        return _one_of(value, where)
    if isinstance(value, dict):
        return _one_of([value], where)
    call = CALL.fullmatch(value) if isinstance(value, str) else None
    if not call:
        raise UserError(
            f"{where}: {printable(value)!r} is no distribution; for example loguniform(1e-4, 1e-1), uniform(0, 0.3), "
            "int(1, 8), choice(adam, sgd) or a list.",
            exit_code=2,
        )
    name = call.group(1)
    if name not in NAMES:
        raise UserError(f"{where}: there is no distribution {printable(name)!r}. {did_you_mean(name, NAMES)}", 2)
    arguments = _arguments(call.group(2), where)
    if name == "choice":
        return _one_of(arguments, where)
    if name in ("uniform", "loguniform"):
        low, high = _numbers(arguments, 2, 2, f"{where}: {name}(LOW, HIGH)", float)
        return Number(low, high, _logarithmic(name, low, where))
    most = 2 if name == "logint" else 3
    low, high, *step = _numbers(arguments, 2, most, f"{where}: {name}(LOW, HIGH{', STEP' * (most == 3)})", int)
    apart = step[0] if step else 1
    if apart < 1:
        raise UserError(f"{where}: a step of {apart}; 1 or more.", exit_code=2)
    return Whole(low, low + (high - low) // apart * apart, apart, _logarithmic(name, low, where))


def _arguments(text: str, where: str) -> list[Any]:
    try:
        found = strict_yaml.load(f"[{text}]")
    except yaml.YAMLError as error:
        raise UserError(f"{where}: ({printable(text)}) is no list of values.", exit_code=2) from error
    assert isinstance(found, list)
    return found


def _numbers(given: list[Any], least: int, most: int, form: str, kind: Callable[[Any], Any]) -> list[Any]:
    try:
        values = [kind(str(value)) for value in given]  # YAML takes 1e-4 for text
        if not least <= len(values) <= most or not all(map(math.isfinite, values)):
            raise ValueError
    except (ValueError, OverflowError) as error:
        what = "whole numbers" if kind is int else "numbers"
        raise UserError(f"{form} takes {what}, got ({', '.join(printable(one) for one in given)}).", 2) from error
    if not values[0] < values[1]:
        raise UserError(f"{form}: {values[0]} is not below {values[1]}.", exit_code=2)
    return values


def _logarithmic(name: str, low: float, where: str) -> bool:
    if name.startswith("log") and low <= 0:
        raise UserError(f"{where}: {name} begins above 0, got {low}.", exit_code=2)
    return name.startswith("log")


def _one_of(values: list[Any], where: str) -> OneOf:
    if not values:
        raise UserError(f"{where}: a choice of nothing.", exit_code=2)
    labels: list[str] = []
    for value in values:
        text = str(value["class_path"]) if isinstance(value, dict) and "class_path" in value else _short(value)
        alike = sum(label == text or label.startswith(f"{text} #") for label in labels)
        if alike and not isinstance(value, dict):
            raise UserError(f"{where}: {text} stands twice.", exit_code=2)
        labels.append(f"{text} #{alike + 1}" if alike else text)
    read = tuple(_within_text(value, where) for value in values)
    return OneOf(tuple(labels), read)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).split("\n...")[0].strip()


def _within_text(value: Any, where: str) -> Any:
    """Plain data in which what reads like a distribution has become one."""
    if isinstance(value, dict):
        return {key: _within_text(part, f"{where}.{key}") for key, part in value.items()}
    if isinstance(value, str) and (call := CALL.fullmatch(value)) and call.group(1) in NAMES:
        return distribution(value, where)
    return value


def _within(value: Any, place: str, use: Callable[[Distribution, str], Any]) -> Any:
    """Plain data in which each distribution has become what `use` makes of it."""
    if isinstance(value, dict):
        return {
            key: _within(part, place if key == "init_args" else f"{place}.{key}", use) for key, part in value.items()
        }
    return use(value, place) if isinstance(value, Number | Whole | OneOf) else value
