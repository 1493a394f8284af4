"""`plcnn archs`: the list, a page, the checks, and what goes wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Outcome

import plcnn as product
from plcnn.archs import catalogue

pytestmark = pytest.mark.usefixtures("registers")

Command = Callable[..., Outcome]

NET = """
from torch import nn
from plcnn import register

@register
def {name}(num_classes: int, in_channels: int = 3, depth: int = 1) -> nn.Module:
    '''A mean of pixels.

    Args:
        depth: number of layers.
    '''
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *[nn.Linear(in_channels, num_classes)] * depth)
"""


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, object]]:
    """A table as it is shipped, of two of the package's architectures."""
    found = [catalogue.measure(name, catalogue.Input()) for name in ("keras_cnn", "linear")]
    monkeypatch.setattr(catalogue, "SHIPPED", tmp_path / "shipped.json")
    catalogue._store(catalogue.Input(), found, catalogue.SHIPPED)
    return found


def test_the_list_shows_family_costs_and_source(plcnn: Command, stored: list[dict[str, object]]) -> None:
    outcome = plcnn("archs")
    assert outcome.code == 0
    assert outcome.out.splitlines()[1].split() == ["keras_cnn", "keras_cnn", "551.72", "k", "38.90", "M", "plcnn"]
    assert "2 architectures at 3 × 32 × 32, 10 classes." in outcome.out


def test_the_shipped_table_is_true() -> None:
    content = json.loads(catalogue.SHIPPED.read_text())
    assert len(content["rows"]) >= 20
    for row in content["rows"]:
        if row["name"] in ("keras_cnn", "linear", "resnet20", "vgg11", "cct"):
            assert row == catalogue.measure(row["name"], catalogue.Input())


def test_a_stored_list_imports_nothing_heavy() -> None:
    # the first run measures where the shipped table is older than the source files
    code = "import sys; from plcnn.__main__ import main; main(['archs']); print('torch' in sys.modules)"
    for _ in range(2):
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "False" and "keras_cnn" in ran.stdout


def test_other_inputs_are_measured_once_and_changed_files_again(
    plcnn: Command, stored: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    def measure(name: str, given: catalogue.Input) -> dict[str, object]:
        measured.append(name)
        return {"name": name, "family": "f", "parameters": 1, "multiply_adds": given.image_size, "source": "plcnn"}

    monkeypatch.setattr(catalogue, "measure", measure)
    for _ in range(2):
        assert plcnn("archs", "--image_size", "64").out.splitlines()[1].split()[1:] == ["f", "1", "64", "plcnn"]
    assert measured == product.names()
    monkeypatch.setattr(catalogue, "_digest", lambda: "changed")
    plcnn("archs")
    assert measured == product.names() * 2


def test_a_pattern_or_a_part_of_a_name_filters(plcnn: Command, stored: list[dict[str, object]]) -> None:
    for pattern in ("lin*", "inea"):
        lines = plcnn("archs", pattern).out.splitlines()
        assert lines[1].startswith("linear") and lines[3].startswith("1 architectures")
    outcome = plcnn("archs", "keras_cn")
    assert outcome.code == 0 and "keras_cnn" in outcome.out
    outcome = plcnn("archs", "kears_cnn")
    assert outcome.code == 2 and "Unknown architecture 'kears_cnn'. Did you mean keras_cnn?" in outcome.err


def test_json_holds_exact_numbers(plcnn: Command, stored: list[dict[str, object]]) -> None:
    content = json.loads(plcnn("archs", "--json").out)
    assert content["input"] == {"in_channels": 3, "image_size": 32, "num_classes": 10}
    assert content["architectures"] == stored
    assert content["architectures"][0]["parameters"] == 551_722


def test_a_page_has_arguments_costs_an_example_and_layers(plcnn: Command) -> None:
    out = plcnn("archs", "keras_cnn").out
    assert "parameters   551,722 trainable, 1,152 statistics" in out
    assert "--model.arch.widths  tuple[int, ...], default '[32, 64, 128]'" in out
    assert "channels of each stage's two convolutions" in out
    assert "example      plcnn fit --config configs/base.yaml --model.arch keras_cnn --model.arch." in out
    assert "head.logits" in out
    about = json.loads(plcnn("archs", "linear", "--json", "--num_classes", "4").out)
    assert about["parameters"] == 3 * 32 * 32 * 4 + 4 and about["arguments"] == []


def test_a_page_takes_arguments_and_other_inputs(plcnn: Command) -> None:
    chosen = ["--model.arch.widths", "[8]", "--model.arch.dropouts", "[0]", "--image_size", "8"]
    out = plcnn("archs", "keras_cnn", *chosen).out
    assert "input        3 × 8 × 8, 10 classes" in out and "8 × 8 × 8" in out
    assert "--model.arch.widths '[8]'" in out
    outcome = plcnn("archs", "keras_cnn", "--model.arch.width", "8")
    assert outcome.code == 2 and "'keras_cnn' has no argument 'width'. It takes: widths, " in outcome.err


def test_a_new_process_knows_the_names_before_it_reads_arguments() -> None:
    command = [sys.executable, "-m", "plcnn", "archs", "wide_resnet", "--model.arch.depth"]
    ran = subprocess.run([*command, "10"], capture_output=True, text=True)
    assert ran.returncode == 0 and "example      plcnn fit" in ran.stdout, ran.stderr
    ran = subprocess.run([*command, "11"], capture_output=True, text=True)
    assert ran.returncode == 2 and "depth: got 11; allowed: 6 n + 4" in ran.stderr


def test_checks_of_a_users_own_file(plcnn: Command) -> None:
    Path("mine.py").write_text(NET.format(name="pixel_mean"))
    outcome = plcnn("archs", "pixel_mean", "--plugins", "mine.py", "--check")
    assert outcome.code == 0, outcome.err
    assert "pixel_mean(depth=1) at 3 × 32 × 32, 10 classes" in outcome.out and "ok      gradients" in outcome.out
    listed = plcnn("archs", "pixel", "--plugins", "mine.py").out
    assert listed.splitlines()[1].split() == ["pixel_mean", "mine", "40", "30", "mine.py"]
    failing = ["--model.arch.depth", "2", "--check"]
    outcome = plcnn("archs", "pixel_mean", "--plugins", "mine.py", *failing)
    assert outcome.code == 1 and "FAILED  outputs" in outcome.out and "error: pixel_mean fails" in outcome.err
    results = json.loads(plcnn("archs", "pixel_mean", "--plugins", "mine.py", *failing, "--json").out)["checks"]
    assert [r["passed"] for r in results if r["check"] == "outputs"] == [False]


def test_one_that_cannot_be_built_leaves_the_others(plcnn: Command) -> None:
    Path("mine.py").write_text(NET.format(name="raises").replace("return", "1 / 0; return"))
    outcome = plcnn("archs", "raises", "--plugins", "mine.py")
    assert outcome.code == 2 and "cannot be built: ZeroDivisionError" in outcome.err
    outcome = plcnn("archs", "*r*", "--plugins", "mine.py")
    assert (
        outcome.code == 0 and "linear" in outcome.out and "raises: architecture raises(depth=1) cannot" in outcome.err
    )


def test_models_of_a_library_are_listed(plcnn: Command) -> None:
    assert "torchvision stands for 80 models" in plcnn("archs", "torchv").out
    found = plcnn("archs", "torchvision", "--models", "resnet1*").out.split()
    assert sorted(found) == ["resnet101", "resnet152", "resnet18"]
    outcome = plcnn("archs", "linear", "--models", "*")
    assert outcome.code == 2 and "linear is one network" in outcome.err
    outcome = plcnn("archs", "torchvision", "--models", "resnet19")
    assert outcome.code == 2 and "has none. Did you mean resnet18" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--chek"], "there is no option --chek. Did you mean --check"),
        (["--check"], "--check needs a name: plcnn archs NAME."),
        (["--image_size", "0"], "argument --image_size: expected a whole number of 1 or more, got '0'"),
        (["linear", "--plugins", "nowhere.py"], "--plugins: there is no file "),
        (["linaer", "--check"], "Unknown architecture 'linaer'. Did you mean linear"),
        (["--model.arch.depth", "3"], "--model.arch.depth needs a name"),
    ],
)
def test_mistakes_are_one_message(plcnn: Command, arguments: list[str], words: str) -> None:
    outcome = plcnn("archs", *arguments)
    assert outcome.code == 2 and words in outcome.err and len(outcome.err.splitlines()) == 1
