"""Pictures of any kinds and sizes in the data module: brought to one shape, parted, weighed and scaled."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support import TINY, Outcome

from plcnn import load
from plcnn.data.module import ImageData
from plcnn.data.reading.in_memory import image_of
from plcnn.data.reading.pictures import fitted
from plcnn.data.sources import PictureSet, sources
from plcnn.errors import UserError

Command = Callable[..., Outcome]
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 100, 3), dtype=np.uint8)


class Mixed:
    """A hundred pictures of four sizes in two classes, nine of ten in the first; named after twenty persons."""

    classes = ("many", "few")
    image_shape = (3, 8, 8)
    verified = False
    has_test = False

    def __init__(self, root: str = "data") -> None:
        pass

    def prepare(self) -> None:
        """Nothing is fetched."""

    def train(self) -> PictureSet:
        return PictureSet(Pixels(100), torch.tensor([int(row % 10 == 3) for row in range(100)]))


class MixedValidation(Mixed):
    """The same with validation and test pictures of its own."""

    has_test = True

    def validation(self) -> PictureSet:
        return PictureSet(Pixels(6), torch.arange(6) % 2)

    def test(self) -> PictureSet:
        return PictureSet(Pixels(7), torch.arange(7) % 2)


class Pixels:
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def picture(self, index: int) -> np.ndarray:
        return PIXELS[: 4 + index % 4, : 20 + index]

    def name(self, index: int) -> str:
        return f"person{index // 5}_{index}.png"


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    sources.names()
    monkeypatch.setattr(sources, "_choices", dict(sources._choices))
    monkeypatch.setattr(sources, "origins", dict(sources.origins))
    sources.register(Mixed)
    sources.register(MixedValidation)


def data(source: str = "mixed", stage: str = "fit", **settings: Any) -> ImageData:
    module = ImageData(source=source, **settings)
    module.setup(stage)
    return module


def test_crop_takes_the_middle_and_pad_adds_black() -> None:
    wide, tall = PIXELS, PIXELS.transpose(1, 0, 2).copy()  # 40 high, 100 wide, and the other way round
    for resize, of_wide, of_tall in (
        ("stretch", wide, tall),
        ("crop", wide[:, 30:70], tall[30:70]),
        ("pad", np.pad(wide, ((30, 30), (0, 0), (0, 0))), np.pad(tall, ((0, 0), (30, 30), (0, 0)))),
    ):
        for pixels, expected in ((wide, of_wide), (tall, of_tall)):
            resized = Image.fromarray(np.ascontiguousarray(expected)).resize((20, 20), Image.Resampling.BILINEAR)
            found = fitted(Image.fromarray(pixels), (3, 20, 20), resize)
            assert np.array_equal(found, np.asarray(resized).transpose(2, 0, 1)), resize


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_arrays_of_any_number_of_channels_are_resized_channel_by_channel(channels: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (9, 5, channels), dtype=np.uint8)
    found = image_of(pixels, (channels, 4, 6))
    for channel in range(channels):
        expected = Image.fromarray(pixels[..., channel]).resize((6, 4), Image.Resampling.BILINEAR)
        assert np.array_equal(found[channel], np.asarray(expected))


def test_files_may_have_opacity_as_a_channel() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (9, 5, 4), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    assert np.array_equal(fitted(picture, (4, 9, 5)), pixels.transpose(2, 0, 1))
    assert np.array_equal(fitted(picture, (4, 4, 6)), image_of(pixels, (4, 4, 6)))
    assert np.array_equal(fitted(picture.convert("LA"), (2, 9, 5))[1], pixels[..., 3])
    with pytest.raises(ValueError, match="1 to 4 channels, not 7"):
        fitted(picture, (7, 9, 5))


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_every_picture_is_brought_to_the_shape_that_was_asked_for(resize: Any) -> None:
    module = data(image_size=6, channels=1, resize=resize)
    assert module.image_shape == (1, 6, 6)
    images = torch.cat([batch.images for batch in module.val_dataloader()])
    rows = module.parts["val"].rows.tolist()
    expected = [fitted(Image.fromarray(Pixels(100).picture(row)), (1, 6, 6), resize) for row in rows]
    assert np.array_equal(images.numpy(), np.stack(expected))


def test_a_tensor_source_is_resized_too() -> None:
    shapes = {"class_path": "shapes", "init_args": {"train_size": 20, "test_size": 10, "image_size": 8}}
    module = data(shapes, image_size=12, val_count=5)
    source = module.source.train()[0]
    images = torch.cat([batch.images for batch in module.val_dataloader()])
    expected = [fitted(Image.fromarray(image.permute(1, 2, 0).numpy()), (3, 12, 12)) for image in source[:5]]
    assert np.array_equal(images.numpy(), np.stack(expected))


def test_a_source_without_test_pictures_has_some_held_out() -> None:
    module, tested = data(), data(stage="test")
    rows = [*(module.parts[name].rows for name in ("train", "val")), tested.parts["test"].rows]
    assert [len(part) for part in rows] == [81, 9, 10]
    assert torch.cat(rows).sort().values.tolist() == list(range(100))
    assert tested.sets["test"][1].sum() == 1  # the same share of each class, as their order is not random
    assert set(tested.sets) == {"test"} and "test" not in module.sets
    with pytest.raises(UserError, match="--data.test_fraction holds some out"):
        data(stage="test", test_fraction=0)


def test_a_source_s_own_validation_pictures_are_taken_unless_a_split_is_asked_for() -> None:
    module = data("mixed_validation")
    assert module.counts() == {"train": 100, "val": 6}
    assert data("mixed_validation", split="random").counts() == {"train": 90, "val": 10}
    assert data("mixed_validation", folds=4, fold=1).counts() == {"train": 75, "val": 25}
    assert data("mixed_validation", val_fraction=0).counts() == {"train": 100, "val": 0}
    assert data("mixed_validation", stage="test").counts() == {"test": 7}


def test_pictures_of_one_group_stay_together() -> None:
    module = data(groups=r"person(\d+)_", split="random")
    names = {part: {row // 5 for row in module.parts[part].rows.tolist()} for part in ("train", "val", "test")}
    assert sum(map(len, names.values())) == 20 and len(names["val"]) == len(names["test"]) == 2
    for pattern, words in {
        r"cat(\d)": "not found in 100 of 100 names, such as person0_0.png",
        "(": "no regular expr",
    }.items():
        with pytest.raises(UserError, match=words):
            data(groups=pattern)


def test_a_run_leaves_its_split_and_another_takes_it(plcnn: Command) -> None:
    chosen = [*TINY[8:], "--data.source", "mixed", "--trainer.max_epochs", "1"]
    assert plcnn("fit", *chosen, "--data.split", "random", "--data.split_seed", "5").code == 0
    left = json.loads(Path("tb_logs/run/version_0/split.json").read_text())
    assert left["pictures"] == 100 and [len(left[part]) for part in ("train", "val", "test")] == [81, 9, 10]
    second = plcnn("fit", *chosen, "--data.split_file", "tb_logs/run/version_0")
    assert second.code == 0, second.err
    again = json.loads(Path("tb_logs/run/version_1/split.json").read_text())
    assert again == left
    assert plcnn("test", "tb_logs/run/version_1").code == 0


def test_balanced_classes_and_measured_scaling_are_in_the_checkpoint(plcnn: Command) -> None:
    chosen = [*TINY[8:], "--data.source", "mixed", "--trainer.max_epochs", "1", "--model.normalize", "data"]
    fit = plcnn("fit", *chosen, "--model.class_weights", "balanced", "--data.sampling", "balanced")
    assert fit.code == 0, fit.err
    held = torch.load("tb_logs/run/version_0/checkpoints/last.ckpt", weights_only=True)["hyper_parameters"]
    module = data()
    pixels = module.sets["train"][0][:].double() / 255  # type: ignore[index]
    torch.testing.assert_close(torch.tensor(held["mean"]), pixels.mean((0, 2, 3)).float())
    torch.testing.assert_close(torch.tensor(held["std"]), pixels.std((0, 2, 3), correction=0).float())
    for arguments in (["tb_logs/run/version_0"], ["--config", "tb_logs/run/version_0/config.yaml"]):
        assert plcnn("test", *arguments).code == 0
    resumed = plcnn("fit", "--resume", "tb_logs/run/version_0", "--trainer.max_epochs", "2")
    assert resumed.code == 0, resumed.err


def test_pictures_are_predicted_where_the_data_trained_on_is_gone(plcnn: Command) -> None:
    for label, name in enumerate(("b", "a")):
        Path("mine", name).mkdir(parents=True)
        for number in range(10):
            Image.fromarray(PIXELS[: 10 + number, label * 50 :]).save(f"mine/{name}/{number}.png")
    chosen = [*TINY[8:], "--data.source", "folder", "--data.root", "mine", "--data.image_size", "8"]
    fit = plcnn("fit", *chosen, "--data.resize", "crop", "--trainer.max_epochs", "1", "--data.cache_gb", "0")
    assert fit.code == 0, fit.err
    Path("mine").rename("elsewhere")
    predict = plcnn("predict", "tb_logs/run/version_0", "elsewhere/a/3.png", "--format", "json")
    assert predict.code == 0, predict.err
    answer = json.loads(predict.out)[0]
    expected = fitted(Image.open("elsewhere/a/3.png"), (3, 8, 8), "crop")
    classifier = load("tb_logs/run/version_0")
    (direct,) = classifier.predict(torch.from_numpy(expected.copy())[None])
    assert answer["label"] == direct.label
    assert answer["probability"] == pytest.approx(direct.probability, abs=1e-6)
    assert plcnn("test", "tb_logs/run/version_0").code != 0


def own_folder(count: int, size: int) -> list[str]:
    """Make two classes of so many pictures, size × size; what to give `fit` for an epoch on them."""
    for name in "ab":
        Path("mine", name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(PIXELS[:size, number : number + size]).save(f"mine/{name}/{number}.png")
    return [*TINY[8:], "--data.source", "folder", "--data.root", "mine", "--trainer.max_epochs", "1"]


def test_a_run_keeps_the_shape_that_its_source_proposed(plcnn: Command) -> None:
    chosen = own_folder(10, 40)
    assert plcnn("fit", *chosen).code == 0
    for name in "ab":
        Image.fromarray(PIXELS).save(f"mine/{name}/wide.png")
    run = "tb_logs/run/version_0"
    for command in (["test", run], ["validate", "--config", f"{run}/config.yaml"]):
        outcome = plcnn(*command, "--data.split_file", run)
        assert outcome.code == 0, outcome.err
    assert load("tb_logs/run/version_0").image_shape == (3, 40, 40)
    assert plcnn("fit", *chosen).code == 0  # a new run looks anew
    assert load("tb_logs/run/version_1").image_shape == (3, 32, 32)


def test_pictures_that_were_added_do_not_change_what_was_held_out(plcnn: Command) -> None:
    chosen = own_folder(30, 20)
    run = "tb_logs/run/version_0"
    assert plcnn("fit", *chosen).code == 0 and plcnn("test", run).code == 0
    before = json.loads(Path(run, "test.json").read_text())
    held = json.loads(Path(run, "split.json").read_text())
    assert sorted(held["test"]) == held["test"] and len(held["test"]) == 6 and held["test"][0].startswith("a/")
    Image.fromarray(PIXELS[:20, 50:70]).save("mine/a/00.png")
    for command in (["test", run], ["validate", run], ["fit", "--resume", run, "--trainer.max_epochs", "2"]):
        outcome = plcnn(*command)
        assert outcome.code == 1 and "(60 then, 61 now" in outcome.err, outcome
        assert "--data.split_file RUN" in outcome.err and "Traceback" not in outcome.err
    again = plcnn("test", run, "--data.split_file", run)
    assert again.code == 0, again.err
    after = json.loads(Path(run, "test_2.json").read_text())
    assert [after[key] for key in ("acc", "loss", "pictures")] == [before[key] for key in ("acc", "loss", "pictures")]
    assert plcnn("fit", "--resume", run, "--trainer.max_epochs", "2", "--data.split_file", run).code == 0


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("test", "--data.split_seed 4"),
        ("test", "--data.test_fraction 0.5"),
        ("validate", "--data.split_seed 4"),
        ("validate", "--data.val_count 9"),
        ("fit --trainer.max_epochs 2", "--data.folds 3 --data.fold 1"),
    ],
)
def test_other_settings_of_the_split_are_refused(plcnn: Command, command: str, settings: str) -> None:
    chosen = own_folder(20, 20)
    assert plcnn("fit", *chosen).code == 0
    run, (name, *more) = "tb_logs/run/version_0", command.split()
    kept = {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file()}
    which = ["--resume", run] if name == "fit" else [run]
    outcome = plcnn(name, *which, *more, *settings.split())
    assert outcome.code == 1 and "pictures that it trained on would be held out" in outcome.err, outcome
    assert {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file()} == kept
    assert plcnn(name, *which, *more).code == 0


def test_a_folder_of_pictures_is_no_place_to_download_to(plcnn: Command) -> None:
    for name in ("train/a", "train/b"):
        Path("mine", name).mkdir(parents=True)
        Image.fromarray(PIXELS).save(f"mine/{name}/1.PNG")
    outcome = plcnn("fit", *TINY[8:], "--data.root", "mine")
    assert outcome.code == 2 and "add --data.source folder." in outcome.err, outcome
    assert not list(Path("mine").glob("cifar*"))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--data.image_size 0", "--data.image_size: got 0; allowed: from 1 to 4096 pixels."),
        ("--data.channels 0", "--data.channels: got 0; allowed: at least 1."),
        ("--data.resize squeeze", "--data.resize: expected stretch, crop or pad, got 'squeeze'."),
        ("--data.sampling some", "--data.sampling: expected each_once or balanced, got 'some'."),
        ("--data.test_fraction 1", "--data.test_fraction must be from 0 to below 1, got 1.0."),
        ("--data.split_file nowhere.json", "--data.split_file nowhere.json: No such file or directory."),
        ("--model.normalize set", "--model.normalize: expected none, data or imagenet, got 'set'."),
        ("--model.class_weights [1]", "--model.class_weights needs 2 numbers of at least 0, one a class, got [1.0]."),
    ],
)
def test_a_mistake_is_one_line(plcnn: Command, typed: str, words: str) -> None:
    outcome = plcnn("fit", *TINY[8:], "--data.source", "mixed", *typed.split())
    assert outcome.code == 2 and words in outcome.err and len(outcome.err.splitlines()) == 1, outcome


def test_a_refused_training_leaves_no_run_folder(plcnn: Command) -> None:
    outcome = plcnn("fit", *TINY[8:], "--data.source", "mixed", "--data.val_count", "95")
    assert outcome.code == 2 and "--data.val_count: got 95; allowed: below the 90 pictures" in outcome.err
    assert not Path("tb_logs/run").exists()
