"""Colour and geometry against torchvision's functional operations, one picture at a time with the amounts drawn."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from plcnn.data.augmentations import augmentations, rand_augment, trivial_augment
from plcnn.data.batchwise import colour
from plcnn.data.batchwise.operations import NAMES, Operations
from plcnn.data.randomness import Draws, uniforms

COUNT = 24
IMAGES = torch.rand(COUNT, 3, 12, 10, generator=torch.Generator().manual_seed(1))
IMAGES[0] = 0.25  # even
IMAGES[1, 0] = IMAGES[1, 1]  # two channels are the maximum together
INDICES = torch.arange(COUNT)


def one_by_one(change: Callable[[Tensor, float], Tensor], images: Tensor, amounts: Tensor) -> Tensor:
    return torch.stack([change(image, float(a)) for image, a in zip(images, amounts, strict=True)])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ours", "theirs", "least", "most"),
    [
        (colour.adjust_brightness, F.adjust_brightness, 0, 2),
        (colour.adjust_contrast, F.adjust_contrast, 0, 2),
        (colour.adjust_saturation, F.adjust_saturation, 0, 2),
        (colour.adjust_hue, F.adjust_hue, -0.5, 0.5),
        (colour.solarize, F.solarize, 0, 1),
        (colour.posterize, lambda image, bits: F.posterize(image, round(bits)), 0, 8),
        (lambda x, a: colour.blend(x, colour.blurred(x), a), F.adjust_sharpness, 0, 2),
        (lambda x, _: colour.autocontrast(x), lambda image, _: F.autocontrast(image), 0, 1),
        (lambda x, _: colour.equalize(x), lambda image, _: F.equalize(image), 0, 1),
    ],
)
def test_a_batch_is_torchvisions_operation_on_each(
    ours: Callable[..., Tensor], theirs: Callable[..., Tensor], least: float, most: float, channels: int
) -> None:
    images, amounts = IMAGES[:, :channels], torch.linspace(least, most, COUNT)
    if most == 8:
        amounts = amounts.round()
    found = ours(images, amounts.view(-1, 1, 1, 1))
    torch.testing.assert_close(found, one_by_one(theirs, images, amounts), rtol=0, atol=2e-6)


def test_color_jitter_is_torchvisions_functions_in_the_stated_order() -> None:
    brightness, contrast, saturation, hue = 0.4, 1.5, 0.3, 0.2
    augment = augmentations.build(
        "color_jitter", brightness=brightness, contrast=contrast, saturation=saturation, hue=hue
    )
    numbers = uniforms(3, 1, INDICES, 4)
    expected = []
    for image, (b, c, s, h) in zip(IMAGES, numbers.tolist(), strict=True):
        image = F.adjust_brightness(image, 0.6 + 0.8 * b)
        image = F.adjust_contrast(image, 2.5 * c)  # from max(0, 1 - 1.5)
        image = F.adjust_saturation(image, 0.7 + 0.6 * s)
        expected.append(F.adjust_hue(image, -0.2 + 0.4 * h))
    torch.testing.assert_close(augment(IMAGES, Draws(3, 1, INDICES)), torch.stack(expected), rtol=0, atol=5e-6)


SPACES = {
    "rand_augment": (v2.RandAugment, rand_augment.strengths(12, 10)),
    "trivial_augment": (v2.TrivialAugmentWide, trivial_augment.strengths()),
}


def theirs(space: type, image: Tensor, place: int, strength: int, negative: bool) -> Tensor:
    """Torchvision's operation at our place, with a strength of its own table."""
    name = list(space._AUGMENTATION_SPACE)[place]
    magnitudes, signed = space._AUGMENTATION_SPACE[name]
    table = magnitudes(31, *image.shape[1:])
    magnitude = 0.0 if table is None else float(table[strength]) * (-1 if signed and negative else 1)
    return space()._apply_image_or_video_transform(
        image, name, magnitude, interpolation=v2.InterpolationMode.NEAREST, fill={Tensor: None}
    )


def near(found: Tensor, expected: Tensor) -> None:
    """All but a column or two: nearest neighbours are a matter of rounding where pixels lie between two."""
    assert ((found - expected).abs() < 5e-6).float().mean() > 0.88


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("place", range(len(NAMES)), ids=NAMES)
def test_every_operation_is_torchvisions_at_every_strength(space: str, place: int) -> None:
    transform, table = SPACES[space]
    names = [name.lower() for name in transform._AUGMENTATION_SPACE]
    assert names == [name.replace("_", "") for name in NAMES]
    strengths, negative = torch.arange(31), torch.arange(31) % 2 == 0
    images = IMAGES[torch.arange(31) % COUNT]
    found = Operations(table)(images, torch.full((31,), place), strengths, negative)
    for image, one, strength, sign in zip(images, found, strengths.tolist(), negative.tolist(), strict=True):
        near(one, theirs(transform, image, place, strength, sign))


def test_rand_augment_is_its_operations_in_turn() -> None:
    augment, transform = augmentations.build("rand_augment", num_ops=2, magnitude=12), SPACES["rand_augment"][0]
    found, numbers = augment(IMAGES, Draws(0, 0, INDICES)), uniforms(0, 0, INDICES, 4)
    for image, one, (first, second, way, other) in zip(IMAGES, found, numbers.tolist(), strict=True):
        for which, direction in ((first, way), (second, other)):
            image = theirs(transform, image, int(which * 14), 12, direction < 0.5)
        near(one, image)


def test_trivial_augment_draws_operation_and_strength() -> None:
    augment, transform = augmentations.build("trivial_augment"), SPACES["trivial_augment"][0]
    found, numbers = augment(IMAGES, Draws(0, 0, INDICES)), uniforms(0, 0, INDICES, 3)
    for image, one, (which, strength, way) in zip(IMAGES, found, numbers.tolist(), strict=True):
        near(one, theirs(transform, image, int(which * 14), int(strength * 31), way < 0.5))
    assert len({int(n * 14) for n in uniforms(0, 0, torch.arange(500), 1)[:, 0].tolist()}) == 14
