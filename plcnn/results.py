"""What `validate`, `test` and `predict` found: printed, and kept in the run folder."""

import json
from pathlib import Path

from torch import Tensor

from plcnn import checkpoint as checkpoints
from plcnn.errors import UserError
from plcnn.run import unused
from plcnn.terminal import printable


def report(command: str, stage: str, metrics: dict[str, float], checkpoint: Path | None) -> None:
    """Print what was measured, and write it beside the checkpoint's run.

    Args:
        command: "validate" or "test".
        stage: "val" or "test", as in the metrics' names.
        metrics: loss, acc and pictures of the stage.
        checkpoint: what was measured.

    Raises:
        UserError: if there were no pictures.
    """
    if f"{stage}/pictures" not in metrics:
        raise UserError(f"{command} found no pictures: --data.val_fraction is 0.")
    loss, accuracy, count = (metrics[f"{stage}/{name}"] for name in ("loss", "acc", "pictures"))
    right = round(accuracy * count)
    print(f"{stage}  loss {loss:.4f}  acc {accuracy:.4f}  ({right:,} of {count:,.0f} pictures)  {checkpoint}")
    folder = checkpoints.run_folder(checkpoint) if checkpoint else None
    if checkpoint and folder:
        result = {"checkpoint": checkpoint.name, "pictures": int(count), "loss": loss, "acc": accuracy}
        unused(folder / f"{command}.json").write_text(json.dumps(result, indent=2) + "\n")


def has_been_tested(run: Path, checkpoint: Path) -> bool:
    """Whether a run folder holds a test of one of its checkpoints."""
    return any(checkpoint.name in path.read_text() for path in run.glob("test*.json"))


def print_predictions(files: list[Path], probabilities: Tensor, classes: list[str]) -> None:
    """Print the most probable class of each picture.

    Args:
        files: the pictures' files.
        probabilities: (pictures, classes).
        classes: their names.
    """
    names = [printable(file) for file in files]
    width = max(map(len, names))
    best = probabilities.max(1)
    for name, share, label in zip(names, best.values, best.indices, strict=True):
        print(f"{name:<{width}}  {classes[int(label)]}  {float(share):.4f}")
