"""Ranks of a batch each train as one process with all their pictures in its batch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from ranks import Fork, all_well, start
from runs import read, rows
from support import TINY
from torch import nn

from plcnn.data.augmentations import augmentations
from plcnn.data.loader import Batch, BatchLoader

RUN = Path("run/version_0")
CONVOLUTIONS = """
from torch import nn
from plcnn import register

@register
def without_norm(num_classes: int):
    convolutions = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(128, num_classes))
"""
SGD = ["--model.optimizer", "sgd", "--model.optimizer.lr", "0.05", "--model.optimizer.momentum", "0.9"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights and statistics of a run's last checkpoint."""
    found = read(folder / RUN / "checkpoints" / "last.ckpt")["state_dict"]
    return {name: tensor for name, tensor in found.items() if tensor.is_floating_point()}


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The greatest difference of two tensors of one name, relative to the greatest value in them."""
    assert one.keys() == other.keys()
    return max(float((one[k] - other[k]).abs().max() / one[k].abs().max().clamp_min(1e-3)) for k in one)


@pytest.mark.parametrize(
    ("pictures", "network", "more"),
    [
        # 180 training pictures: batches of 20, on two ranks of 10, on three of 6 and 7
        pytest.param("200", [], ["--trainer.max_steps", "1"], id="one step"),
        pytest.param("200", ["--model.arch", "without_norm"], ["--trainer.max_steps", "3"], id="three steps"),
        pytest.param("200", [], ["--trainer.max_epochs", "2"], id="epochs"),
        # 170: the last batch has 10 pictures, on two ranks 5 each
        pytest.param("190", [], ["--trainer.max_epochs", "2"], id="a smaller last batch"),
        pytest.param("200", [], ["--trainer.max_epochs", "2", "--trainer.accumulate_grad_batches", "3"], id="sums"),
    ],
)
def test_two_ranks_train_as_one_with_twice_the_batch(
    fork: Fork, tmp_path: Path, pictures: str, network: list[str], more: list[str]
) -> None:
    (tmp_path / "without_norm.py").write_text(CONVOLUTIONS)
    val = str(20 / int(pictures))
    same = [
        "fit",
        *TINY,
        "--plugins",
        tmp_path / "without_norm.py",
        *network,
        *SGD,
        "--data.source.train_size",
        pictures,
        "--data.val_fraction",
        val,
        *more,
    ]
    same += ["--curves.enabled", "false", "--tensorboard.graph", "false", "--opening.layers", "false"]
    (one,) = start(fork, 1, *same, "--data.batch_size", 20, folder=tmp_path / "one")
    two = start(fork, 2, *same, "--data.batch_size", 10, folder=tmp_path / "two")
    outcomes = all_well([one, *two])
    assert "batches of 10 (effective" in outcomes[1].out
    assert distance(weights(tmp_path / "one"), weights(tmp_path / "two")) < 1e-6
    for alone, shared in zip(rows(tmp_path / "one" / RUN), rows(tmp_path / "two" / RUN), strict=True):
        assert alone["step"] == shared["step"] and alone["val/acc"] == shared["val/acc"]
        assert alone["train/acc"] == shared["train/acc"]
        assert float(shared["train/loss"]) == pytest.approx(float(alone["train/loss"]), rel=1e-5)


@pytest.mark.parametrize(
    ("count", "share"),
    # of 23 each rank could have 7, but a last batch of one picture is left out: batch norm cannot train on it
    [(12, 4), (13, 4), (14, 4), (23, 6), (24, 8)],
)
def test_a_step_reads_as_many_pictures_on_every_rank(count: int, share: int) -> None:
    shares = [list(batches(rank, 3, train=True, count=count)) for rank in range(3)]
    assert len({tuple(len(batch.labels) for batch in share) for share in shares}) == 1
    read_ = torch.cat([batch.labels for share in shares for batch in share]).tolist()
    assert len(set(read_)) == len(read_) == 3 * share


def batches(
    rank: int, world: int, *, train: bool, count: int, seed: int = 0, epoch: int = 0, batch_size: int = 2
) -> Iterator[Batch]:
    """The batches of a rank: equal pictures, each with its number as label."""
    images = torch.arange(3 * 8 * 8, dtype=torch.uint8).reshape(1, 3, 8, 8).expand(count, -1, -1, -1).clone()
    shift = augmentations.choose("shift_zoom_flip").build()
    assert isinstance(shift, nn.Module)
    loader = BatchLoader(
        images,
        torch.arange(count),
        batch_size,
        train=train,
        augments=[shift],
        seed=seed,
        position=lambda: (epoch, 0),
        rank=rank,
        world_size=world,
    )
    yield from loader


def pictures(rank: int, **settings: int) -> torch.Tensor:
    """What a rank of two sees of twelve equal pictures, (6, ...)."""
    return torch.cat([batch.images.float() for batch in batches(rank, 2, train=True, count=12, **settings)])


def test_augmentation_differs_by_rank_and_epoch_and_repeats_for_a_seed() -> None:
    seen = [pictures(0), pictures(1), pictures(0, epoch=1), pictures(0, seed=1)]
    for i, one in enumerate(seen):
        # equal pictures: any two draws differ
        assert not any(torch.equal(one, other) for other in seen[:i])
    flat = torch.cat([pictures(0), pictures(1)]).flatten(1)
    assert len(torch.unique(flat, dim=0)) == 12
    assert torch.equal(pictures(0), seen[0]) and torch.equal(pictures(1), seen[1])


def test_a_picture_is_augmented_alike_on_whichever_rank_it_is_read() -> None:
    def by_number(world: int) -> dict[int, torch.Tensor]:
        shares = [batch for rank in range(world) for batch in batches(rank, world, train=True, count=12)]
        return {int(n): image for b in shares for n, image in zip(b.labels, b.images, strict=True)}

    alone, shared = by_number(1), by_number(3)
    assert alone.keys() == shared.keys() == set(range(12))
    assert all(torch.equal(alone[n], shared[n]) for n in alone)
