"""The data module: what is augmented, what is read when, and failures on the way to the data."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from PIL import Image
from support import TINY, Outcome

from plcnn.data import module as data_module
from plcnn.data.augmentations import augmentations
from plcnn.data.module import ImageData
from plcnn.data.parts.split_file import pictures_told
from plcnn.data.published import download
from plcnn.data.reading.picture_batches import PictureBatches
from plcnn.data.sources.cifar import CIFAR10

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


def test_the_training_pictures_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[object] = []
    monkeypatch.setattr(data_module, "pictures_told", lambda *given: hashed.append(given) or pictures_told(*given))
    module = data()
    module.setup("test")
    told = {key: value for key, value in module.hparams["split_from"].items() if key != "held_out"}
    assert len(hashed) == 1 and told == pictures_told(module.source.train()[1], None)


def test_settings_that_have_nothing_to_do_with_the_split_leave_it_alone(plcnn: Command) -> None:
    printed = []
    for other in ([], ["--seed_everything", "9"], ["--data.batch_size", "3"], ["--data.augment", "shift_zoom_flip"]):
        arguments = ["--data.source", "shapes", "--data.source.train_size", "60", "--data.split", "stratified"]
        printed.append(plcnn("show", *arguments, "--split", "true", *other).out.split())
    assert len(printed[0]) == 6 and all(p == printed[0] for p in printed)
    assert not Path("pictures.png").exists()


def test_a_failed_download_is_one_message(plcnn: Command, server, answers, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = [answers.status(503)]
    monkeypatch.setattr(CIFAR10, "archive", CIFAR10.archive._replace(urls=(server.url,)))
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    outcome = plcnn("fit", "--model.arch", "linear", "--trainer.max_epochs", "1", "--data.root", "mine")
    assert outcome.code == 1 and len(server.requests) == 5
    for words in (
        server.url,
        str(Path("mine/cifar-10-python.tar.gz").absolute()),
        "170498071",
        CIFAR10.archive.checksum.digits,
    ):
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
    ((images, pictures, _),) = PictureBatches(["mine"], (3, 16, 16), 64, 0)
    assert sorted(Path(meant.name).name for meant in pictures) == sorted(modes())
    assert images.shape == (len(pictures), 3, 16, 16) and images.dtype == torch.uint8
    pixel = {Path(m.name).name: image[:, 8, 8].tolist() for m, image in zip(pictures, images, strict=True)}
    assert pixel["rgb.png"] == pixel["palette.PNG"] == pixel["ünï cödé.png"] == [255, 0, 0]
    assert pixel["clear.png"] == pixel["bits16.png"] == [255, 255, 255]
    assert len(set(pixel["grey.png"])) == 1
    assert next(iter(PictureBatches(["mine/rgb.png"], (1, 8, 8), 64, 0))).images.shape == (1, 1, 8, 8)


def test_mixing_is_for_training_alone() -> None:
    module = data(mix="mixup", augment="flip")
    batch = next(iter(module.train_dataloader()))
    assert batch.images.dtype == batch.labels.dtype == torch.float32 and batch.labels.shape == (54, 10)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(batch.labels.sum(1), torch.ones(54))
    assert next(iter(module.val_dataloader())).labels.dtype == torch.int64


def test_nothing_needs_to_be_held_out() -> None:
    module = data(val_fraction=0)
    assert module.counts() == {"train": 60, "val": 0}
    assert sum(len(batch.labels) for batch in module.train_dataloader()) == 60
    assert list(module.val_dataloader()) == []


def test_the_source_s_pictures_are_not_copied_for_the_usual_split() -> None:
    module = data()
    (train, _), (val, _) = module.sets["train"], module.sets["val"]
    assert train.untyped_storage().data_ptr() == val.untyped_storage().data_ptr()
    assert module.train_dataloader().read.images.data_ptr() == train.data_ptr()


def test_pictures_on_a_device_are_read_on_the_host_when_that_is_asked_for() -> None:
    module = data()
    elsewhere = torch.device("meta")  # stands for a GPU, which has memory of its own
    module.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=elsewhere), global_rank=0, world_size=1)
    assert module.train_dataloader().read.images.device == elsewhere
    assert module.train_dataloader(place="host").read.images.device.type == "cpu"
    assert module.train_dataloader().read.images.device == elsewhere


LIST = "[{class_path: pad_crop, init_args: {padding: 2}}, alternating_flip, {class_path: cutout, init_args: {size: 3}}]"


def test_a_list_of_augmentations_and_mixing_go_through_config_checkpoint_and_resume(plcnn: Command) -> None:
    Path("mine.yaml").write_text(f"data:\n  augment: {LIST}\n  mix: mixup_or_cutmix\n  mix_alpha: 0.5\n")
    chosen = [*TINY, "--config", "mine.yaml", "--early_stopping.enabled", "false"]
    assert plcnn("fit", *chosen, "--trainer.max_epochs", "2", "--name", "whole").code == 0
    flags = ["--data.augment", LIST, "--data.mix", "mixup_or_cutmix", "--data.mix_alpha", "0.5"]
    flags += ["--data.keep", "workers", "--data.workers", "1", "--early_stopping.enabled", "false"]
    first = plcnn("fit", *TINY, *flags, "--trainer.max_epochs", "1", "--name", "parts")
    assert first.code == 0, first.err
    second = plcnn("fit", "--ckpt_path", "tb_logs/parts/version_0", "--trainer.max_epochs", "2")
    assert second.code == 0, second.err
    whole, parts = (
        torch.load(f"tb_logs/{name}/version_0/checkpoints/last.ckpt", weights_only=True) for name in ("whole", "parts")
    )
    for key, value in whole["state_dict"].items():
        assert torch.equal(value, parts["state_dict"][key]), key
    stored = whole["datamodule_hyper_parameters"]
    assert [c["class_path"] for c in stored["augment"]] == ["pad_crop", "alternating_flip", "cutout"]
    assert stored["augment"] == parts["datamodule_hyper_parameters"]["augment"]
    written = yaml.safe_load(Path("tb_logs/whole/version_0/config.yaml").read_text())["data"]
    assert [{"init_args": {}, **choice} for choice in written["augment"]] == stored["augment"]
    assert written["mix"] == stored["mix"] == "mixup_or_cutmix"
    test = plcnn("test", "--ckpt_path", "tb_logs/whole/version_0")
    assert test.code == 0, test.err


def test_an_augmentation_of_ones_own_plugs_in_by_name(plcnn: Command) -> None:
    Path("mine.py").write_text(
        "import torch\nfrom plcnn.data.augmentations import augmentations\n\n@augmentations.register\nclass Dim:\n"
        "    'Darken.\\n\\n    Args:\\n        least: the smallest factor.\\n    '\n\n"
        "    def __init__(self, least: float = 0.5) -> None:\n        self.least = least\n\n"
        "    def __call__(self, images, draws):\n"
        "        factor = self.least + (1 - self.least) * draws.uniforms(1).view(-1, 1, 1, 1)\n"
        "        return images * factor\n"
    )
    chosen = ["--plugins", "mine.py", "--data.augment", "[flip, dim]", "--trainer.max_epochs", "1"]
    try:
        outcome = plcnn("fit", *TINY, *chosen)
        assert outcome.code == 0, outcome.err
        chosen[3:4] = ["dim", "--data.augment.least", "x"]
        assert "--data.augment.least: expected a number, got 'x'." in plcnn("fit", *TINY, *chosen).err
    finally:
        augmentations._choices.pop("dim", None)
        augmentations.origins.pop("dim", None)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--data.augment [pad_crop,flap]", "--data.augment: Unknown augmentation 'flap'. Did you mean flip?"),
        ("--data.augment [{class_path: flip, init_args: {q: 3}}]", "augmentation 'flip' has no argument 'q'"),
        (
            "--data.augment pad_crop --data.augment.padding x",
            "--data.augment.padding: expected a whole number, got 'x'",
        ),
        ("--data.augment flip --data.augment.p 3", "augmentation 'flip': p: got 3.0; allowed: a probability, 0 to 1"),
        ("--data.keep gpu", "--data.keep: expected auto, device, host or workers, got 'gpu'."),
        ("--data.workers 0", "--data.workers: got 0; allowed: at least 1 process. For example --data.workers: 2"),
        ("--data.mix mixu", "--data.mix: expected none, mixup, cutmix or mixup_or_cutmix, got 'mixu'."),
        ("--data.mix_alpha 0", "--data.mix_alpha: got 0.0; allowed: above 0."),
    ],
)
def test_a_mistake_is_one_line(plcnn: Command, typed: str, words: str) -> None:
    command, rest = typed.split(" ", 1)
    arguments = [command, rest] if rest.startswith("[") else [command, *rest.split()]
    outcome = plcnn("fit", *TINY, *arguments)
    assert outcome.code == 2 and words in outcome.err and len(outcome.err.splitlines()) == 1, outcome
