"""Out-of-fold answers, and mean and deviation, by formula."""

from pathlib import Path

import pytest
import torch

from plcnn import results
from plcnn.errors import UserError
from plcnn.examples import examples
from plcnn.outputs import Outputs
from plcnn.results import Result
from plcnn.sweep.folds import join, joined
from plcnn.sweep.statistics import spread


def part(rows: list[int], logits: torch.Tensor, labels: torch.Tensor) -> Result:
    """A fold's result, its pictures as grey as their numbers."""
    outputs, places = Outputs(logits[rows], labels[rows]), torch.tensor(rows)
    shown = {
        kind: (at, places[at].to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2))
        for kind, at in examples(outputs, 24).items()
    }
    names = [f"{row}.png" for row in rows]
    return Result(Path("x"), {"pictures_sha256": str(rows[0])}, outputs, places, shown, names)


@pytest.fixture
def answers() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(30, 4, generator=generator), torch.randint(4, (30,), generator=generator)


def test_every_picture_is_answered_once_in_order(answers: tuple[torch.Tensor, torch.Tensor], tmp_path: Path) -> None:
    logits, labels = answers
    parts = [part(list(range(first, 30, 3)), logits, labels) for first in (2, 0, 1)]
    found = results.read(joined(tmp_path, parts).path)
    assert found.rows.tolist() == list(range(30)) and found.names == [f"{row}.png" for row in range(30)]
    assert found.outputs and torch.equal(found.outputs.logits, logits) and torch.equal(found.outputs.labels, labels)
    assert found.figures["acc"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
    expected = -logits.double().log_softmax(1)[range(30), labels].mean()
    assert found.figures["loss"] == pytest.approx(expected.item()) and found.figures["pictures"] == 30
    for kind, places in examples(Outputs(logits, labels), 24).items():
        at, pictures = found.examples[kind]
        assert at.tolist() == places.tolist() and pictures[:, 0, 0, 0].tolist() == places.tolist()


def test_folds_that_overlap_are_refused(answers: tuple[torch.Tensor, torch.Tensor]) -> None:
    with pytest.raises(UserError, match="overlap"):
        join([part([0, 1, 2], *answers), part([2, 3], *answers)], Path("x.json"))


def test_mean_and_deviation() -> None:
    found = spread([0.9, 0.95, 0.91])
    mean = (0.9 + 0.95 + 0.91) / 3
    deviation = (sum((value - mean) ** 2 for value in (0.9, 0.95, 0.91)) / 2) ** 0.5
    assert found and found.mean == pytest.approx(mean) and found.deviation == pytest.approx(deviation)
    assert found.as_text(2) == "0.92 ± 0.03"
    assert spread([]) is None
    one = spread([0.5])
    assert one and one.deviation is None and one.as_text(1) == "0.5"
