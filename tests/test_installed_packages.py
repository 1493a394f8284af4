"""Packages that bring architectures by entry points: the example, and a broken one that hurts nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import TINY

EXAMPLE = Path(__file__).parents[1] / "examples" / "plcnn-highway"


def install(folder: Path, into: Path) -> None:
    """Install a package into a folder of its own, without network."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", into, folder], check=True, capture_output=True)


def run(*arguments: str, path: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "plcnn", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


@pytest.fixture(scope="module")
def highway(tmp_path_factory: pytest.TempPathFactory) -> str:
    into = tmp_path_factory.mktemp("highway")
    install(EXAMPLE, into)
    return str(into)


def fake(folder: Path, name: str, code: str) -> str:
    """An installed package of one module, as pip would leave it."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[plcnn.architectures]\nsomething = {name}\n")
    (info / "top_level.txt").write_text(f"{name}\n")
    return str(folder)


def test_the_example_is_listed_explained_checked_and_trained(highway: str) -> None:
    listed = run("archs", "highway", path=highway)
    assert "highway: " in listed.stdout and "source       plcnn-highway, " in listed.stdout, listed.stderr
    row = run("archs", "high*", path=highway).stdout.splitlines()[1].split()
    assert row[:2] == ["highway", "highway"] and row[-1] == "plcnn-highway"
    checked = run("archs", "highway", "--check", path=highway)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    chosen = ["--model.arch", "highway", "--model.arch.depth", "2", "--trainer.max_epochs", "1"]
    fitted = run("fit", *TINY, *chosen, path=highway)
    assert fitted.returncode == 0 and "next       plcnn test tb_logs/run/version_0\n" in fitted.stdout
    tested = run("test", "--ckpt_path", "tb_logs/run/version_0", path=highway)
    assert tested.returncode == 0 and "of 90 pictures" in tested.stdout, tested.stderr


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            "from plcnn import register\n@register\ndef linear(num_classes: int): ...",
            "The architecture name 'linear' is taken: ",
        ),
    ],
)
def test_a_broken_one_is_named_and_hurts_nobody_else(highway: str, tmp_path: Path, code: str, reason: str) -> None:
    (tmp_path / "site").mkdir()
    both = f"{fake(tmp_path / 'site', 'broken_nets', code)}:{highway}"
    listed = run("archs", path=both)
    assert listed.returncode == 0 and "highway" in listed.stdout and "keras_cnn" in listed.stdout
    assert (
        f"warning: the package broken_nets is left out: its entry point 'something' (broken_nets) fails: {reason}"
        in (listed.stderr)
    )
    assert len(listed.stderr.splitlines()) == 1


def test_a_plugin_file_that_takes_an_installed_name_is_refused(highway: str) -> None:
    Path("mine.py").write_text("from plcnn import register\n@register\ndef highway(num_classes: int): ...\n")
    outcome = run("archs", "--plugins", "mine.py", path=highway)
    assert outcome.returncode == 2 and "The architecture name 'highway' is taken: " in outcome.stderr
    assert "plcnn_highway/highway.py:" in outcome.stderr and "mine.py:2" in outcome.stderr
