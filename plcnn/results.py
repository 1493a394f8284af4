"""What `validate` and `test` found: printed, and kept in the run folder for every command that looks at a run.

`test.json` holds the figures; `test.safetensors` what the network answered to each picture, and some of the pictures.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from plcnn import checkpoint as checkpoints
from plcnn.data.kept.stores import Pictures, read_rows
from plcnn.errors import UserError
from plcnn.examples import KINDS, examples
from plcnn.files import failing_softly, written_aside
from plcnn.hashes import pictures_hash, tensor_hash
from plcnn.outputs import Outputs
from plcnn.run import unused

EXAMPLES = 24
"""How many pictures of each kind are kept."""

STAGES = {"test": "test", "validate": "val"}
"""The stage of each command that measures, as in the names of metrics."""


class Result(NamedTuple):
    """A measurement that a run folder holds.

    Attributes:
        path: its JSON file; the stem starts with the command's name.
        figures: checkpoint, pictures, loss, acc, temperature, pictures_sha256, labels_sha256.
        outputs: the network's answers, in the set's order; none where an older version measured.
        rows: int64 (pictures,), the number of each picture among the source's.
        examples: for each kind of `examples.KINDS`, places in the set, int64 (count,), and pictures, uint8.
        names: what each picture is called; none where the source knows them by number alone.
    """

    path: Path
    figures: dict[str, Any]
    outputs: Outputs | None
    rows: Tensor
    examples: dict[str, tuple[Tensor, Tensor]]
    names: list[str] | None = None

    @property
    def command(self) -> str:
        """The command that measured."""
        return self.path.stem.split("_")[0]


def report(command: str, metrics: Mapping[str, float], checkpoint: Path | None) -> None:
    """Print what was measured.

    Args:
        command: "validate" or "test".
        metrics: loss, acc and pictures of the stage.
        checkpoint: what was measured.

    Raises:
        UserError: if there were no pictures.
    """
    stage = STAGES[command]
    if f"{stage}/pictures" not in metrics:
        raise UserError(f"{command} found no pictures: --data.val_fraction is 0.")
    loss, accuracy, count = (metrics[f"{stage}/{name}"] for name in ("loss", "acc", "pictures"))
    right = round(accuracy * count)
    print(f"{stage}  loss {loss:.4f}  acc {accuracy:.4f}  ({right:,} of {count:,.0f} pictures)  {checkpoint}")


def keep(
    command: str,
    metrics: Mapping[str, float],
    checkpoint: Path,
    outputs: Outputs,
    images: Pictures,
    rows: Tensor,
    temperature: float,
    names: Sequence[str] | None = None,
) -> Path | None:
    """Write what was measured beside the checkpoint's run; a result that lies there is left alone.

    Args:
        command: "validate" or "test".
        metrics: loss, acc and pictures of the stage.
        checkpoint: what was measured.
        outputs: its answers.
        images: the pictures, in the order of the outputs.
        rows: int64 (pictures,), their numbers among the source's.
        temperature: the network's.
        names: what the pictures are called, where they have names.

    Returns:
        The JSON file; none where the checkpoint lies in no run folder or the disk does not take it.
    """
    folder, stage = checkpoints.run_folder(checkpoint), STAGES[command]
    if folder is None:
        return None
    outputs = Outputs(*(tensor.cpu() for tensor in outputs))
    path = unused(folder / f"{command}.json")
    figures = {
        "checkpoint": checkpoint.name,
        "pictures": int(metrics[f"{stage}/pictures"]),
        "loss": metrics[f"{stage}/loss"],
        "acc": metrics[f"{stage}/acc"],
        "temperature": temperature,
        "pictures_sha256": pictures_hash(images),
        "labels_sha256": tensor_hash(outputs.labels),
    }
    shown = {kind: (places, read_rows(images, places)) for kind, places in examples(outputs, EXAMPLES).items()}
    with failing_softly(path.name):
        called = None if names is None else list(names[: len(outputs.labels)])
        write(Result(path, figures, outputs, rows[: len(outputs.labels)], shown, called))
        return path
    return None


def write(result: Result) -> None:
    """Write a result: its figures as JSON, and beside them the outputs.

    Args:
        result: with outputs.

    Raises:
        OSError: if the disk does not take it.
    """
    assert result.outputs
    tensors = {"logits": result.outputs.logits, "labels": result.outputs.labels, "rows": result.rows}
    for kind, (places, pictures) in result.examples.items():
        tensors |= {kind: places, f"{kind}_pictures": pictures}
    if result.names:
        tensors["names"] = _packed(result.names)
    with written_aside(result.path.with_suffix(".safetensors")) as aside:
        aside.write_bytes(safetensors.torch.save({name: t.contiguous() for name, t in tensors.items()}))
    with written_aside(result.path) as aside:
        aside.write_text(json.dumps(result.figures, indent=2) + "\n")


def read(path: Path) -> Result:
    """Read a result of a run folder.

    Raises:
        UserError: if it is broken.
    """
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        tensors: dict[str, Tensor] = {}
        if path.with_suffix(".safetensors").is_file():
            tensors = safetensors.torch.load_file(path.with_suffix(".safetensors"))
        if not isinstance(figures, dict) or not {"checkpoint", "pictures", "loss", "acc"} <= figures.keys():
            raise ValueError("it is no result of plcnn")
        if not tensors:
            return Result(path, figures, None, torch.arange(figures["pictures"]), {})
        kept = {kind: (tensors[kind], tensors[f"{kind}_pictures"]) for kind in KINDS}
        outputs, names = Outputs(tensors["logits"], tensors["labels"]), _unpacked(tensors.get("names"))
        if names is not None and len(names) != len(outputs.labels):
            raise ValueError(f"{len(names)} names for {len(outputs.labels)} pictures")
        return Result(path, figures, outputs, tensors["rows"], kept, names)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise UserError(f"{path} cannot be read: {error}. Delete it, or measure again.") from error


def _packed(names: Sequence[str]) -> Tensor:
    """Names as one tensor of bytes, with a zero between them, which no file's name has."""
    return torch.frombuffer(bytearray("\0".join(names).encode("utf-8", "surrogateescape")), dtype=torch.uint8)


def _unpacked(packed: Tensor | None) -> list[str] | None:
    if packed is None:
        return None
    return packed.numpy().tobytes().decode("utf-8", "surrogateescape").split("\0")


def results_in(run: Path, command: str) -> list[Path]:
    """The files of what a command measured of a run, the newest last."""
    found = [*run.glob(f"{command}.json"), *run.glob(f"{command}_[0-9]*.json")]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def has_been_tested(run: Path, checkpoint: Path) -> bool:
    """Whether a run folder holds a test of one of its checkpoints."""
    return any(checkpoint.name in path.read_text(encoding="utf-8") for path in results_in(run, "test"))
