"""Every registered augmentation: what the loader may rely on, and what each of the plain ones does to known pixels."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resized_crop

from plcnn.data.augmentations import apply, augmentations
from plcnn.data.randomness import Draws, uniforms
from plcnn.errors import UserError

COUNT = 400
INDICES = torch.arange(COUNT)


def draws(epoch: int = 0, seed: int = 0, pictures: Tensor = INDICES, stream: int = 0) -> Draws:
    return Draws(seed, epoch, pictures, stream)


def coordinates(count: int, height: int, width: int) -> Tensor:
    """(count, 2, height, width): row and column of each pixel, from 1, so that 0 is nothing."""
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.stack([down, across]) + 1).to(torch.uint8).expand(count, 2, height, width).contiguous()


@pytest.mark.parametrize("name", augmentations.names())
@pytest.mark.parametrize("channels", [1, 3])
def test_an_augmentation_keeps_shape_type_range_and_format_and_its_argument(name: str, channels: int) -> None:
    augment = augmentations.build(name)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        images = torch.rand(9, channels, 12, 16).contiguous(memory_format=memory_format)
        before = images.clone()
        found = augment(images, draws(pictures=INDICES[:9]))
        assert found.shape == images.shape and found.dtype == images.dtype
        assert found.is_contiguous(memory_format=memory_format)
        assert torch.equal(images, before)
        assert float(found.min()) >= 0 and float(found.max()) <= 1 + 1e-6


@pytest.mark.parametrize("name", augmentations.names())
def test_a_picture_is_changed_alike_in_every_batch_but_not_in_every_epoch(name: str) -> None:
    augment, images = augmentations.build(name), torch.rand(60, 3, 12, 16)
    indices = INDICES[:60]
    whole = augment(images, draws(pictures=indices))
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(augment(images[order], draws(pictures=indices[order])), whole[order], rtol=0, atol=1e-6)
    torch.testing.assert_close(augment(images[7:8], draws(pictures=indices[7:8])), whole[7:8], rtol=0, atol=1e-6)
    if name != "none":
        for other in (draws(epoch=1), draws(seed=1), draws(stream=1)):
            changed = augment(images, Draws(other.seed, other.epoch, indices, other.stream))
            assert not torch.equal(changed, whole)


@pytest.mark.parametrize("name", augmentations.names())
def test_those_that_take_bytes_do_to_them_what_they_do_to_floats(name: str) -> None:
    augment = augmentations.build(name)
    pixels = torch.randint(0, 256, (40, 3, 10, 10), dtype=torch.uint8)
    floats = augment(pixels.float() / 255, draws(pictures=INDICES[:40]))
    found = apply([augment], pixels, draws(pictures=INDICES[:40]))
    assert found.dtype == (torch.uint8 if getattr(augment, "takes_uint8", False) else torch.float32)
    assert torch.equal(found / 255 if found.dtype == torch.uint8 else found, floats)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", augmentations.names())
def test_autocast_changes_nothing(name: str) -> None:
    augment, images = augmentations.build(name), torch.rand(20, 3, 8, 8)
    plain = augment(images, draws(pictures=INDICES[:20]))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augment(images, draws(pictures=INDICES[:20])), plain)


def test_several_read_streams_of_their_own_in_order() -> None:
    pixels = torch.randint(0, 256, (COUNT, 3, 6, 6), dtype=torch.uint8)
    flip = augmentations.build("flip")
    first = uniforms(0, 0, INDICES, 1)[:, 0] < 0.5
    second = draws(stream=1).uniforms(1)[:, 0] < 0.5
    found = apply([flip, flip], pixels, draws())
    turned = (first ^ second).view(-1, 1, 1, 1)
    assert torch.equal(found, torch.where(turned, pixels.flip(3), pixels))
    assert (first != second).float().mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_flip_mirrors_as_often_as_told(p: float) -> None:
    images = coordinates(COUNT, 3, 5)
    found = augmentations.build("flip", p=p)(images, draws())
    flipped = found[:, 1, 0, 0] == 5
    assert torch.equal(found[flipped], images[flipped].flip(3)) and torch.equal(found[~flipped], images[~flipped])
    assert abs(float(flipped.float().mean()) - p) <= 4 * (p * (1 - p) / COUNT) ** 0.5


def test_alternating_flip_shows_the_other_side_in_every_following_epoch() -> None:
    images, flip = coordinates(COUNT, 3, 5), augmentations.build("alternating_flip")
    sides = torch.stack([flip(images, draws(epoch))[:, 1, 0, 0] == 5 for epoch in range(5)])
    assert all(torch.equal(sides[epoch], sides[epoch + 1].logical_not()) for epoch in range(4))
    assert abs(float(sides[0].float().mean()) - 0.5) < 4 * 0.5 / COUNT**0.5
    assert not torch.equal(sides[0], flip(images, draws(seed=1))[:, 1, 0, 0] == 5)


@pytest.mark.parametrize("fill", ["reflect", "zeros"])
def test_pad_crop_is_padding_and_a_crop_at_each_of_the_places(fill: str) -> None:
    images = torch.randint(0, 256, (COUNT, 3, 6, 9), dtype=torch.uint8)
    found = augmentations.build("pad_crop", padding=2, fill=fill)(images, draws())
    mode = "reflect" if fill == "reflect" else "constant"
    padded = torch.nn.functional.pad(images.float(), (2, 2, 2, 2), mode=mode).to(torch.uint8)
    numbers = uniforms(0, 0, INDICES, 2)
    places = set()
    for image, one, (down, across) in zip(padded, found, numbers.tolist(), strict=True):
        top, left = math.floor(down * 5), math.floor(across * 5)
        places.add((top, left))
        assert torch.equal(one, image[:, top : top + 6, left : left + 9])
    assert len(places) == 25
    assert torch.equal(augmentations.build("pad_crop", padding=0)(images, draws()), images)


def test_pad_crop_refuses_what_it_cannot_reflect() -> None:
    with pytest.raises(UserError, match="padding: got 6; allowed: below the picture's 6 pixels"):
        augmentations.build("pad_crop", padding=6)(torch.zeros(1, 1, 6, 9), draws(pictures=INDICES[:1]))
    with pytest.raises(UserError, match="padding: got -1"):
        augmentations.build("pad_crop", padding=-1)


def test_cutout_hides_a_square_clipped_at_the_border() -> None:
    images = torch.ones(COUNT, 2, 8, 10)
    found = augmentations.build("cutout", size=4)(images, draws())
    sizes = set()
    for one, (_, down, across) in zip(found, uniforms(0, 0, INDICES, 3).tolist(), strict=True):
        row, column = math.floor(down * 8), math.floor(across * 10)
        expected = torch.ones(2, 8, 10)
        expected[:, max(row - 2, 0) : row + 2, max(column - 2, 0) : column + 2] = 0
        assert torch.equal(one, expected)
        sizes.add(int((one == 0).sum()) // 2)
    assert {4, 16} <= sizes
    kept = augmentations.build("cutout", size=4, p=0.25)(images, draws()).amin((1, 2, 3)).mean()
    assert float(kept) == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize("fill", ["zeros", "mean"])
def test_random_erasing_hides_the_first_rectangle_that_fits(fill: str) -> None:
    """As torchvision's RandomErasing.get_params, with its draws in a list."""
    images = torch.rand(COUNT, 3, 12, 9)
    scale, ratio = (0.1, 0.9), (0.3, 3.3)
    augment = augmentations.build("random_erasing", p=0.7, scale=scale, ratio=ratio, fill=fill)
    found, shapes = augment(images, draws()), set()
    for image, one, numbers in zip(images, found, uniforms(0, 0, INDICES, 23).tolist(), strict=True):
        expected = image.clone()
        for attempt in range(10 if numbers[0] < 0.7 else 0):
            area = (scale[0] + (scale[1] - scale[0]) * numbers[3 + 2 * attempt]) * 12 * 9
            low, high = math.log(ratio[0]), math.log(ratio[1])
            aspect = math.exp(low + (high - low) * numbers[4 + 2 * attempt])
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h < 12 and w < 9:
                top, left = math.floor(numbers[1] * (12 - h + 1)), math.floor(numbers[2] * (9 - w + 1))
                grey = image.mean((1, 2)).view(3, 1, 1) if fill == "mean" else 0.0
                expected[:, top : top + h, left : left + w] = grey
                shapes.add((h, w, attempt > 0))
                break
        torch.testing.assert_close(one, expected)
    assert len(shapes) > 20 and any(later for _, _, later in shapes)


@pytest.mark.parametrize(("scale", "ratio"), [((0.3, 1.0), (0.75, 4 / 3)), ((0.9, 1.0), (3.0, 4.0))])
def test_a_resized_crop_is_torchvisions_of_its_rectangle(
    scale: tuple[float, float], ratio: tuple[float, float]
) -> None:
    """As torchvision's RandomResizedCrop.get_params, with its draws in a list; of the second pair nothing fits."""
    images = torch.rand(60, 3, 12, 16)
    augment = augmentations.build("random_resized_crop", scale=scale, ratio=ratio)
    found, shapes = augment(images, draws(pictures=INDICES[:60])), set()
    for image, one, numbers in zip(images, found, uniforms(0, 0, INDICES[:60], 22).tolist(), strict=True):
        w, h = min(16, round(12 * ratio[1])), min(12, round(16 / ratio[0]))  # the largest of a shape that is allowed
        for attempt in range(10):
            area = (scale[0] + (scale[1] - scale[0]) * numbers[2 + 2 * attempt]) * 12 * 16
            low, high = math.log(ratio[0]), math.log(ratio[1])
            aspect = math.exp(low + (high - low) * numbers[3 + 2 * attempt])
            across, down = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < across <= 16 and 0 < down <= 12:
                w, h = across, down
                break
        top, left = math.floor(numbers[0] * (12 - h + 1)), math.floor(numbers[1] * (16 - w + 1))
        expected = resized_crop(image, top, left, h, w, [12, 16], antialias=False)
        torch.testing.assert_close(one, expected, rtol=0, atol=1e-5)
        shapes.add((h, w))
    assert len(shapes) > 20 if scale[0] < 0.5 else shapes == {(5, 16)}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("light", [("shift_zoom_flip", {"shift": 0.1, "zoom": 0.1})]),
        ("medium", [("random_resized_crop", {"scale": (0.5, 1.0)}), ("flip", {}), ("color_jitter", {})]),
        ("strong", [("random_resized_crop", {}), ("flip", {}), ("rand_augment", {}), ("random_erasing", {"p": 0.25})]),
    ],
)
def test_a_preset_is_others_in_turn_with_numbers_of_their_own(name: str, parts: list[tuple[str, dict]]) -> None:
    images = torch.rand(40, 3, 12, 16)
    for stream in (0, 3):
        expected = images
        for place, (part, arguments) in enumerate(parts):
            own = draws(pictures=INDICES[:40], stream=(stream + 1) * 64 + place if len(parts) > 1 else stream)
            expected = augmentations.build(part, **arguments)(expected, own)
        found = augmentations.build(name)(images, draws(pictures=INDICES[:40], stream=stream))
        assert torch.equal(found, expected)


def test_parts_streams_are_nobody_elses() -> None:
    roots = [draws(stream=stream) for stream in range(64)]
    parts = [root.in_part(place) for root in roots for place in range(64)]
    deeper = [part.in_part(place) for part in parts[::97] for place in range(64)]
    streams = [one.stream for one in (*roots, *parts, *deeper)]
    assert len(set(streams)) == len(streams)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("flip", {"p": 2}, "p: got 2; allowed: a probability, 0 to 1"),
        ("cutout", {"size": 0}, "size: got 0; allowed: a number of pixels, at least 1"),
        ("random_erasing", {"scale": (0.5, 0.1)}, r"scale: got \[0.5, 0.1\]; allowed: two shares"),
        ("random_erasing", {"ratio": (0, 1)}, r"ratio: got \[0, 1\]; allowed: two numbers above 0"),
        ("random_resized_crop", {"scale": (0, 1)}, r"scale: got \[0, 1\]; allowed: two shares of the picture above 0"),
        ("random_resized_crop", {"ratio": (2, 1)}, r"ratio: got \[2, 1\]; allowed: two numbers above 0"),
        ("color_jitter", {"hue": 0.6}, "hue: got 0.6; allowed: a part of the circle, 0 to 0.5"),
        ("color_jitter", {"contrast": -1}, "contrast: got -1; allowed: at least 0"),
        ("rand_augment", {"magnitude": 31}, "magnitude: got 31; allowed: 0 to 30"),
        ("rand_augment", {"num_ops": 0}, "num_ops: got 0; allowed: at least 1"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_words(name: str, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        augmentations.build(name, **arguments)


def test_the_paper_set_is_there() -> None:
    wanted = "none shift_zoom_flip flip alternating_flip pad_crop random_erasing cutout color_jitter rand_augment"
    assert {*wanted.split(), "trivial_augment"} <= set(augmentations.names())
