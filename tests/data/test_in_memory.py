"""Pictures of all kinds that Python programs have become the same values as their files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from plcnn.classifier import Classifier
from plcnn.data.reading.in_memory import to_images
from plcnn.errors import UserError

SHAPE = (3, 6, 5)
ARRAYS = np.random.default_rng(0).integers(256, size=(3, 6, 5, 3), dtype=np.uint8)
EXPECTED = torch.from_numpy(ARRAYS).permute(0, 3, 1, 2)
GREY = ARRAYS[..., 0]


def files() -> list[str]:
    for number, array in enumerate(ARRAYS):
        Image.fromarray(array).save(f"{number}.png")
    return [f"{number}.png" for number in range(len(ARRAYS))]


def test_several_pictures_of_every_kind() -> None:
    names = files()
    for kind, pictures in {
        "array": ARRAYS,
        "arrays": list(ARRAYS),
        "floats": ARRAYS / 255,
        "half floats": [torch.from_numpy(array / 255).to(torch.float16).permute(2, 0, 1) for array in ARRAYS],
        "tensor": EXPECTED,
        "tensors": tuple(EXPECTED),
        "tensor of floats": EXPECTED / 255,
        "tensor with gradient": (EXPECTED / 255).requires_grad_(),
        "PIL": [Image.fromarray(array) for array in ARRAYS],
        "names": names,
        "paths": [Path(name) for name in names],
        "contents": [Path(name).read_bytes() for name in names],
        "mixed": [names[0], ARRAYS[1], Image.fromarray(ARRAYS[2])],
        "turned": np.ascontiguousarray(ARRAYS[:, ::-1])[:, ::-1],
    }.items():
        images = to_images(pictures, SHAPE)
        assert images.dtype == torch.uint8 and torch.equal(images, EXPECTED), kind


def test_one_picture_is_a_batch_of_one() -> None:
    (name, *_) = files()
    for picture in (ARRAYS[0], EXPECTED[0], name, Path(name), Path(name).read_bytes(), Image.open(name)):
        assert torch.equal(to_images(picture, SHAPE), EXPECTED[:1])


def test_channels_are_brought_to_the_networks() -> None:
    grey = torch.from_numpy(GREY)[:, None]
    for pictures in (list(GREY), GREY[..., None], grey, [Image.fromarray(array) for array in GREY]):
        assert torch.equal(to_images(pictures, SHAPE), grey.expand(-1, 3, -1, -1))
        assert torch.equal(to_images(pictures, (1, 6, 5)), grey)
    luma = torch.from_numpy(np.stack([np.asarray(Image.fromarray(array).convert("L")) for array in ARRAYS]))
    assert torch.equal(to_images(ARRAYS, (1, 6, 5))[:, 0], luma)
    clear = np.concatenate([ARRAYS, np.zeros((3, 6, 5, 1), np.uint8)], -1)
    assert (to_images(clear, SHAPE) == 255).all()  # on white
    clear[..., 3] = 255
    assert torch.equal(to_images(clear, SHAPE), EXPECTED)
    assert torch.equal(to_images(torch.from_numpy(clear).permute(0, 3, 1, 2), SHAPE), EXPECTED)


def test_arrays_may_have_as_many_channels_as_the_network_takes() -> None:
    planes = np.random.default_rng(2).integers(256, size=(2, 6, 5, 7), dtype=np.uint8)
    wanted = torch.from_numpy(planes).permute(0, 3, 1, 2)
    for pictures in (planes, list(planes), wanted, planes / 255):
        assert torch.equal(to_images(pictures, (7, 6, 5)), wanted)
    grey = [
        to_images(list(planes[..., channel]), (1, 12, 11)) for channel in range(7)
    ]  # each channel is resized as grey is
    assert torch.equal(to_images(planes, (7, 12, 11)), torch.cat(grey, 1))
    (name, *_) = files()
    for picture, words in (
        (ARRAYS[0], "it has 3 channels; expected 7"),
        (GREY[0], "it has 1 channels; expected 7"),
        (planes[0][..., :6], "it has 6 channels; expected 7"),
        (name, "a picture file has 1 to 4 channels, not 7; arrays have any number"),
    ):
        with pytest.raises(UserError, match=words):
            to_images(picture, (7, 6, 5))
    with pytest.raises(UserError, match=r"an array of shape \(6, 5, 7\); expected"):
        to_images(planes[0], SHAPE)


def test_other_sizes_are_resized_as_files_are() -> None:
    large = np.random.default_rng(1).integers(256, size=(31, 17, 3), dtype=np.uint8)
    Image.fromarray(large).save("large.png")
    expected = to_images("large.png", SHAPE)
    assert expected.shape == (1, *SHAPE)
    assert torch.equal(to_images(large, SHAPE), expected)
    assert torch.equal(to_images(torch.from_numpy(large).permute(2, 0, 1)[None], SHAPE), expected)


@pytest.mark.parametrize("nothing", [[], (), np.zeros((0, 6, 5, 3), np.uint8), torch.zeros(0, 3, 6, 5)])
def test_nothing(nothing: Any) -> None:
    assert to_images(nothing, SHAPE).shape == (0, *SHAPE)
    assert Classifier(list("ab"), (3, 6, 6), "linear").predict(nothing) == []


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        ("none.png", "none.png cannot be read: No such file"),
        (["\x1b[1mnone.png"], r"\x1b[1mnone.png cannot be read"),
        (b"hello", "picture 0 (from 0) cannot be read: no picture"),
        ([ARRAYS[0], None], "picture 1 (from 0) cannot be read: a NoneType; expected a file"),
        ([ARRAYS[0], ARRAYS[0] / 127], "floats must be from 0 to 1"),
        (np.full((6, 5, 3), np.nan), "floats must be from 0 to 1"),
        (ARRAYS.astype(np.int64), "values of type int64"),
        (torch.zeros(6, 5), "a tensor of shape (6, 5)"),
        (EXPECTED.numpy(), "an array of shape (3, 6, 5)"),
        (np.zeros(5, np.uint8), "an array of shape (5,)"),
        (torch.from_numpy(ARRAYS), "an array of shape (5, 3, 6)"),
        (".", "cannot be read: no plain file"),
    ],
)
def test_what_is_no_picture_is_told_in_a_line(pictures: Any, words: str) -> None:
    with pytest.raises(UserError) as caught:
        to_images(pictures, SHAPE)
    assert words in str(caught.value) and "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_a_classifier_names_the_same_classes_for_every_kind() -> None:
    classifier = Classifier(list("abcd"), (3, 6, 6), "linear").eval()
    classifier.temperature = 2.0
    arrays = np.pad(ARRAYS, ((0, 0), (0, 0), (0, 1), (0, 0)))
    images = torch.from_numpy(arrays).permute(0, 3, 1, 2)
    for number, array in enumerate(arrays):
        Image.fromarray(array).save(f"{number}.png")
    best, labels = (classifier(images) / 2).softmax(1).topk(2)
    for pictures in (["0.png", "1.png", "2.png"], arrays, images, [Image.open("0.png"), *arrays[1:]]):
        found = classifier.predict(pictures, top_k=2, batch_size=2)
        assert [[label for label, _ in one.top] for one in found] == [["abcd"[i] for i in row] for row in labels]
        torch.testing.assert_close(torch.tensor([[share for _, share in one.top] for one in found]), best.detach())
        assert all(one.label == one.top[0][0] and one.probability == one.top[0][1] for one in found)
    unsure = classifier.predict(arrays, threshold=1.0)
    assert {one.label for one in unsure} == {"unsure"} and all(0 < one.probability < 1 for one in unsure)
    assert classifier.training is False and classifier.train().predict(arrays) and classifier.training is True
