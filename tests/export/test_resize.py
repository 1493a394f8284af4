"""Resizing inside an export against Pillow's."""

import numpy as np
import pytest
import torch
from PIL import Image

from plcnn.data.reading.pictures import Resize as Policy
from plcnn.data.reading.pictures import fitted
from plcnn.export.resize import Resize


@pytest.mark.parametrize("policy", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (8, 9), (31, 33), (33, 47), (100, 64), (16, 200), (33, 24), (640, 480)])
def test_pictures_of_another_size_differ_from_pillows_by_one_level_at_most(
    size: tuple[int, int], policy: Policy
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = fitted(Image.fromarray(pixels), (3, 32, 24), policy).astype(int)
    found = Resize(32, 24, policy)(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].numpy()
    assert found.dtype == np.float32 and np.abs(found - expected).max() <= 1
    assert np.abs(found - expected).mean() < 0.2  # those are ties, rounded the other way


@pytest.mark.parametrize("policy", ["stretch", "crop", "pad"])
def test_pictures_of_the_size_keep_their_pixels(policy: Policy) -> None:
    images = torch.randint(0, 256, (3, 1, 32, 24), dtype=torch.uint8)
    assert torch.equal(Resize(32, 24, policy)(images), images.float())
