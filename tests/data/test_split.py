"""The split of training and validation pictures."""

import pytest
import torch

from plcnn.data.split import split_indices
from plcnn.errors import UserError

LABELS = torch.arange(1000) % 7


@pytest.mark.parametrize("kind", ["first", "random", "stratified"])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.333])
def test_every_picture_is_in_one_part(kind: str, fraction: float) -> None:
    train, val = split_indices(LABELS, kind, fraction, 0)
    assert len(val) == round(1000 * fraction)
    assert torch.cat([train, val]).sort().values.tolist() == list(range(1000))


def test_first_holds_out_the_first_tenth() -> None:
    train, val = split_indices(torch.zeros(50_000, dtype=torch.long), "first", 0.1, 0)
    assert val.tolist() == list(range(5_000)) and train.tolist() == list(range(5_000, 50_000))


def test_stratified_holds_out_the_same_share_of_each_class() -> None:
    labels = torch.tensor([0] * 700 + [1] * 200 + [2] * 100)
    _, val = split_indices(labels, "stratified", 0.1, 3)
    assert torch.bincount(labels[val]).tolist() == [70, 20, 10]


@pytest.mark.parametrize("kind", ["random", "stratified"])
def test_the_split_depends_on_its_seed_alone(kind: str) -> None:
    first = split_indices(LABELS, kind, 0.2, 5)[1]
    torch.manual_seed(99)
    torch.rand(3)
    assert torch.equal(split_indices(LABELS, kind, 0.2, 5)[1], first)
    assert not torch.equal(split_indices(LABELS, kind, 0.2, 6)[1], first)


@pytest.mark.parametrize("fraction", [1.0, -0.1, 0.9999])
def test_a_fraction_that_leaves_nothing_to_train_on_is_refused(fraction: float) -> None:
    with pytest.raises(UserError, match="val_fraction"):
        split_indices(LABELS, "first", fraction, 0)
