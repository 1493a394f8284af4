"""Data sets of the Hugging Face library: local ones, and one of the hub that is in the cache already."""

import builtins
import io
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from plcnn.data.complaints import refuse
from plcnn.data.kept.fingerprints import fingerprint
from plcnn.data.module import ImageData
from plcnn.data.reading.in_memory import image_of
from plcnn.data.sources.huggingface import HuggingFace
from plcnn.errors import UserError

datasets = pytest.importorskip("datasets")
VALUES = np.random.default_rng(0).integers(256, size=(9, 8, 8, 3), dtype=np.uint8)
EXPECTED = torch.from_numpy(VALUES).permute(0, 3, 1, 2)


def content(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def made(**columns: Any) -> Any:
    """Nine pictures, of the classes b, c, b, c and so on."""
    given = {"img": [{"bytes": content(one), "path": None} for one in VALUES], "label": [0, 1] * 4 + [0], **columns}
    kinds: dict[str, Any] = {"img": datasets.Image(), "label": datasets.ClassLabel(names=["b", "c"])}
    kinds |= {name: datasets.ClassLabel(names=["x", "y"]) for name in columns if name not in kinds}
    return datasets.Dataset.from_dict(given, features=datasets.Features(kinds))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data sets; the library has a cache of its own there, no network and no progress bars."""
    folder = tmp_path_factory.mktemp("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", folder / "cache")
        patch.setattr("datasets.config.HF_HUB_OFFLINE", True)
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        datasets.disable_progress_bars()
        splits = {"train": made(), "valid": made(), "test": made(label=[-1] * 9)}
        datasets.DatasetDict(splits).save_to_disk(str(folder / "saved"))
        made(fine=[0] * 9).select([3, 1, 4]).save_to_disk(str(folder / "single"))
        for part in ("train", "test"):
            (folder / "things").mkdir(exist_ok=True)
            made().to_parquet(str(folder / f"things/{part}.parquet"))
        for number, values in enumerate(VALUES):
            file = folder / "files" / "bc"[number % 2] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content(values))
        (folder / "script").mkdir()
        (folder / "script/script.py").write_text("import pathlib\npathlib.Path('attacked').mkdir()\n")
        yield folder
        datasets.enable_progress_bars()


def pictures(found: Any) -> torch.Tensor:
    return torch.stack([torch.from_numpy(image_of(found.picture(i), (3, 8, 8)).copy()) for i in range(len(found))])


def refused(root: Path | str = "data", **arguments: Any) -> str:
    with pytest.raises(UserError) as caught:
        source = HuggingFace(str(root), **arguments)
        source.prepare()
        refuse(source.complaints)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_what_save_to_disk_wrote(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = HuggingFace(str(place / "saved"))
    source.prepare()
    assert source.classes == ("b", "c") and source.image_shape == (3, 8, 8)
    assert source.has_validation and not source.has_test  # its labels are missing, as of many test sets
    assert "the split test has no labels and is left out" in caplog.text
    train = source.train()
    assert train.labels.tolist() == [0, 1] * 4 + [0] and torch.equal(pictures(train.images), EXPECTED)
    assert train.images.name(7) == "train[7]"  # type: ignore[union-attr]


def test_a_single_set_and_rows_in_another_order(place: Path) -> None:
    source = HuggingFace(str(place / "single"))
    assert not source.has_validation and not source.has_test
    assert torch.equal(pictures(source.train().images), EXPECTED[[3, 1, 4]])
    assert HuggingFace(str(place / "single"), label="fine").classes == ("x", "y")


@pytest.mark.parametrize("name", ["things", "files"])
def test_folders_that_the_library_reads(place: Path, name: str) -> None:
    source = HuggingFace(str(place / name))
    assert source.classes == ("b", "c") and source.has_test == (name == "things")
    found = source.train()
    order = list(range(9)) if name == "things" else [*range(0, 9, 2), *range(1, 9, 2)]
    assert torch.equal(pictures(found.images), EXPECTED[order])
    assert found.labels.tolist() == [number % 2 for number in order]


def test_the_store_travels_to_other_processes(place: Path) -> None:
    store = HuggingFace(str(place / "things")).train().images
    travelled = pickle.dumps(store)
    assert len(travelled) < 5000  # names of files, no pictures
    assert torch.equal(pictures(pickle.loads(travelled)), EXPECTED)


def test_pictures_that_were_prepared_are_found_again(place: Path) -> None:
    first, again, other = (HuggingFace(str(place / name)).train().images for name in ("things", "things", "saved"))
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)  # type: ignore[arg-type]
    assert first.fingerprint == fingerprint(first)  # type: ignore[arg-type, union-attr]  # no picture was read for it


def test_bytes_and_texts_are_found_by_their_types(place: Path) -> None:
    rows = {"data": [content(one) for one in VALUES], "class": list("ca") * 4 + ["c"], "note": [1.5] * 9}
    datasets.Dataset.from_dict(rows).save_to_disk(str(place / "bytes"))
    source = HuggingFace(str(place / "bytes"))
    assert source.classes == ("a", "c") and source.train().labels.tolist() == [1, 0] * 4 + [1]
    assert torch.equal(pictures(source.train().images), EXPECTED)


def test_a_set_of_the_hub_is_taken_from_the_cache_without_a_network(place: Path) -> None:
    HuggingFace(str(place / "things")).prepare()
    shutil.copytree(place / "cache/things", place / "cache/somebody___things")
    source = HuggingFace(dataset="somebody/things")
    assert torch.equal(pictures(source.train().images), EXPECTED) and source.has_test
    message = refused(dataset="somebody/else")
    assert message.startswith("somebody/else cannot be had: Couldn't reach 'somebody/else'")


def test_code_is_never_run(place: Path) -> None:
    assert "scripts are no longer supported" in refused(place / "script")
    assert not Path("attacked").exists()


def test_mistakes_name_what_there_is(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = place / "saved"
    two = made().rename_column("label", "fine").add_column("coarse", [0] * 9)
    two.cast_column("coarse", datasets.ClassLabel(names=["x", "y"])).save_to_disk(str(place / "two"))
    datasets.DatasetDict(first=made(), second=made()).save_to_disk(str(place / "parts"))
    made(label=[0, -1, 1] * 3).save_to_disk(str(place / "gaps"))
    made().rename_column("img", "label2").remove_columns("label").save_to_disk(str(place / "unlabelled"))
    for message, words in {
        refused(saved, test="tset"): "--data.source.test tset: " + f"{saved} has no such split. Did you mean test?",
        refused(saved, validation="val"): "--data.source.validation val: ",
        refused(saved, label="lable"): f"--data.source.label lable: {saved} has no such column. Did you mean label?",
        refused(saved, image="image"): "--data.source.image image: ",
        refused(place / "two"): "which column has the labels, fine, coarse? --data.source.label COLUMN",
        refused(place / "unlabelled"): "which column has the labels, label2? --data.source.label COLUMN",
        refused(place / "parts"): "has the splits first, second: which is to train on? --data.source.train SPLIT",
        refused(place / "gaps"): "3 of 9 rows of train have no label.",
        refused("nowhere"): "--data.root nowhere: there is no such file or folder. Name a local data set, or --data.",
    }.items():
        assert words in message
    assert HuggingFace(str(place / "parts"), train="second", test="first").has_test

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return imported(name, *arguments, **keywords)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    assert refused(saved) == "the source needs an optional package: pip install 'plcnn[huggingface]'"


def test_batches_are_read_by_worker_processes(place: Path) -> None:
    data = ImageData(source="huggingface", root=str(place / "things"), keep="workers", workers=1)  # type: ignore[arg-type]
    data.prepare_data()
    data.setup("test")
    (batch,) = data.test_dataloader()
    assert torch.equal(batch.images, EXPECTED) and data.parts["test"].names() == [f"test[{row}]" for row in range(9)]
