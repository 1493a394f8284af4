"""Out-of-fold answers: each training picture answered once, by the network that has not seen it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from plcnn import results
from plcnn.calibration import fit_temperature
from plcnn.errors import UserError
from plcnn.examples import KINDS, examples
from plcnn.hashes import IN_A_STORE, tensor_hash
from plcnn.outputs import Outputs
from plcnn.results import EXAMPLES, Result

FILE = "validate.json"
"""In the sweep's folder, so that it is read as a run's."""


def join(parts: Sequence[Result], path: Path) -> Result:
    """Put the folds' answers together, in the order of the pictures.

    Args:
        parts: what each fold's network answered to the pictures that it has not seen.
        path: of the joined result, JSON.

    Returns:
        The result, with one temperature fitted on all of it.

    Raises:
        UserError: if a picture is answered twice.
    """
    answers = [part.outputs for part in parts if part.outputs]
    rows = torch.cat([part.rows for part in parts])
    if len(rows.unique()) != len(rows):
        raise UserError("The folds overlap: a picture is in more than one of them.")
    order = rows.argsort()
    outputs = Outputs(
        torch.cat([one.logits for one in answers])[order], torch.cat([one.labels for one in answers])[order]
    )
    temperature = fit_temperature(outputs.logits, outputs.labels)
    names = [name for part in parts for name in part.names or []]
    figures = {
        "checkpoint": f"the best of each of {len(parts)} folds",
        "pictures": len(rows),
        "loss": float(F.cross_entropy(outputs.logits.double(), outputs.labels)),
        "acc": float(outputs.right.double().mean()),
        "temperature": temperature,
        "pictures_sha256": _hash(parts),
        "labels_sha256": tensor_hash(outputs.labels),
    }
    called = [names[place] for place in order.tolist()] if len(names) == len(rows) else None
    return Result(path, figures, outputs, rows[order], _examples(parts, outputs, rows[order]), called)


def _hash(parts: Sequence[Result]) -> str:
    """A hash of all pictures, from those of the folds and their rows."""
    hashes = [str(part.figures.get("pictures_sha256")) for part in parts]
    if IN_A_STORE in hashes:
        return IN_A_STORE
    words = sorted(f"{name} {tensor_hash(part.rows)}" for name, part in zip(hashes, parts, strict=True))
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _examples(parts: Sequence[Result], outputs: Outputs, rows: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """The examples of all pictures: each is among the examples of its fold."""
    wanted = examples(outputs, EXAMPLES)
    place_of = {row: place for place, row in enumerate(rows.tolist())}
    found = {}
    for kind in KINDS:
        pictures: dict[int, Tensor] = {}
        for part in parts:
            if kind in part.examples:
                at = part.rows[part.examples[kind][0]].tolist()
                pictures |= {place_of[row]: one for row, one in zip(at, part.examples[kind][1], strict=True)}
        places = [place for place in wanted[kind].tolist() if place in pictures]
        shown = torch.stack([pictures[place] for place in places]) if places else torch.empty(0, dtype=torch.uint8)
        found[kind] = (torch.tensor(places, dtype=torch.long), shown)
    return found


def joined(sweep: Path, parts: Sequence[Result]) -> Result:
    """Join the folds' answers, and write them into the sweep's folder.

    Args:
        sweep: its folder.
        parts: of every fold.

    Raises:
        UserError: if a picture is answered twice, or the disk does not take the result.
    """
    result = join(parts, sweep / FILE)
    try:
        results.write(result)
    except OSError as error:
        raise UserError(f"{result.path} cannot be written: {error}.") from error
    return result
