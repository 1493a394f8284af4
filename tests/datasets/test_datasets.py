"""`plcnn datasets`: the list, a page, a source of one's own, and what goes wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import TINY, Outcome

from plcnn.data.sources import sources
from plcnn.datasets import catalogue

Command = Callable[..., Outcome]

PAGE = Path(__file__).parents[2] / "docs" / "data-sets.md"
SOURCE = PAGE.read_text().split("```python\n")[1].split("```")[0]
"""The page's source of one's own."""


@pytest.fixture(autouse=True)
def _own_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the sources that a test registers."""
    sources.names()
    monkeypatch.setattr(sources, "_choices", dict(sources._choices))
    monkeypatch.setattr(sources, "origins", dict(sources.origins))


def test_the_list_shows_numbers_and_what_is_there(plcnn: Command, tmp_path: Path) -> None:
    (tmp_path / "data" / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz").write_bytes(bytes(2048))
    (tmp_path / "data" / "CINIC-10.tar.gz").write_bytes(bytes(1_500_000))
    outcome = plcnn("datasets")
    assert outcome.code == 0, outcome.err
    rows = {line.split()[0]: line.split() for line in outcome.out.splitlines()[1:] if line}
    assert rows["cifar100"][1:9] == ["100", "50,000", "10,000", "32", "×", "32", "3", "169.0"]
    assert [rows[name][10] for name in ("mnist", "cinic10", "cifar10")] == ["2.0", "1.5", "no"]
    assert rows["shapes"][1:10] == ["10", "8,000", "2,000", "32", "×", "32", "3", "none", "yes"]
    assert rows["folder"][1:8] == ["-"] * 7
    assert f"\n{len(sources.names())} sources of pictures." in outcome.out


def test_a_pattern_another_root_and_json(plcnn: Command, tmp_path: Path) -> None:
    (tmp_path / "there" / "stl10_binary").mkdir(parents=True)
    (tmp_path / "there" / "stl10_binary" / "train_y.bin").write_bytes(bytes(5000))
    content = json.loads(plcnn("datasets", "stl", "--data.root", tmp_path / "there", "--json").out)
    (row,) = content["datasets"]
    assert (row["name"], row["classes"], row["training"], row["test"]) == ("stl10", 10, 5000, 8000)
    assert row["image_shape"] == [3, 96, 96] and row["download_bytes"] == row["files"][0]["size"] == 2640397119
    expected = {"path": str(tmp_path / "there" / "stl10_binary"), "bytes": 5000, "unpacked": True}
    assert row["present"] == expected
    listed = plcnn("datasets", "*mnist").out
    assert "emnist" in listed and "fashion_mnist" in listed and "cifar" not in listed.split("\n\n")[0]


def test_the_page_lists_every_set_with_its_numbers() -> None:
    for row in catalogue.rows():
        (line,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{row['name']}` |")] or [""]
        if "classes" in row:
            numbers = {f"{row[key]:,}" for key in ("training", "test")} if row["name"] != "emnist" else set()
            assert line and all(number in line for number in numbers)


@pytest.mark.parametrize("name", sources.names())
def test_every_source_has_a_page(plcnn: Command, name: str) -> None:
    if any(p.default is p.empty for p in sources[name].signature.parameters.values()):
        pytest.skip("has an argument that must be given")
    outcome = plcnn("datasets", name)
    assert outcome.code == 0, outcome.err
    assert (
        f"{name}: " in outcome.out
        and f"--data.source {name}" in outcome.out
        and "source         plcnn, " in outcome.out
    )
    for argument in sources[name].signature.parameters:
        assert f"  --data.source.{argument}  " in outcome.out


def test_a_page_takes_arguments(plcnn: Command) -> None:
    out = plcnn("datasets", "emnist", "--data.source.split", "letters").out
    assert "26: a, b, c" in out and "124,800 for training, 20,800 for testing" in out and "1 channel (grey)" in out
    assert "--data.source emnist --data.source.split letters" in out
    about = json.loads(plcnn("datasets", "imagenette", "--data.source.size", "320px", "--json").out)
    assert about["image_shape"] == [3, 320, 320] and about["folder"] == "imagenette2-320"
    assert about["class_names"][0] == "tench" and about["sizes_differ"]
    out = plcnn("datasets", "svhn", "--data.root", "elsewhere").out
    assert "put train_32x32.mat and test_32x32.mat into elsewhere/SVHN" in " ".join(out.split())
    assert "pip install 'plcnn[svhn]'" in out and "73,257 for training" in out
    assert "90,000 of its own" in plcnn("datasets", "cinic10").out


def test_a_stored_list_imports_nothing_heavy() -> None:
    code = "import sys; from plcnn.__main__ import main; main(['datasets']); print('torch' in sys.modules)"
    for _ in range(2):  # the first makes the table where the shipped one is older than the source files
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "False" and "tiny_imagenet" in ran.stdout


def test_the_table_is_made_again_when_a_source_file_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    original = catalogue.row

    def row(chosen: Any, root: str = "data") -> dict[str, Any]:
        made.append(chosen.name)
        return original(chosen, root)

    monkeypatch.setattr(catalogue, "row", row)
    monkeypatch.setattr(catalogue, "SHIPPED", Path("nowhere"))
    first = catalogue.rows()
    assert catalogue.rows() == first and made == sources.names()
    monkeypatch.setattr(catalogue, "_digest", lambda: "changed")
    assert catalogue.rows() == first and made == sources.names() * 2


def test_a_users_own_file_serves_list_page_and_training(plcnn: Command) -> None:
    Path("my_sets.py").write_text(SOURCE)
    plugin = ["--plugins", "my_sets.py"]
    listed = plcnn("datasets", "strip", *plugin).out.splitlines()[1].split()
    assert listed[:9] == ["stripes", "2", "40", "10", "8", "×", "8", "1", "none"]
    out = plcnn("datasets", "stripes", *plugin).out
    assert "40 for training, 10 for testing" in out
    assert "Grey pictures of stripes" in out and "source         my_sets.py:8" in out
    assert "--data.source stripes --plugins my_sets.py --data.source.count 40" in out
    chosen = ["--data.source", "stripes", "--data.source.count", "60", "--trainer.max_epochs", "1"]
    outcome = plcnn("fit", *plugin, *TINY[8:], *chosen)
    assert outcome.code == 0, outcome.err
    assert "linear: 130 trainable parameters" in outcome.out
    assert plcnn("test", "tb_logs/run/version_0", *plugin).code == 0


def test_an_installed_package_serves_its_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "site" / "plcnn_stripes"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SOURCE)
    info = tmp_path / "site" / "plcnn_stripes-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plcnn-stripes\nVersion: 1\n")
    (info / "RECORD").write_text("plcnn_stripes/__init__.py,,\n")
    (info / "entry_points.txt").write_text("[plcnn.data.sources]\nstripes = plcnn_stripes\n")
    command = [sys.executable, "-m", "plcnn", "datasets", "stripes"]
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "source         plcnn-stripes, " in ran.stdout and "Grey pictures of stripes" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cifr100"], "Unknown source 'cifr100'. Did you mean cifar100 or cifar10"),
        (["qqq"], "Unknown source 'qqq'. Known: cifar10, cifar100, "),
        (["--jsn"], "there is no option --jsn. Did you mean --json"),
        (
            ["cifar100", "--data.source.label", "coarse"],
            "source 'cifar100' has no argument 'label'. It takes: labels.",
        ),
        (["cifar100", "--data.source.labels", "medium"], "expected fine or coarse, got 'medium'"),
        (["shapes", "--data.source.train_size", "5"], "train_size=5: the shapes need at least 10"),
        (["--data.source.labels", "fine"], "--data.source.labels needs a name: plcnn datasets NAME."),
        (["cifar100", "--plugins", "nowhere.py"], "--plugins: there is no file "),
    ],
)
def test_mistakes_are_one_message(plcnn: Command, arguments: list[str], words: str) -> None:
    outcome = plcnn("datasets", *arguments)
    assert outcome.code == 2 and words in outcome.err and len(outcome.err.splitlines()) == 1


def test_unknown_names_are_listed_by_the_command_of_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plcnn.registry.MOST_NAMED", 1)
    from plcnn.architectures import architectures
    from plcnn.optim import optimizers

    assert "`plcnn datasets` lists all " in sources.unknown("qqq")
    assert "`plcnn archs` lists all " in architectures.unknown("qqq")
    assert "Known: " in optimizers.unknown("qqq")
