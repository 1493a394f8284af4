"""Pictures that have names are called by them: in results, in predictions.csv and on the page."""

import csv
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from plcnn import results
from plcnn.errors import UserError
from plcnn.outputs import Outputs
from plcnn.report import record as records
from plcnn.report import single

NAMES = [
    "cat/ü 日本.png",
    "cat/<b>.png",
    os.fsdecode(b"dog/\xff.png"),
    "dog/new\nline.png",
    "dog/a,b.png",
    "dog/not.png",
]
OUTPUTS = Outputs(
    torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 1.0], [1.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 0, 1, 1, 1])
)
METRICS = {"test/pictures": 5.0, "test/loss": 0.5, "test/acc": 0.6}


def kept(names: list[str] | None) -> Path:
    """A result in a run folder, of five of the six pictures."""
    checkpoint = Path("tb_logs/run/version_0/checkpoints/last.ckpt")
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    for file in (checkpoint, checkpoint.parents[1] / "config.yaml"):
        file.touch()
    images = torch.zeros(6, 1, 4, 4, dtype=torch.uint8)
    path = results.keep("test", METRICS, checkpoint, OUTPUTS, images, torch.arange(10, 16), 1.0, names)
    assert path
    return path


def test_names_are_kept_and_read() -> None:
    found = results.read(kept(NAMES))
    assert found.names == NAMES[:5] and found.rows.tolist() == [10, 11, 12, 13, 14]
    assert results.read(kept(None)).names is None
    path = kept(NAMES)
    other = path.with_name("other.json")
    other.write_bytes(path.read_bytes())
    tensors = safetensors.torch.load_file(path.with_suffix(".safetensors"))
    safetensors.torch.save_file({**tensors, "names": torch.zeros(2).byte()}, other.with_suffix(".safetensors"))
    with pytest.raises(UserError, match=r"other\.json cannot be read: 3 names for 5 pictures"):
        results.read(other)


@pytest.mark.parametrize("names", [NAMES, None])
def test_reports_call_pictures_by_name_or_number(names: list[str] | None) -> None:
    result = results.read(kept(names))
    folder = Path("report")
    page = single.write(records.Record(Path(), [], {}, [], result, ["cat", "dog"], None, []), folder).read_text()
    with (folder / "predictions.csv").open(newline="") as file:
        called = [row["picture"] for row in csv.DictReader(file)]
    if names is None:
        assert called == ["10", "11", "12", "13", "14"] and "#11" in page
        return
    assert called == [*names[:2], r"dog/\udcff.png", *names[3:5]]
    assert 'title="cat/&lt;b&gt;.png">cat/&lt;b&gt;.png</p>' in page and "#11" not in page
    assert r'title="dog/new\nline.png"' in page and r"dog/\udcff.png" in page
