"""The model card: a page in Markdown beside each export that says what it is and how it is used."""

from pathlib import Path
from typing import Any, NamedTuple

from plcnn.calibration import UNFITTED, expected_calibration_error, probabilities
from plcnn.classifier import Classifier
from plcnn.export.parity import Parity
from plcnn.export.snippets import snippet
from plcnn.export.speed import Speed
from plcnn.manifest import processor, versions
from plcnn.results import Result
from plcnn.terminal import printable

RESIZED = {
    "stretch": "without keeping the aspect",
    "crop": "their middle, in the aspect wanted",
    "pad": "whole, with black beside them",
}
"""What each way of resizing does, in words."""


class Facts(NamedTuple):
    """What a card tells.

    Attributes:
        path: the exported file.
        format: its format.
        contract: as in the file.
        classifier: what was exported.
        checkpoint: where from.
        data: the data's settings, by name.
        result: what `test` measured of the checkpoint; none where it was not tested.
        parity: how the export compares with the checkpoint; none where it was not checked.
        speed: of each size of batch; none where it was not measured.
        calibrated_on: number of training pictures that set the ranges of int8; 0 otherwise.
        threads: how many were used.
    """

    path: Path
    format: str
    contract: dict[str, Any]
    classifier: Classifier
    checkpoint: Path
    data: dict[str, Any]
    result: Result | None
    parity: Parity | None
    speed: list[Speed]
    calibrated_on: int
    threads: int


def card(facts: Facts) -> str:
    """The card's text."""
    parts = [_what(facts), _classes(facts), _use(facts), _results(facts), _check(facts), _speed(facts), _limits(facts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what(facts: Facts) -> str:
    values, found = facts.contract, versions()
    parameters = sum(parameter.numel() for parameter in facts.classifier.net.parameters())
    arguments = ", ".join(f"{key} {value}" for key, value in (values["architecture"].get("init_args") or {}).items())
    architecture = f"`{values['architecture']['class_path']}`" + (f" ({arguments})" if arguments else "")
    source = facts.data.get("source") or {}
    source = source.get("class_path", "unknown") if isinstance(source, dict) else source
    rows = {
        "architecture": f"{architecture}, {parameters:,} parameters",
        "file": f"`{facts.path.name}`, {facts.format}, {values['precision']}",
        "made from": f"`{facts.checkpoint.name}`",
        "data": f"`{source}`",
        "made with": ", ".join(f"{name} {found[name]}" for name in ("plcnn", "torch") if name in found),
    }
    title = f"# {facts.path.name}\n\nAn image classifier: tells {len(values['classes'])} classes of pictures apart.\n\n"
    return title + _table(("what", ""), rows.items())


def _classes(facts: Facts) -> str:
    names = [_cell(name) for name in facts.contract["classes"]]
    return "## Classes\n\nIn the order of the outputs, from 0:\n\n" + ", ".join(names)


def _use(facts: Facts) -> str:
    channels, height, width = facts.contract["image_shape"]
    grey = facts.contract["input"]["channels"]
    if facts.format == "safetensors":
        terms = (
            f"Weights alone. The network takes pictures of {height} × {width} pixels, {grey}, scaled as below, and "
            "gives logits."
        )
    else:
        tta = {"none": ""}.get(facts.contract["tta"], f" Test-time augmentation ({facts.contract['tta']}) is inside.")
        calibrated = (
            f"calibrated by the temperature {facts.contract['temperature']:.4g}"
            if facts.classifier.calibrated
            else "not calibrated: the training had no validation pictures to fit a temperature on"
        )
        terms = (
            f"- `images`: uint8 (batch, {channels}, height, width), {grey}, 0 to 255, any number and any size of "
            f"pictures. They are resized inside to {height} × {width} (bilinear, antialiased, "
            f"{RESIZED[facts.contract['resize']]}) and scaled. Pictures are expected upright and without "
            "transparency.\n"
            f"- `probabilities`: float32 (batch, {len(facts.contract['classes'])}), {calibrated}.\n"
            f"- `logits`: the same shape, before temperature and softmax.{tta}"
        )
    code = snippet(facts.format, facts.path.name, facts.contract)
    return f"## Use\n\n{terms}\n\n```python\n{code}```"


def _results(facts: Facts) -> str:
    if facts.result is None:
        return (
            "## Results\n\nThis checkpoint has not been tested: `plcnn test` does that." if facts.parity is None else ""
        )
    figures, outputs = facts.result.figures, facts.result.outputs
    text = f"accuracy {figures['acc']:.4f}, cross-entropy {figures['loss']:.4f} on {figures['pictures']:,} pictures"
    if outputs is not None:
        before, after = (
            expected_calibration_error(probabilities(outputs.logits, temperature), outputs.labels)
            for temperature in (UNFITTED, facts.classifier.temperature)
        )
        fitted = "it was fitted on validation pictures"
        if not facts.classifier.calibrated:
            fitted = "it is 1, as no validation has fitted it"
        text += (
            f".\nExpected calibration error (15 bins): {before:.4f} without the temperature, {after:.4f} with it; "
            f"{fitted}"
        )
    return f"## Results\n\nThe checkpoint's, by `plcnn test`: {text}."


def _check(facts: Facts) -> str:
    if facts.format == "safetensors":
        text = "Read again into a network that was built anew, the weights are the checkpoint's, bit for bit."
    elif facts.parity is None:
        text = "**Unchecked**: this file was not compared with its checkpoint (`--check none`)."
    else:
        parity = facts.parity
        text = (
            f"Compared with its checkpoint (PyTorch, fp32) on the whole test set, {parity.pictures:,} pictures, in "
            f"batches of 1, 2, 7 and 256:\n\n"
        ) + _table(
            ("what", "measured"),
            {
                "the same class": f"{parity.agreement:.2%} of the pictures",
                "greatest difference of a probability": f"{parity.difference:.2g}",
                "accuracy of the checkpoint": f"{parity.checkpoint_acc:.4f}",
                "accuracy of this file": f"{parity.acc:.4f}",
            }.items(),
        )
    if facts.calibrated_on:
        text += f"\n\nThe ranges of int8 were set by {facts.calibrated_on:,} training pictures."
    return f"## Check\n\n{text}"


def _speed(facts: Facts) -> str:
    if not facts.speed:
        return ""
    rows = [
        (f"batch {one.batch}", f"{one.exported:,.0f} | {one.checkpoint:,.0f} | {one.ratio:.2f}") for one in facts.speed
    ]
    table = "| | this file, pictures/s | checkpoint in PyTorch, fp32 | times as fast |\n| --- | --- | --- | --- |\n"
    table += "\n".join(f"| {name} | {numbers} |" for name, numbers in rows)
    return f"## Speed\n\n{processor()}; threads: {facts.threads}; measured turn by turn.\n\n{table}"


def _limits(facts: Facts) -> str:
    calibrated = (
        " Probabilities are calibrated for pictures like those of its data." if facts.classifier.calibrated else ""
    )
    return (
        "## Limits and licence\n\n"
        "It answers with one of its classes whatever the picture shows; pictures unlike those it was trained on get "
        f"answers that mean little, however sure they look.{calibrated}\n\n"
        "plcnn is under the MIT licence. It sets no terms for the weights; those of the training pictures may."
    )


def _table(head: tuple[str, str], rows: Any) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|<>&~" else c for c in printable(text))
