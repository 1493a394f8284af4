"""The projector's features: what the last layer gets, for every kind of network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support import TINY, Outcome

from plcnn.classifier import Classifier
from plcnn.data.module import ImageData
from plcnn.tracking.embedding import features

RUN = Path("tb_logs/run/version_0")


@pytest.mark.parametrize("arch", ["keras_cnn", "resnet20", "cct", "linear", "mlp_mixer"])
def test_the_last_layer_makes_logits_of_the_features(arch: str) -> None:
    torch.manual_seed(0)
    classifier = Classifier(["cat", "dog", "ship"], (3, 32, 32), arch=arch).train()  # type: ignore[arg-type]
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    points, logits = features(classifier, images)
    assert classifier.net.training
    last = [m for m in classifier.net.modules() if isinstance(m, torch.nn.Linear)][-1]
    torch.testing.assert_close(last(points), logits)
    torch.testing.assert_close(logits, classifier.eval()(images))


def test_a_fit_leaves_what_the_projector_reads(plcnn: Callable[..., Outcome]) -> None:
    outcome = plcnn("fit", *TINY, "--trainer.max_epochs", "2", "--tensorboard.embedding", "12")
    assert outcome.code == 0 and outcome.err == "", outcome.err
    config = (RUN / "projector_config.pbtxt").read_text()
    folder = RUN / "00002" / "validation"
    assert all(f'"00002/validation/{name}"' in config for name in ("tensors.tsv", "metadata.tsv", "sprite.png"))
    data = ImageData(source={"class_path": "shapes", "init_args": {"train_size": 200, "image_size": 8}})  # type: ignore[arg-type]
    data.setup("validate")
    images, labels = data.sets["val"]
    rows = torch.linspace(0, 19, 12).round().long()
    # what a linear classifier's last layer sees are the pixels
    np.testing.assert_allclose(np.loadtxt(folder / "tensors.tsv"), images[rows].flatten(1) / 255, atol=1e-6)
    header, *lines = (folder / "metadata.tsv").read_text().splitlines()
    assert header.split("\t")[0] == "class"
    assert [line.split("\t")[0] for line in lines] == [data.classes[label] for label in labels[rows]]
    assert all((line.split("\t")[0] == line.split("\t")[1]) == line.endswith("right") for line in lines)
    with Image.open(folder / "sprite.png") as sprite:
        assert sprite.size == (4 * 8, 4 * 8)
        assert (np.asarray(sprite)[:8, :8] == images[rows[0]].permute(1, 2, 0).numpy()).all()


def test_more_pictures_than_there_are_is_all_of_them(plcnn: Callable[..., Outcome]) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1", "--tensorboard.embedding", "1000").code == 0
    assert len((RUN / "00001" / "validation" / "tensors.tsv").read_text().splitlines()) == 20
