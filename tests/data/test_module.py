"""The data module: what is augmented, what is read when, and failures on the way to the data."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from support import Outcome

from plcnn.data import download
from plcnn.data.module import ImageData
from plcnn.data.pictures import read_pictures
from plcnn.data.sources import cifar10
from plcnn.errors import UserError

Command = Callable[..., Outcome]
SMALL = {"class_path": "shapes", "init_args": {"train_size": 60, "test_size": 20, "image_size": 16}}


def data(**settings: object) -> ImageData:
    module = ImageData(source=SMALL, **settings)
    module.setup("fit")
    return module


def test_validation_pictures_are_never_augmented() -> None:
    module = data(augment="shift_zoom_flip")
    first, second = (torch.cat([b.images for b in module.val_dataloader()]) for _ in range(2))
    source = module.source.train()[0][:6]
    assert torch.equal(first, second) and torch.equal(first, source)
    train = next(iter(module.train_dataloader())).images
    assert train.dtype == torch.float32 and not torch.equal((train * 255).round(), train * 255)


def test_settings_that_have_nothing_to_do_with_the_split_leave_it_alone(plcnn: Command) -> None:
    printed = []
    for other in ([], ["--seed_everything", "9"], ["--data.batch_size", "3"], ["--data.augment", "shift_zoom_flip"]):
        arguments = ["--data.source", "shapes", "--data.source.train_size", "60", "--data.split", "stratified"]
        printed.append(plcnn("show", *arguments, "--split", "true", *other).out.split())
    assert len(printed[0]) == 6 and all(p == printed[0] for p in printed)
    assert not Path("pictures.png").exists()


def test_a_failed_download_is_one_message(plcnn: Command, server, answers, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = [answers.status(503)]
    monkeypatch.setattr(cifar10, "URL", server.url)
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    outcome = plcnn("fit", "--model.arch", "linear", "--trainer.max_epochs", "1", "--data.root", "mine")
    assert outcome.code == 1 and len(server.requests) == 5
    for words in (server.url, str(Path("mine/cifar-10-python.tar.gz").absolute()), "170498071", cifar10.ARCHIVE_SHA256):
        assert words in outcome.err
    assert "Traceback" not in outcome.err and not list(Path("mine").glob("cifar*"))


def modes() -> dict[str, Image.Image]:
    red = Image.new("RGB", (12, 20), (255, 0, 0))
    clear = Image.new("RGBA", (12, 20), (255, 0, 0, 0))
    palette = red.quantize(4)
    return {
        "rgb.png": red,
        "grey.png": red.convert("L"),
        "palette.PNG": palette,
        "clear.png": clear,
        "cmyk.jpg": red.convert("CMYK"),
        "bits16.png": Image.fromarray((torch.ones(20, 12) * 65535).numpy().astype("uint16")),
        "bilevel.png": red.convert("1"),
        "moving.gif": palette,
        "ünï cödé.png": red,
    }


def test_pictures_of_every_mode_are_read_in_one_size() -> None:
    folder = Path("mine")
    folder.mkdir()
    for name, picture in modes().items():
        picture.save(folder / name)
    (folder / ".hidden.png").write_text("no picture")
    (folder / "notes.txt").write_text("no picture")
    images, files = read_pictures(["mine"], (3, 16, 16))
    assert sorted(file.name for file in files) == sorted(modes())
    assert images.shape == (len(files), 3, 16, 16) and images.dtype == torch.uint8
    pixel = {file.name: image[:, 8, 8].tolist() for file, image in zip(files, images, strict=True)}
    assert pixel["rgb.png"] == pixel["palette.PNG"] == pixel["ünï cödé.png"] == [255, 0, 0]
    assert pixel["clear.png"] == pixel["bits16.png"] == [255, 255, 255]
    assert len(set(pixel["grey.png"])) == 1
    assert read_pictures(["mine/rgb.png"], (1, 8, 8))[0].shape == (1, 1, 8, 8)


def test_pictures_that_cannot_be_read_are_all_named() -> None:
    Image.new("RGB", (4, 4)).save("good.png")
    Path("bad.png").write_text("no picture")
    Image.effect_noise((64, 64), 50).save("noise.png")
    Path("cut.png").write_bytes(Path("noise.png").read_bytes()[:1500])
    with pytest.raises(UserError, match=r"3 of 4 pictures cannot be read: .*bad.png.*cut.png.*missing.png"):
        read_pictures(["good.png", "bad.png", "cut.png", "missing.png"], (3, 4, 4))
    Path("empty").mkdir()
    with pytest.raises(UserError, match="No pictures in empty"):
        read_pictures(["empty"], (3, 4, 4))
