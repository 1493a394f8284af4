"""The embedded data set: the same bytes each time, balanced, and beyond a linear classifier."""

import hashlib
import math
from typing import Any

import pytest
import torch

from plcnn.data.sources import sources
from plcnn.data.sources.shapes import Shapes, _length
from plcnn.errors import UserError


def test_the_registry_builds_it() -> None:
    assert isinstance(sources.build("shapes", train_size=10), Shapes)


def test_two_instances_draw_the_same_pictures() -> None:
    for split in (Shapes.train, Shapes.test):
        (images, labels), (again, labels_again) = split(Shapes(60, 60)), split(Shapes(60, 60))
        assert torch.equal(images, again) and torch.equal(labels, labels_again)


def test_the_bytes_never_change() -> None:
    # Only operations that IEEE 754 rounds exactly are used. A new digest is a new data set: results do not compare.
    images, _ = Shapes(2_000, 10).train()
    digest = hashlib.sha256(images.numpy().tobytes()).hexdigest()
    assert digest == "97e6360e16f11cdc7fb9d4eaf0c71ccc6a0026b558dec25ea4a9e3144af19a3c"


def test_distances_are_rounded_exactly() -> None:
    x, y = torch.rand(2, 100_000, generator=torch.Generator().manual_seed(0))
    squares = (x * x + y * y).tolist()
    # A root of a 24-bit number, taken in 53 bits, is never so near a tie that rounding it again errs (Figueroa 1995).
    assert torch.equal(_length(x, y), torch.tensor([math.sqrt(square) for square in squares]))


def test_a_picture_does_not_depend_on_the_size_of_its_split_or_on_threads() -> None:
    images, labels = Shapes(400, 10).train()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    fewer, fewer_labels = Shapes(37, 10).train()
    torch.set_num_threads(threads)
    assert torch.equal(images[:37], fewer) and torch.equal(labels[:37], fewer_labels)


def test_no_picture_comes_twice() -> None:
    splits = Shapes(300, 300).train(), Shapes(300, 300).test(), Shapes(300, 300, seed=1).train()
    assert len({image.numpy().tobytes() for images, _ in splits for image in images}) == 900


@pytest.mark.parametrize("train_size, test_size, image_size", [(10, 25, 32), (103, 10, 17), (40, 40, 64)])
def test_sizes_are_honoured_and_classes_balanced(train_size: int, test_size: int, image_size: int) -> None:
    shapes = Shapes(train_size, test_size, image_size)
    shapes.prepare()
    assert len(set(shapes.classes)) == 10 and shapes.verified
    assert shapes.image_shape == (3, image_size, image_size)
    for (images, labels), count in ((shapes.train(), train_size), (shapes.test(), test_size)):
        assert images.shape == (count, *shapes.image_shape) and images.dtype == torch.uint8
        assert labels.shape == (count,) and labels.dtype == torch.int64
        found = torch.bincount(labels, minlength=10)
        assert len(found) == 10 and found.max() - found.min() <= 1


def test_pictures_have_contrast_and_colour() -> None:
    images = Shapes(200, 10).train()[0].double()
    assert images.flatten(1).std(dim=1).min() > 10
    assert (images.amax(dim=1) - images.amin(dim=1)).flatten(1).mean(dim=1).median() > 20


def test_a_linear_classifier_learns_something_but_little() -> None:
    # ridge regression to one-hot labels on the pixels, in its dual form
    shapes = Shapes(2000, 1000)
    (images, labels), (test_images, test_labels) = shapes.train(), shapes.test()
    pixels, test_pixels = images.flatten(1).double() / 255, test_images.flatten(1).double() / 255
    centre = pixels.mean(dim=0)
    pixels, test_pixels = pixels - centre, test_pixels - centre
    targets = torch.nn.functional.one_hot(labels, 10).double() - 0.1
    kernel = pixels @ pixels.T + 500 * torch.eye(len(pixels), dtype=torch.float64)
    scores = test_pixels @ (pixels.T @ torch.linalg.solve(kernel, targets))
    accuracy = (scores.argmax(dim=1) == test_labels).double().mean()
    assert 0.12 < accuracy < 0.60


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"train_size": 9}, "train_size=9: the shapes need at least 10; raise train_size"),
        ({"test_size": 0}, "test_size=0: "),
        ({"image_size": 7}, "image_size=7: the shapes need at least 8"),
    ],
)
def test_sizes_too_small_are_refused_in_words(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Shapes(**arguments)
