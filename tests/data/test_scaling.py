"""Mean and standard deviation of pictures."""

import pytest
import torch

from plcnn.data import scaling
from plcnn.data.scaling import IMAGENET, measured


def test_they_are_those_of_all_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "_AT_ONCE", 7)
    images = torch.randint(0, 256, (50, 5, 6, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images[:, 4] = 255
    found = measured(images)
    values = images.double() / 255
    torch.testing.assert_close(torch.tensor(found.mean), values.mean((0, 2, 3)).float())
    torch.testing.assert_close(torch.tensor(found.std[:4]), values.std((0, 2, 3), correction=0).float()[:4])
    assert found.std[4] == 1e-3  # a channel that is the same everywhere is no reason to divide by zero


def test_many_pictures_are_measured_by_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "MOST_MEASURED", 4)
    images = torch.arange(10, dtype=torch.uint8).view(-1, 1, 1, 1)
    assert measured(images).mean == pytest.approx([(0 + 2 + 5 + 7) / 4 / 255])


def test_imagenet_for_grey_pictures() -> None:
    assert IMAGENET.for_channels(1).mean == pytest.approx([(0.485 + 0.456 + 0.406) / 3])
    assert IMAGENET.for_channels(3) is IMAGENET
