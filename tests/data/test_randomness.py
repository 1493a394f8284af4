"""Counter-based randomness: against the formula in Python's integers, and against what uniform and independent mean."""

import pytest
import torch

from plcnn.data.randomness import permutation, uniforms

PICTURES = torch.arange(20_000)


def absorb(state: int, word: int) -> int:
    state = ((state ^ (word % 2**64)) + 0x9E3779B97F4A7C15) % 2**64
    for places, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state // 2**places)) * factor % 2**64
    return state ^ (state // 2**31)


def expected_bits(seed: int, epoch: int, picture: int, draw: int) -> int:
    state = 0
    for word in (seed, epoch, picture, draw):
        state = absorb(state, word)
    return state


def test_absorbing_nothing_is_splitmix64s_first_output() -> None:
    assert absorb(0, 0) == 0xE220A8397B1DCDAF  # splitmix64.c from state 0, widely published


@pytest.mark.parametrize("seed, epoch", [(0, 0), (42, 3), (2**32 - 1, 49), (-1, -2), (2**63, 2**64 - 1)])
def test_the_numbers_are_the_formulas(seed: int, epoch: int) -> None:
    pictures = [0, 1, 49_999, 2**40, 2**63 - 1]
    expected = [[(expected_bits(seed, epoch, p, d) >> 40) / 2**24 for d in range(9)] for p in pictures]
    assert uniforms(seed, epoch, torch.tensor(pictures), 9).tolist() == expected


def test_the_order_is_the_formulas() -> None:
    def as_signed(bits: int) -> int:
        return bits - 2**64 if bits >= 2**63 else bits

    expected = sorted(range(300), key=lambda picture: as_signed(expected_bits(7, 5, picture, -1)))
    assert permutation(7, 5, 300).tolist() == expected


def test_a_pictures_numbers_do_not_depend_on_its_batch() -> None:
    whole = uniforms(1, 2, PICTURES, 8)
    shuffled = permutation(0, 0, len(PICTURES))
    assert torch.equal(uniforms(1, 2, PICTURES[shuffled], 8), whole[shuffled])
    assert torch.equal(uniforms(1, 2, torch.tensor([777]), 8)[0], whole[777])
    assert torch.equal(uniforms(1, 2, PICTURES, 3), whole[:, :3])
    assert torch.equal(uniforms(1, 2, PICTURES.to(torch.int32), 8), whole)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same_bits() -> None:
    assert torch.equal(uniforms(1, 2, PICTURES.cuda(), 8).cpu(), uniforms(1, 2, PICTURES, 8))
    assert torch.equal(permutation(1, 2, 20_000, "cuda").cpu(), permutation(1, 2, 20_000))


def test_shapes_and_types() -> None:
    assert uniforms(0, 0, PICTURES[:0], 5).shape == (0, 5)
    assert uniforms(0, 0, PICTURES, 0).shape == (20_000, 0)
    assert uniforms(0, 0, PICTURES, 5).dtype == torch.float32
    assert permutation(0, 0, 0).shape == (0,)
    assert permutation(0, 0, 5).dtype == torch.int64


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_uniform(seed: int) -> None:
    numbers = uniforms(seed, 1, PICTURES, 10).flatten().double()
    count, bins = len(numbers), 256
    assert numbers.min() >= 0 and numbers.max() < 1
    found = torch.bincount((numbers * bins).long(), minlength=bins)
    chi_square = ((found - count / bins) ** 2 / (count / bins)).sum().item()
    # chi-square with k degrees has mean k and variance 2 k
    assert abs(chi_square - (bins - 1)) < 4 * (2 * (bins - 1)) ** 0.5
    steps = torch.arange(1, count + 1) / count
    kolmogorov_smirnov = (numbers.sort().values - steps).abs().max().item() * count**0.5
    assert kolmogorov_smirnov < 1.95  # exceeded by chance once in a thousand


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """In standard deviations of what independent numbers show."""
    return torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].item() * first.numel() ** 0.5


def test_neighbours_are_uncorrelated() -> None:
    here = uniforms(3, 4, PICTURES, 8)
    neighbours = {
        "next picture": uniforms(3, 4, PICTURES + 1, 8),
        "next epoch": uniforms(3, 5, PICTURES, 8),
        "next seed": uniforms(4, 4, PICTURES, 8),
        "seed and epoch exchanged": uniforms(4, 3, PICTURES, 8),
        "next draw": here.roll(1, dims=1),
    }
    for name, there in neighbours.items():
        assert abs(correlation(here, there)) < 4, name
    draws = torch.corrcoef(here.T) * len(PICTURES) ** 0.5
    assert draws.triu(diagonal=1).abs().max() < 4.5
    epochs = torch.corrcoef(torch.cat([uniforms(3, epoch, PICTURES, 1) for epoch in range(20)], dim=1).T)
    assert epochs.triu(diagonal=1).abs().max() * len(PICTURES) ** 0.5 < 4.5


def test_no_two_places_share_their_numbers() -> None:
    numbers = torch.cat([uniforms(seed, epoch, PICTURES[:2000], 3) for seed in range(5) for epoch in range(5)])
    assert len(numbers.unique(dim=0)) == len(numbers)


def test_the_order_holds_each_picture_once_and_repeats() -> None:
    order = permutation(0, 0, 45_000)
    assert torch.equal(order.sort().values, torch.arange(45_000))
    assert torch.equal(order, permutation(0, 0, 45_000))


def test_epochs_and_seeds_differ_in_order() -> None:
    orders = torch.stack([permutation(seed, epoch, 20_000) for seed in range(3) for epoch in range(3)])
    for i, order in enumerate(orders):
        assert abs(correlation(order.double(), torch.arange(20_000).double())) < 4
        for other in orders[i + 1 :]:
            # strangers meet at one place on average (Poisson with mean 1)
            assert (order == other).sum() < 8
