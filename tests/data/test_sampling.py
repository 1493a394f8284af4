"""Which pictures an epoch shows."""

import torch

from plcnn.data.loader import BatchLoader
from plcnn.data.parts.sampling import Sampler
from plcnn.data.randomness import permutation

LABELS = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
CPU = torch.device("cpu")


def test_each_once_is_a_permutation() -> None:
    sampler = Sampler(LABELS, "each_once", 3)
    order = sampler.order(2, CPU)
    assert torch.equal(order, permutation(3, 2, 1000)) and torch.equal(sampler.draws_of(order), order)


def test_balanced_shows_every_class_equally_often() -> None:
    sampler = Sampler(LABELS, "balanced", 0)
    shown = torch.stack([sampler.order(epoch, CPU) for epoch in range(30)])
    counts = torch.bincount(LABELS[shown.flatten()])
    # binomial, 30,000 draws at 1/3: four standard deviations are 327
    assert (counts - 10_000).abs().max() < 327
    of_pictures = torch.bincount(shown.flatten(), minlength=1000)
    assert of_pictures[990:].min() > 800 and of_pictures[:900].float().mean() < 12
    assert not torch.equal(shown[0], shown[1]) and torch.equal(shown[1], sampler.order(1, CPU))


def test_a_picture_that_is_shown_again_is_augmented_otherwise() -> None:
    sampler = Sampler(LABELS, "balanced", 0)
    order = sampler.order(0, CPU)
    draws_of = sampler.draws_of(order)
    assert len(draws_of.unique()) == 1000 and torch.equal(draws_of % 1000, order)
    first = torch.tensor([order.tolist().index(picture) for picture in order.tolist()])
    assert torch.equal(draws_of[first.unique()], order[first.unique()])


def test_ranks_share_a_balanced_epoch() -> None:
    images = torch.arange(1000).view(-1, 1, 1, 1).to(torch.uint8)
    whole = [b.labels for b in BatchLoader(images, LABELS, 50, train=True, sampling="balanced")]
    ranks = [
        torch.cat(
            [b.labels for b in BatchLoader(images, LABELS, 50, train=True, sampling="balanced", rank=r, world_size=2)]
        )
        for r in range(2)
    ]
    assert torch.equal(torch.stack(ranks, 1).flatten(), torch.cat(whole))
