"""What was found, for a terminal and for programs."""

from textwrap import fill
from typing import Any

import numpy as np

from plcnn.inspection.facts import Facts
from plcnn.inspection.finding import SEVERITIES, Finding, counted
from plcnn.inspection.subject import ADJECTIVES, PARTS, Subject

MOST_CLASSES = 20
"""Classes in the table on the terminal; of more, the smallest and the largest are shown."""

_WIDTH = 11


def as_text(facts: Facts, findings: list[Finding], width: int | None = None) -> str:
    """All that was found, line by line.

    Args:
        facts: what the pictures are.
        findings: the worst first.
        width: of the lines, in characters; where it is left out, none is broken.
    """
    lines = [_line("pictures", facts.number_of_pictures()), _line("sizes", facts.sizes_in_words())]
    if kinds := facts.kinds_in_words():
        lines.append(_line("kinds", kinds))
    if facts.scaling:
        lines.append(_line("scaling", scaling_flags(facts)))
    lines += ["", class_table(facts), ""]
    for finding in findings:
        lines += [_line(finding.severity, finding.sentence, width), _line("", f"→ {finding.advice}", width)]
    return "\n".join([*lines, _line("result", result(findings))])


def result(findings: list[Finding]) -> str:
    """How many findings of each severity there are: `2 warnings, 1 note`."""
    numbers = [(severity, sum(finding.severity == severity for finding in findings)) for severity in SEVERITIES]
    return ", ".join(counted(number, severity) for severity, number in numbers if number) or "nothing found"


def scaling_flags(facts: Facts) -> str:
    """The options that scale pictures by the training pictures' mean and standard deviation."""
    assert facts.scaling is not None
    mean, std = (", ".join(f"{value:.4f}" for value in values) for values in facts.scaling)
    return f"--model.mean '[{mean}]' --model.std '[{std}]'"


def class_table(facts: Facts) -> str:
    """How many pictures each class has in each part, as columns of text."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    present = [part for part in range(len(PARTS)) if facts.counts[part].any()]
    table = Table("class", box=None, pad_edge=False)
    for part in present:
        table.add_column(ADJECTIVES[part], justify="right")
    order = np.arange(len(facts.classes))
    if many := len(order) > MOST_CLASSES:
        order = np.argsort(-facts.counts.sum(0), kind="stable")
    for place, label in enumerate(order.tolist()):
        if many and place == MOST_CLASSES // 2:
            table.add_row(f"... {len(order) - MOST_CLASSES:,} more", *("" for _ in present))
        if not many or place < MOST_CLASSES // 2 or place >= len(order) - MOST_CLASSES // 2:
            table.add_row(Text(facts.classes[label]), *(f"{facts.counts[part, label]:,}" for part in present))
    console = Console(width=100, force_jupyter=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip()


def as_data(subject: Subject, facts: Facts, findings: list[Finding]) -> dict[str, Any]:
    """All that was found, as plain data."""
    return {
        "classes": list(subject.classes),
        "counts": {part: facts.counts[number].tolist() for number, part in enumerate(PARTS)},
        "sizes": {name: list(size) for name, size in zip(("least", "middle", "most"), facts.sizes, strict=False)},
        "modes": dict(facts.modes),
        "formats": dict(facts.formats),
        "image_shape": list(facts.shape),
        "resize": facts.resize,
        "scaling": facts.scaling and facts.scaling._asdict(),
        "findings": [_finding(subject, finding) for finding in findings],
    }


def _finding(subject: Subject, finding: Finding) -> dict[str, Any]:
    def picture(row: int) -> dict[str, str]:
        return {
            "name": subject.pictures.name(row),
            "class": subject.classes[int(subject.labels[row])],
            "part": PARTS[subject.parts[row]],
        }

    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "count": finding.count,
        "sentence": finding.sentence,
        "advice": finding.advice,
        "pictures": [[picture(row) for row in group] for group in finding.groups],
        "reasons": finding.reasons,
        "classes": [subject.classes[label] for label in finding.classes],
    }


def _line(name: str, text: str, width: int | None = None) -> str:
    first, then = f"{name:<{_WIDTH}}", " " * _WIDTH
    if width is None:
        return first + text
    return fill(
        text, width, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )
