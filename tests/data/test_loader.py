"""Batches: order, sharing over ranks, resuming, augmentation, and the same ones wherever the pictures lie."""

import pytest
import torch

from plcnn.data import keep
from plcnn.data.augmentations import augmentations
from plcnn.data.batchwise.mixing import Mixing
from plcnn.data.kept.stores import Part, take
from plcnn.data.loader import Batch, BatchLoader
from plcnn.data.randomness import Draws
from plcnn.errors import UserError

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
        augments = [augmentations.build("shift_zoom_flip")]
        batches = BatchLoader(gradient, LABELS, batch_size, train=True, augments=augments, **settings)
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


class Counting:
    """A store of pictures whose value is their index; `shape` is a picture's."""

    shape = (3, 8, 8)

    def __len__(self) -> int:
        return COUNT

    def read(self, indices: torch.Tensor) -> torch.Tensor:
        if 13 in indices.tolist() and getattr(self, "broken", False):
            raise UserError("picture 13 is broken")
        return IMAGES[indices]


def every_batch(**settings: object) -> list[Batch]:
    """Augmented and mixed training batches of a run that goes on in its second epoch's middle."""
    augments = [augmentations.build("pad_crop", padding=2), augmentations.build("color_jitter")]
    images = settings.pop("images", IMAGES)
    mixing = Mixing("mixup_or_cutmix", 1.0, COUNT, seed=5)
    made = BatchLoader(
        images, LABELS, 10, train=True, augments=augments, mixing=mixing, seed=5, position=lambda: (1, 3), **settings
    )
    return list(made)


@pytest.mark.parametrize("rank", [0, 1])
def test_batches_are_the_same_wherever_the_pictures_lie(rank: int) -> None:
    ranks = {"rank": rank, "world_size": 2}
    expected = every_batch(**ranks)
    assert len(expected) == 2
    state = torch.get_rng_state()
    for settings in (
        {"place": "host"},
        {"place": "workers", "workers": 1},
        {"place": "workers", "workers": 2},
        {"place": "workers", "workers": 2, "images": Part(Counting())},
        {"place": "host", "images": Part(Counting())},
    ):
        found = every_batch(**settings, **ranks)
        assert len(found) == len(expected), settings
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels), settings
    assert torch.equal(torch.get_rng_state(), state)  # dropout's numbers are left alone


def test_workers_serve_epoch_after_epoch_and_survive_an_abandoned_one() -> None:
    epoch = 0
    batches = loader(train=True, place="workers", workers=2, position=lambda: (epoch, 0))
    first = labels_of(batches)
    next(iter(batches))
    for epoch in (0, 1):
        expected = list(loader(train=True, position=lambda: (epoch, 0)))  # noqa: B023
        found = list(batches)
        assert all(torch.equal(a.images, b.images) for a, b in zip(found, expected, strict=True))
    assert sorted(first) == list(range(COUNT))


def test_an_error_in_a_worker_is_the_stores_own() -> None:
    broken = Counting()
    broken.broken = True  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="^picture 13 is broken$"):
        list(BatchLoader(Part(broken), LABELS, 10, place="workers", workers=1))


def test_parts_of_a_store_and_of_a_tensor_are_the_same_pictures() -> None:
    for rows in (torch.tensor([3, 4, 5, 6]), torch.tensor([1, 5, 90]), torch.empty(0, dtype=torch.int64)):
        in_memory, stored = take(IMAGES.contiguous(), rows), take(Counting(), rows)
        assert torch.equal(in_memory, IMAGES[rows]) and torch.equal(stored[:], IMAGES[rows])
        assert len(stored) == len(rows) and torch.equal(stored[:2], IMAGES[rows[:2]])
    images = IMAGES.contiguous()
    assert take(images, torch.arange(10, COUNT)).data_ptr() == images[10:].data_ptr()  # not another copy


def test_fixed_seed_batches_are_those_of_the_first_release() -> None:
    """Gathered channels-last, as floats, through ShiftZoomFlip with `uniforms`: the loader's steps until now."""
    pixels = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    augment = augmentations.build("shift_zoom_flip")
    batches = BatchLoader(pixels, torch.arange(40), 16, train=True, augments=[augment], seed=3, position=lambda: (2, 0))
    last = pixels.permute(0, 2, 3, 1).contiguous()
    for batch in batches:
        images = last.index_select(0, batch.labels).permute(0, 3, 1, 2).float().div_(255)
        expected = augment(images, Draws(3, 2, batch.labels))
        assert torch.equal(batch.images, expected) and batch.images.stride() == expected.stride()


def test_pictures_lie_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, cpu = torch.device("cuda", 0), torch.device("cpu")
    free = 2 * IMAGES.nbytes
    monkeypatch.setattr(keep.torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    assert keep.place_of("auto", IMAGES, gpu) == "device" == keep.place_of("device", IMAGES, gpu)
    free = 2 * IMAGES.nbytes - 1
    assert keep.place_of("auto", IMAGES, gpu) == "host" and keep.place_of("device", IMAGES, gpu) == "device"
    free = IMAGES.nbytes - 1
    with pytest.raises(UserError, match=r"--data.keep device: 103 pictures take 0.00 GiB, and cuda:0 has 0.00 GiB"):
        keep.place_of("device", IMAGES, gpu)
    assert keep.place_of("auto", IMAGES, cpu) == "device"
    assert keep.place_of("workers", IMAGES, gpu) == "workers" and keep.place_of("host", IMAGES, cpu) == "host"
    stored = Part(Counting())
    assert keep.place_of("auto", stored, cpu) == "workers" and keep.place_of("host", stored, gpu) == "host"
    with pytest.raises(UserError, match="--data.keep device: this source's pictures are read when"):
        keep.place_of("device", stored, cpu)
