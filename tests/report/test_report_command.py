"""`plcnn report`, and the page that `test` writes by itself."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image
from support import TINY, Outcome

from plcnn.api import load
from plcnn.calibration import probabilities
from plcnn.report.measures import wilson
from plcnn.results import read
from plcnn.run import next_command

Command = Callable[..., Outcome]
RUN = Path("tb_logs/run/version_0")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs: the first tested and validated, the second neither."""
    import os

    from plcnn.__main__ import main

    folder = tmp_path_factory.mktemp("runs")
    here = Path.cwd()
    os.chdir(folder)
    try:
        for epochs in ("3", "2"):
            main(["fit", *TINY, "--trainer.max_epochs", epochs, "--trainer.enable_progress_bar", "false"])
        for command in ("validate", "test"):
            main([command, "--ckpt_path", str(RUN), "--report", "false"])
    finally:
        os.chdir(here)
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy of the runs, in the working directory."""
    shutil.copytree(trained / "tb_logs", tmp_path / "tb_logs")
    return RUN


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_test_leaves_a_page(plcnn: Command, runs: Path) -> None:
    outcome = plcnn("test", "--ckpt_path", runs)
    assert outcome.code == 0 and outcome.err == ""
    assert outcome.out.splitlines()[-1] == f"report     {RUN}/report_test_2/report.html"
    folder = RUN / "report_test_2"
    assert {path.name for path in folder.iterdir()} == {
        *("report.html", "report.json", "predictions.csv", "confusion.png", "reliability.png"),
        *("curves_accuracy.png", "curves_cross_entropy.png", "mistakes.png", "unsure_hits.png"),
    }
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            image.verify()
    result = read(RUN / "test_2.json")
    assert result.outputs
    found = json.loads((folder / "report.json").read_text())
    right = int(result.outputs.right.sum())
    assert found["measured"]["interval"] == wilson(right, 90)._asdict()
    assert sum(row["support"] for row in found["measured"]["classes"]) == 90
    assert sum(n for truth, said, n in found["measured"]["confusion"] if truth == said) == right
    assert [row["epoch"] for row in found["history"]] == [1, 2, 3]
    assert not (RUN / "report_test").exists()


def test_predictions_are_the_networks(plcnn: Command, runs: Path) -> None:
    assert plcnn("report", runs).code == 0
    with (RUN / "report_test" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    result, classifier = read(RUN / "test.json"), load(RUN)
    assert result.outputs
    shares = probabilities(result.outputs.logits, classifier.temperature).topk(3)
    assert [int(row["picture"]) for row in rows] == result.rows.tolist()
    assert [row["truth"] for row in rows] == [classifier.classes[n] for n in result.outputs.labels]
    assert [row["right"] == "1" for row in rows] == result.outputs.right.tolist()
    for place in (1, 2, 3):
        named = [classifier.classes[n] for n in shares.indices[:, place - 1]]
        assert [row[f"class_{place}"] for row in rows] == named
        said = torch.tensor([float(row[f"probability_{place}"]) for row in rows])
        torch.testing.assert_close(said, shares.values[:, place - 1], atol=1e-6, rtol=0)


def test_the_page_holds_all_and_asks_for_nothing(plcnn: Command, runs: Path) -> None:
    before = files(runs)
    for _ in range(2):
        outcome = plcnn("report", runs)
        assert (outcome.code, outcome.out) == (0, f"report     {RUN}/report_test/report.html\n")
    assert {path: files(runs)[path] for path in before} == before
    page = (RUN / "report_test" / "report.html").read_text()
    held = json.loads((RUN / "test.json").read_text())
    assert f"{100 * held['acc']:.2f} % of 90 test pictures right" in page
    assert page.count("<figure") == 4 and page.count("data:image/png") >= 24
    for text in (
        "linear",
        "epochs in",
        "plcnn reproduce",
        "plcnn fit --data.source shapes",
        "seed_everything",
        "torch ",
    ):
        assert text in page
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!data:|#)[^"]*', page) and "url(http" not in page
    assert "default-src 'none'" in page and "validation pictures, by which" not in page


def test_another_result_can_be_chosen(plcnn: Command, runs: Path) -> None:
    assert plcnn("report", runs, "--result", "validate.json").out.endswith("report_validate/report.html\n")
    assert "validation pictures, by which" in (RUN / "report_validate" / "report.html").read_text()
    outcome = plcnn("report", runs, "--result", "tset.json")
    assert outcome.code == 2 and "Did you mean test.json or validate.json?" in outcome.err
    (RUN / "test.json").unlink()
    assert plcnn("report", runs).out.endswith("report_validate/report.html\n")


def test_a_run_without_a_result_says_how_to_get_one(plcnn: Command, runs: Path) -> None:
    run = runs.parent / "version_1"
    assert plcnn("report", run).out == f"report     {run}/report/report.html\n"
    page = (run / "report" / "report.html").read_text()
    assert next_command("test", run) in page and page.count("<figure") == 2
    outcome = plcnn("report", run, "--result", "test.json")
    assert outcome.code == 2 and "Nothing has been measured there yet." in outcome.err


def test_what_is_broken_or_missing_is_said(plcnn: Command, runs: Path) -> None:
    for name in ("history.csv", "manifest.json", "config.yaml"):
        (RUN / name).write_text("\0{: broken\n")
    (RUN / "test.json").write_text("{")
    assert plcnn("report", runs).out.endswith("report_validate/report.html\n")
    page = (RUN / "report_validate" / "report.html").read_text()
    for text in (
        "history.csv cannot be read",
        "manifest.json cannot be read",
        "config.yaml cannot be read",
        "test.json",
    ):
        assert text in page
    for path in (*RUN.glob("*.json"), *RUN.glob("*.csv"), *RUN.glob("*.yaml"), *RUN.glob("*.safetensors")):
        path.unlink()
    shutil.rmtree(RUN / "checkpoints")
    old = {"checkpoint": "best.ckpt", "pictures": 10000, "loss": 0.7, "acc": 0.788}
    (RUN / "test.json").write_text(json.dumps(old))
    assert plcnn("report", runs).code == 0
    page = (RUN / "report_test" / "report.html").read_text()
    for text in ("78.80 % of 10,000", "older version", "no checkpoint", "no history.csv", "no manifest.json"):
        assert text in page
    assert "<figure" not in page


def test_names_of_classes_are_text(plcnn: Command, runs: Path) -> None:
    path = next((RUN / "checkpoints").glob("best-*"))
    content = torch.load(path, weights_only=True)
    odd = [
        "<script>alert(1)</script>",
        "</script><img src=x>",
        "$\\frac$",
        "猫",
        "=1+1",
        "a\nb",
        "\x1b[31m",
        "&",
        "'\"",
        "x" * 200,
    ]
    content["hyper_parameters"]["classes"] = odd
    torch.save(content, path)
    outcome = plcnn("report", runs)
    assert outcome.code == 0 and outcome.err == "", outcome.err
    page = (RUN / "report_test" / "report.html").read_text()
    assert "<script>alert" not in page and "<img src=x" not in page and "&lt;script&gt;alert(1)" in page
    assert len(re.findall("<script", page)) == len(re.findall("</script>", page)) == 5


def test_a_set_with_one_picture(plcnn: Command, runs: Path) -> None:
    path = RUN / "test.safetensors"
    held = safetensors.torch.load_file(path)
    one = {name: held[name][:1] for name in ("logits", "labels", "rows")}
    kinds = {name: held[name][:0] for name in held if name not in one}
    safetensors.torch.save_file({**one, **kinds}, path)
    figures = json.loads((RUN / "test.json").read_text())
    (RUN / "test.json").write_text(json.dumps({**figures, "pictures": 1, "acc": 1.0}))
    assert plcnn("report", runs).code == 0
    page = (RUN / "report_test" / "report.html").read_text()
    assert "100.00 % of 1 test pictures" in page and page.count("<figure") == 4


def test_runs_are_compared(plcnn: Command, runs: Path) -> None:
    other = runs.parent / "version_1"
    assert plcnn("test", "--ckpt_path", other, "--report", "false").code == 0
    config = other / "config.yaml"
    config.write_text(config.read_text().replace("\nname: run\n", "\nname: other\n"))
    before = files(Path("tb_logs"))
    for folder in ("report_comparison", "report_comparison_2"):
        assert plcnn("report", runs, other, runs).out == f"report     {folder}/report.html\n"
    assert files(Path("tb_logs")) == before
    found = json.loads(Path("report_comparison/report.json").read_text())
    assert found["settings"] == {"trainer.max_epochs": ["3", "2"]}
    (pair,) = found["pairs"]
    right, also = (read(run / "test.json").outputs.right for run in (runs, other))  # type: ignore[union-attr]
    counts = [int(n.sum()) for n in (right & also, right & ~also, ~right & also, ~right & ~also)]
    assert [pair["found"][key] for key in ("both", "first", "second", "none")] == counts
    assert pair["found"]["difference"] == pytest.approx((counts[2] - counts[1]) / 90)
    page = Path("report_comparison/report.html").read_text()
    assert page.count("<figure") == 4 and "run/version_1" in page and "McNemar" in page
    assert (
        plcnn("report", runs, other, "--result", "test.json", "--output", "mine").out == "report     mine/report.html\n"
    )
    for path in other.glob("test.*"):
        path.unlink()
    assert plcnn("report", runs, other, "--output", "later").code == 0
    assert "One of them has no result." in Path("later/report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "required: RUN"),
        (("tb_logs/run/versoin_0",), "Did you mean tb_logs/run/version_0 or tb_logs/run/version_1?"),
        (("tb_logs/run",), "In tb_logs/run: version_"),
        (("tb_logs/run/version_0", "--outptu", "x"), "Did you mean --output?"),
        (("tb_logs/run/version_0/history.csv",), "no run folder"),
    ],
)
def test_a_wrong_command_line(plcnn: Command, runs: Path, arguments: tuple[str, ...], said: str) -> None:
    outcome = plcnn("report", *arguments)
    assert outcome.code == 2 and said in outcome.err and outcome.err.count("\n") <= 2 and not outcome.out


def test_a_sweep_has_a_page_of_its_own(plcnn: Command) -> None:
    Path("sweep_0").mkdir()
    Path("sweep_0/sweep.html").touch()
    Path("sweep_0/validate.json").touch()
    outcome = plcnn("report", "sweep_0")
    assert outcome.code == 2 and "it is a sweep, which has a page: sweep_0/sweep.html" in outcome.err


def test_a_folder_that_cannot_be_written(plcnn: Command, runs: Path) -> None:
    Path("file").touch()
    outcome = plcnn("report", runs, "--output", "file/below")
    assert outcome.code == 1 and "cannot be written" in outcome.err
    (RUN / "report_test_2").touch()
    tested = plcnn("test", "--ckpt_path", runs)
    assert tested.code == 0 and "no report was written" in tested.err and "acc" in tested.out
