"""Pictures in NumPy files: what arrays are called, which way they lie, and what is refused."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support import Outcome

from plcnn import results
from plcnn.data.complaints import refuse
from plcnn.data.kept.array_store import are_last
from plcnn.data.module import ImageData
from plcnn.data.reading import array_files
from plcnn.data.sources import numpy as source_module
from plcnn.data.sources.numpy import Arrays
from plcnn.errors import UserError

RGB = np.random.default_rng(0).integers(256, size=(12, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(12) % 3
EXPECTED = torch.from_numpy(RGB).permute(0, 3, 1, 2)


def archive(name: str = "a.npz", **arrays: Any) -> str:
    np.savez(name, **arrays)
    return name


def folder(**arrays: Any) -> str:
    Path("arrays").mkdir()
    for name, array in arrays.items():
        np.save(f"arrays/{name}.npy", array)
    return "arrays"


def refused(root: str, **arguments: Any) -> str:
    with pytest.raises(UserError) as caught:
        source = Arrays(root, **arguments)
        source.prepare()
        refuse(source.complaints)
        source.train()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("place", [archive, folder])
@pytest.mark.parametrize(
    "names", ["images labels", "X y", "train_images train_labels", "x_train y_train", "Training_Images training_labels"]
)
def test_names_of_arrays(place: Any, names: str) -> None:
    images, labels = names.split()
    source = Arrays(place(**{images: RGB, labels: LABELS, "notes": LABELS}))
    assert source.classes == ("0", "1", "2") and source.image_shape == (3, 6, 5)
    found = source.train()
    assert torch.equal(found.images, EXPECTED)  # type: ignore[arg-type]
    assert found.labels.tolist() == LABELS.tolist() and found.labels.dtype == torch.int64
    assert not source.has_validation and not source.has_test


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (RGB, (3, 6, 5)),
        (RGB.transpose(0, 3, 1, 2), (3, 6, 5)),
        (RGB[..., 0], (1, 6, 5)),
        (RGB[..., :1], (1, 6, 5)),
        (np.asfortranarray(RGB), (3, 6, 5)),
        (np.concatenate([RGB[:, :5]] * 3, -1), (9, 5, 5)),
        (np.concatenate([RGB[:, :5]] * 3, -1).transpose(0, 3, 1, 2), (9, 5, 5)),
        (RGB / 255, (3, 6, 5)),
        ((RGB / 255).astype(np.float16), (3, 6, 5)),
        ((RGB / 255).astype(">f4").transpose(0, 3, 1, 2), (3, 6, 5)),
    ],
)
def test_forms_of_arrays(array: np.ndarray, shape: tuple[int, int, int]) -> None:
    source = Arrays(archive(images=array, labels=LABELS))
    assert source.image_shape == shape
    images = source.train().images
    wanted = torch.from_numpy(RGB)[:, : shape[1]].permute(0, 3, 1, 2)
    wanted = wanted[:, :1] if shape[0] == 1 else wanted.repeat(1, shape[0] // 3, 1, 1)
    assert isinstance(images, torch.Tensor) and images.dtype == torch.uint8 and torch.equal(images, wanted)


@pytest.mark.parametrize(
    ("shape", "last"),
    [
        ((9, 32, 32, 3), True),
        ((9, 3, 32, 32), False),
        ((9, 3, 32, 40), False),
        ((9, 32, 40, 4), True),
        ((9, 28, 28), False),
        ((9, 13, 64, 64), False),
        ((9, 64, 64, 13), True),
        ((9, 3, 3, 3), None),
        ((9, 3, 20, 3), None),
        ((9, 20, 30, 8), None),
    ],
)
def test_where_the_channels_stand(shape: tuple[int, ...], last: bool | None) -> None:
    assert are_last(shape) is last
    if len(shape) == 4:
        assert are_last(shape, "last") is True and are_last(shape, "first") is False


def test_all_parts_and_names_of_classes() -> None:
    three = {
        f"{part}_{kind}": a for part in ("train", "val", "test") for kind, a in (("images", RGB), ("labels", LABELS))
    }
    three["val_labels"] = LABELS[:, None]  # as Keras has them
    source = Arrays(archive(**three, class_names=np.array(["c", "b", "a"])))
    assert source.classes == ("c", "b", "a") and source.has_validation and source.has_test
    for part in (source.train(), source.validation(), source.test()):
        assert part.labels.tolist() == LABELS.tolist() and len(part.images) == 12
    texts = np.array(["a", "b", "c"])[LABELS]
    assert Arrays(archive(x=RGB, y=texts, classes=np.array(["c", "b", "a"]))).train().labels.tolist() == [2, 1, 0] * 4
    assert Arrays(archive(x=RGB, y=texts.astype("S"))).classes == ("a", "b", "c")
    gaps = Arrays(archive(x_train=RGB, y_train=LABELS * 5, x_test=RGB, y_test=LABELS * 0 + 10))
    assert gaps.classes == ("0", "5", "10") and gaps.test().labels.tolist() == [2] * 12


def test_test_pictures_are_not_read_before_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    name = archive(x_train=RGB, y_train=LABELS, x_test=RGB, y_test=LABELS)
    read: list[str] = []
    unpacked = array_files._unpacked
    monkeypatch.setattr(array_files, "_unpacked", lambda path, name: read.append(name) or unpacked(path, name))
    data = ImageData(source="numpy", root=name)  # type: ignore[arg-type]
    data.setup("fit")
    assert "x_test" not in read and "x_train" in read


def test_large_arrays_stay_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MOST_BYTES", 100)
    for images in (RGB, RGB / 255):
        root = folder(images=images, labels=LABELS)
        store = Arrays(root).train().images
        assert not isinstance(store, torch.Tensor) and len(store) == 12
        store.read(torch.tensor([0]))  # the file is open now
        travelled = pickle.dumps(store)
        assert len(travelled) < 1000  # the file's name, not its values
        for one in (store, pickle.loads(travelled)):
            assert torch.equal(one.read(torch.tensor([7, 0, 7])), EXPECTED[[7, 0, 7]])
        data = ImageData(source="numpy", root=root)  # type: ignore[arg-type]
        data.setup("fit")
        assert torch.equal(data.sets["train"][0][:], EXPECTED[data.parts["train"].rows])
        assert store.fingerprint == Arrays(root).train().images.fingerprint  # type: ignore[union-attr]
        os.utime("arrays/images.npy", (1, 1))
        assert store.fingerprint != Arrays(root).train().images.fingerprint  # type: ignore[union-attr]
        for file in Path("arrays").iterdir():
            file.unlink()
        Path("arrays").rmdir()


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("attacked",)


def test_arrays_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    ok = {"images": RGB, "labels": LABELS}
    Path("cut.npz").write_bytes(Path(archive(**ok)).read_bytes()[:-50])
    Path("empty.npz").touch()
    np.savez("attack.npz", images=RGB, labels=np.array([Attack()] * 12, dtype=object))
    Path("none").mkdir()
    for name, arrays, words in [
        ("floats", {**ok, "images": RGB * 1.0}, "floats.npz: images cannot be used: floats must be from 0 to 1."),
        ("nan", {**ok, "images": np.full((12, 6, 5), np.nan)}, "floats must be from 0 to 1."),
        ("ints", {**ok, "images": RGB.astype(np.int64)}, "values of type int64; expected uint8"),
        ("flat", {**ok, "images": RGB.reshape(12, -1)}, "an array of shape (12, 90); expected (pictures, height"),
        ("nothing", {"images": RGB[:0], "labels": LABELS[:0]}, "nothing.npz has no classes"),
        ("few", {**ok, "labels": LABELS[:9]}, "labels are int64 (9,); expected a whole number or text for"),
        ("hot", {**ok, "labels": np.eye(3)[LABELS]}, "labels are float64 (12, 3); expected"),
        ("one", {**ok, "labels": LABELS * 0}, "one.npz has one class alone, 0"),
        ("alone", {"images": RGB}, "alone.npz holds images; expected images and labels, or x and y"),
        ("odd", {**ok, "test_images": RGB}, "odd.npz holds images, labels, test_images; expected"),
        ("more", {**ok, "x_test": RGB, "y_test": LABELS + 1}, "more.npz: these labels are on no training picture: 3."),
        ("names", {**ok, "class_names": np.array(["a", "b"])}, "these labels are not in its array class_names: 2."),
        ("vague", {**ok, "images": np.zeros((12, 8, 8, 8), np.uint8)}, "channels first or last? --data.source.cha"),
    ]:
        assert words in refused(archive(f"{name}.npz", **arrays)), name
    for root, words in {
        "cut.npz": "cut.npz cannot be read: ",
        "empty.npz": "empty.npz cannot be read: ",
        "attack.npz": "attack.npz cannot be read: ",
        "none": "none holds no arrays; expected images and labels",
        "cat.npz": "there is no such file or folder. Did you mean cut.npz or",
    }.items():
        assert words in refused(root), root
    np.save("a.npy", RGB)
    assert "--data.root a.npy is neither: name a .npz file, or a folder of .npy files." in refused("a.npy")
    assert not Path("attacked").exists()
    assert Arrays("vague.npz", channels="last").image_shape == (8, 8, 8)
    monkeypatch.setattr(array_files, "MOST_BYTES", 100)
    assert "it holds more than" in refused("a.npz")


def test_pictures_of_any_number_of_channels_go_all_the_way(plcnn: Callable[..., Outcome]) -> None:
    images = np.random.default_rng(1).integers(256, size=(40, 8, 8, 6), dtype=np.uint8)
    archive(x_train=images, y_train=np.arange(40) % 2, x_test=images[:9], y_test=np.arange(9) % 2)
    arguments = ["--data.source", "numpy", "--data.root", "a.npz", "--model.arch", "linear", "--test_after", "true"]
    outcome = plcnn("fit", *arguments, "--tensorboard.figures_every_n_epochs", "0", "--trainer.max_epochs", "1")
    assert outcome.code == 0, outcome.err
    run = "tb_logs/run/version_0"
    np.save("six.npy", images[:9])
    np.save("three.npy", images[0, ..., :3])
    Image.fromarray(images[0, ..., :3]).save("a.png")
    assert plcnn("predict", run, "six.npy", "--output", "said.json", "--format", "json").code == 0
    said = [one["label"] for one in json.loads(Path("said.json").read_text())]
    result = results.read(Path(run, "test.json"))
    assert result.outputs and said == [str(label) for label in result.outputs.logits.argmax(1).tolist()]
    outcome = plcnn("predict", run, "three.npy", "a.png")
    assert outcome.code == 1 and "three.npy (it has 3 channels; expected 6); a.png (a picture file has" in outcome.err
    outcome = plcnn("export", run, "--format", "safetensors")
    card = Path(run, "export/linear-fp32.safetensors.md").read_text()
    assert outcome.code == 0 and "6 channels pictures" not in card and 'np.load("picture.npy")' in card
    pytest.importorskip("fastapi")
    outcome = plcnn("serve", run, "--port", "0")
    assert outcome.code == 2 and "takes 6 channels, which no picture file has" in outcome.err
