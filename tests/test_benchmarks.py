"""The benchmarks: each explains itself, those in one process run at their tiniest, FLOPs are right."""

import importlib.util
import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

FOLDER = Path(__file__).parents[1] / "benchmarks"
SHARED = {"bare_loop", "clients", "common", "device", "probes"}
FILES = sorted(FOLDER.glob("*.py"))
COMMANDS = sorted({file.stem for file in FILES} - SHARED)


@pytest.fixture(autouse=True)
def _import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])


def load(stem: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{stem}", FOLDER / f"{stem}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(stem: str, *arguments: str) -> list[dict[str, Any]]:
    """The rows that a command wrote."""
    load(stem).main([*arguments, "--accelerator", "cpu", "--json", "rows.json"])
    content = json.loads(Path("rows.json").read_text())
    assert content["machine"]["torch"] == version("torch") and content["settings"]["accelerator"] == "cpu"
    rows: list[dict[str, Any]] = content["rows"]
    return rows


def test_there_are_benchmarks_and_what_they_share() -> None:
    assert len(COMMANDS) >= 10
    assert {file.stem for file in FILES} >= SHARED


@pytest.mark.parametrize("stem", COMMANDS)
def test_help_shows_the_commands(stem: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        load(stem).main(["--help"])
    assert ending.value.code == 0
    text = capsys.readouterr().out
    assert f"python benchmarks/{stem}.py" in text and "--json" in text


@pytest.mark.parametrize("stem", COMMANDS)
def test_readme_names_every_command(stem: str) -> None:
    assert f"`{stem}.py" in (FOLDER / "README.md").read_text()


def test_architectures() -> None:
    (row,) = run("architectures", "linear", "--pictures", "128")
    assert row["name"] == "linear" and row["pictures/s"] > 0


def test_throughput_takes_the_first_variant_as_one() -> None:
    rows = run("throughput", "--archs", "linear", "--batch_sizes", "4", "8", "--steps", "2")
    assert [(row["batch"], row["precision"]) for row in rows] == [
        (4, "32-true"),
        (4, "bf16-mixed"),
        (8, "32-true"),
        (8, "bf16-mixed"),
    ]
    assert [row["speed-up"] for row in rows if row["precision"] == "32-true"] == [1, 1]
    assert all(row["train of peak"] > 0 and row["eval pictures/s"] > 0 for row in rows)


def test_data_path() -> None:
    rows = run("data_path", "--augments", "none", "--pictures", "80", "--workers", "0", "--repeats", "1")
    assert [row["data path"].split()[0] for row in rows] == ["keras_cnn's", "plcnn", "DataLoader", "DataLoader"]
    assert rows[0]["of training"] == 1


def test_predict() -> None:
    sizes = ["--pictures", "20", "--photos", "10", "--workers", "1", "--repeats", "1"]
    rows = run("predict", "--arch", "linear", *sizes)
    assert [row["pictures"] for row in rows] == [
        f"{kind}: {side}" for kind in ("PNG", "photo") for side in ("network", "reading", "predict")
    ]
    assert rows[0]["of network"] == rows[1]["of reading"] == 1 and all(row["pictures/s"] > 0 for row in rows)


def test_streaming() -> None:
    rows = run(
        "streaming", "--kind", "small", "--pictures", "40", "--image_size", "8", "--repeats", "1", "--workers", "2"
    )
    assert [row["pictures"] for row in rows] == [
        "decoding alone",
        *(f"streamed, epoch {epoch}" for epoch in (1, 2)),
        "preparing",
        *(f"{kind}, epoch {epoch}" for kind in ("prepared", "array") for epoch in (1, 2)),
    ]
    assert rows[0]["of decoding"] == 1 and all(row["pictures/s"] > 0 and row["MiB"] >= 0 for row in rows)


def test_decoders() -> None:
    rows = run("decoders", "--small", "3", "--photos", "1", "--big", "0", "--repeats", "1")
    assert rows[0]["of Pillow"] == 1 and all(row["pictures/s"] > 0 for row in rows)
    assert {row["largest difference"] for row in rows if "reduced" not in row["decoded"]} == {0}


def test_serve() -> None:
    rows = run("serve", "--arch", "linear", "--requests", "40", "--repeats", "1")
    assert [row["what"] for row in rows[2:]] == ["served to 1", "served to 8", "served to 32"]
    assert rows[0]["of alone"] == 1 and all(row["pictures/s"] > 0 for row in rows)
    assert all(0 < row["median ms"] <= row["95 % ms"] <= row["99 % ms"] for row in rows)


def test_the_bare_loop_takes_the_place_of_the_training(capfd: pytest.CaptureFixture[str]) -> None:
    from support import TINY

    from plcnn.__main__ import main

    with pytest.raises(SystemExit) as ending:
        main(["fit", *TINY, "--trainer.max_epochs", "2", "--trainer.callbacks+", "bare_loop.BareLoop"])
    assert not ending.value.code
    printed = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert len(printed["bare_epochs"]) == 2 and printed["steps"] == 3 and printed["pictures"] == 180
    assert all(0 < epoch["train_seconds"] < epoch["seconds"] for epoch in printed["bare_epochs"])


def test_flops_equal_the_formula() -> None:
    device = load("device")
    batch, inputs, width, classes, size = 2, 3, 5, 10, 8
    network = nn.Sequential(nn.Conv2d(inputs, width, 3, padding=1), nn.Flatten(), nn.Linear(width * size**2, classes))
    images = torch.rand(batch, inputs, size, size)
    convolution = 2 * batch * size**2 * width * inputs * 9
    product = 2 * batch * width * size**2 * classes
    assert device.model_flops(network, images, classes, training=False) == convolution + product
    # Backward: the convolution's weights alone, since pictures need no gradient; the product's weights and input.
    backward = convolution + 2 * product
    assert device.model_flops(network, images, classes, training=True) == convolution + product + backward


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("NVIDIA L40S", "L40S"),
        ("Tesla T4", "T4"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
        ("NVIDIA T400", None),
    ],
)
def test_cards_are_known_by_words_of_their_names(card: str, name: str | None) -> None:
    assert load("device").known(card) == name


def test_sides_take_turns_and_ratios_are_medians() -> None:
    common = load("common")
    order: list[str] = []
    turns = common.turn_by_turn({name: lambda name=name: order.append(name) or name for name in "AB"}, 3)
    assert "".join(order) == "ABABAB" and turns == {"A": ["A"] * 3, "B": ["B"] * 3}
    assert common.median_ratio([2.0, 30.0, 8.0], [1.0, 10.0, 2.0]) == 3


def test_a_child_that_fails_shows_what_it_said() -> None:
    common = load("common")
    with pytest.raises(SystemExit, match=r"exit code 3[\s\S]*to out[\s\S]*to err"):
        common.run([sys.executable, "-c", "import sys; print('to out'); sys.stderr.write('to err'); sys.exit(3)"])
