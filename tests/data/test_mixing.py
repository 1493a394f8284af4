"""MixUp and CutMix: torchvision's arithmetic with the batch's own draws."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from plcnn.data.batchwise.mixing import Mixing, box

IMAGES = torch.rand(6, 3, 9, 12, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 1, 0])
CLASSES = 4


def mixed(mix: str, batch: int = 0, epoch: int = 0, seed: int = 0, rank: int = 0, alpha: float = 1.0):
    return Mixing(mix, alpha, CLASSES, seed)(IMAGES, LABELS, epoch, batch, rank)  # type: ignore[arg-type]


def shares(labels: torch.Tensor) -> torch.Tensor:
    """How much of each picture is its own: from the first, whose neighbour, the last, has the same class, excepted."""
    return labels[torch.arange(1, 6), LABELS[1:]]


def test_mixup_is_its_papers_sum() -> None:
    images, labels = mixed("mixup")
    (share,) = {round(float(s), 6) for s in shares(labels)}
    torch.testing.assert_close(images, share * IMAGES + (1 - share) * IMAGES.roll(1, 0))
    classes = one_hot(LABELS, CLASSES).float()
    torch.testing.assert_close(labels, share * classes + (1 - share) * classes.roll(1, 0))


def test_cutmix_pastes_a_box_and_shares_by_its_area() -> None:
    for batch in range(30):
        images, labels = mixed("cutmix", batch)
        pasted = (images != IMAGES).any(1).any(0)
        rows, columns = pasted.any(1).nonzero().flatten(), pasted.any(0).nonzero().flatten()
        assert int(pasted.sum()) == len(rows) * len(columns)  # a rectangle
        assert torch.equal(images, torch.where(pasted, IMAGES.roll(1, 0), IMAGES))
        assert float(shares(labels)[0]) == pytest.approx(1 - float(pasted.float().mean()), abs=1e-6)
        torch.testing.assert_close(labels.sum(1), torch.ones(6))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.75, 1.0])
def test_the_box_is_the_papers(share: float) -> None:
    side = math.sqrt(1 - share)
    found = box(share, 20, 30, 40, 60)  # about the centre: nothing is clipped
    left, top, right, bottom = found["box"]
    assert abs((right - left) - 60 * side) < 2 and abs((bottom - top) - 40 * side) < 2
    assert found["lam_adjusted"] == 1 - (right - left) * (bottom - top) / 2400
    left, top, right, bottom = box(0.0, 0, 59, 40, 60)["box"]
    assert (left, top, right, bottom) == (29, 0, 60, 20)


def test_draws_belong_to_seed_epoch_batch_and_rank_and_leave_torchs_generator_alone() -> None:
    state = torch.get_rng_state()
    first = mixed("mixup")[1]
    assert torch.equal(first, mixed("mixup")[1])
    for other in ({"batch": 1}, {"epoch": 1}, {"seed": 1}, {"rank": 1}):
        assert not torch.equal(first, mixed("mixup", **other)[1]), other
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_are_beta_distributed(alpha: float) -> None:
    count = 600
    found = np.array([float(shares(mixed("mixup", batch, alpha=alpha)[1])[0]) for batch in range(count)])
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(found.mean() - 0.5) < 4 * (variance / count) ** 0.5
    assert found.var() == pytest.approx(variance, rel=0.15)


def test_one_or_the_other_is_taken_for_about_half_of_the_batches() -> None:
    kinds = []
    for batch in range(80):
        images = mixed("mixup_or_cutmix", batch)[0]
        whole = [torch.equal(images, mixed(mix, batch)[0]) for mix in ("mixup", "cutmix")]
        assert any(whole)
        kinds.append(whole[0])
    assert 22 <= sum(kinds) <= 58  # four standard deviations
