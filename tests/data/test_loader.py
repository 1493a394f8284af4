"""Batches from memory: order, sharing over ranks, resuming, augmentation."""

import pytest
import torch

from plcnn.data.augment import augmentations
from plcnn.data.loader import BatchLoader

COUNT = 103
IMAGES = torch.arange(COUNT, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8) * 2
LABELS = torch.arange(COUNT)


def loader(batch_size: int = 10, **settings: object) -> BatchLoader:
    return BatchLoader(IMAGES, LABELS, batch_size, **settings)


def labels_of(batches: BatchLoader) -> list[int]:
    return [int(label) for batch in batches for label in batch.labels]


def test_evaluation_reads_in_order_and_pairs_pictures_with_labels() -> None:
    batches = list(loader())
    assert [len(b.labels) for b in batches] == [10] * 10 + [3] and len(loader()) == 11
    assert labels_of(loader()) == list(range(COUNT))
    for batch in batches:
        assert batch.images.dtype == torch.uint8 and batch.images.shape[1:] == (3, 8, 8)
        assert torch.equal(batch.images[:, 0, 0, 0], (batch.labels * 2).to(torch.uint8))
        assert batch.images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 7])
def test_evaluation_on_several_ranks_reads_each_picture_once(world_size: int) -> None:
    read = [label for rank in range(world_size) for label in labels_of(loader(rank=rank, world_size=world_size))]
    assert sorted(read) == list(range(COUNT))


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_training_shares_out_equally_without_doubles(world_size: int) -> None:
    ranks = [loader(train=True, rank=rank, world_size=world_size) for rank in range(world_size)]
    read = [labels_of(rank) for rank in ranks]
    assert len({len(r) for r in read}) == 1 and len({len(rank) for rank in ranks}) == 1
    together = [label for r in read for label in r]
    assert len(set(together)) == len(together) > COUNT - 2 * world_size


def test_the_order_repeats_for_a_seed_and_differs_by_epoch_and_seed() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return labels_of(loader(train=True, seed=seed, position=lambda: (epoch, 0)))

    assert order(0, 0) == order(0, 0) != list(range(COUNT))
    assert order(0, 0) != order(0, 1) and order(0, 0) != order(1, 0)
    assert sorted(order(3, 4)) == list(range(COUNT))


def test_an_epoch_goes_on_in_its_middle() -> None:
    whole = labels_of(loader(train=True, position=lambda: (2, 0)))
    assert labels_of(loader(train=True, position=lambda: (2, 4))) == whole[40:]


def test_an_abandoned_iteration_leaves_no_trace() -> None:
    batches = loader()
    next(iter(batches))
    assert labels_of(batches) == list(range(COUNT))


def test_a_last_training_batch_of_one_picture_is_left_out() -> None:
    batches = [len(b.labels) for b in loader(batch_size=51, train=True)]
    assert batches == [51, 51] and len(loader(batch_size=51, train=True)) == 2


def test_augmentation_depends_on_seed_epoch_and_picture_alone() -> None:
    gradient = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(COUNT, 3, 8, 8)

    def pictures(**settings: object) -> dict[int, torch.Tensor]:
        batch_size = settings.pop("batch_size", 10)
        augment = augmentations.choose("shift_zoom_flip").build()
        batches = BatchLoader(gradient, LABELS, batch_size, train=True, augment=augment, **settings)
        return {int(n): image for batch in batches for n, image in zip(batch.labels, batch.images, strict=True)}

    first, again = pictures(), pictures(batch_size=20)
    assert first[0].dtype == torch.float32 and float(first[0].min()) >= 0 and float(first[0].max()) <= 1
    for number in first.keys() & again.keys():
        torch.testing.assert_close(first[number], again[number], rtol=0, atol=1e-6)
    for other in (pictures(seed=1), pictures(position=lambda: (1, 0))):
        assert not any(torch.equal(first[n], other[n]) for n in first.keys() & other.keys())
    assert len({image.numpy().tobytes() for image in first.values()}) == COUNT
    ranks = pictures(rank=0, world_size=2), pictures(rank=1, world_size=2)
    assert not ranks[0].keys() & ranks[1].keys()
    for rank in ranks:
        for number, image in rank.items():
            torch.testing.assert_close(image, first[number], rtol=0, atol=1e-6)
