"""`plcnn sweep` with runs of a second: over seeds and folds, killed and gone on with, and what it refuses."""

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pytest
import yaml
from support import TINY, Forked, Outcome
from sweep.crews import WarmCrew

from plcnn import results
from plcnn.reproduce import TIMES
from plcnn.run import history, newest_config
from plcnn.sweep.crew import Crew, Job, lock
from plcnn.sweep.keeper import Keeper

Command = Callable[..., Outcome]
SWEEP = Path("tb_logs/run/sweep_0")
SHORT = [*TINY, "--trainer.max_epochs", "2", "--trainer.logger", "false"]


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_seeds_give_mean_and_deviation(plcnn: Command, warm_crew: WarmCrew, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = plcnn("sweep", "seeds", "3-4", *SHORT, "--test_after", "true", "--report", "false")
    assert outcome.code == 0, outcome.err
    runs = [SWEEP / f"seed_{seed}" / "version_0" for seed in (3, 4)]
    best = [max(row["val/acc"] for row in history(run)) for run in runs]
    tests = [json.loads((run / "test.json").read_text())["acc"] for run in runs]
    for name, values in (("val/acc ", best), ("test/acc", tests)):
        assert f"{name}   {mean(values):.4f} ± {stdev(values):.4f}  (2 runs, " in outcome.out
    assert [yaml.safe_load(newest_config(run).read_text())["seed_everything"] for run in runs] == [3, 4]
    data = json.loads((SWEEP / "sweep.json").read_text())
    assert data["spread"]["test/acc"] == pytest.approx({"mean": mean(tests), "deviation": stdev(tests), "runs": 2})
    with (SWEEP / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["status"], row["seed_everything"]) for row in rows] == [
        ("seed_3", "done", "3"),
        ("seed_4", "done", "4"),
    ]
    assert [float(row["test/acc"]) for row in rows] == tests
    before = files(SWEEP / "seed_3") | files(SWEEP / "seed_4")
    monkeypatch.setattr("plcnn.sweep.page.write", lambda outcome: outcome.folder)  # it takes a second
    again = plcnn("sweep", "--resume", SWEEP)
    assert again.code == 0 and f"test/acc   {mean(tests):.4f}" in again.out
    assert len(warm_crew.started) == 2 and {path: path.read_bytes() for path in before} == before


def test_folds_answer_every_training_picture_once(plcnn: Command, warm_crew: WarmCrew) -> None:
    outcome = plcnn("sweep", "folds", "2", *SHORT)
    assert outcome.code == 0, outcome.err
    joined = results.read(SWEEP / "validate.json")
    assert joined.rows.tolist() == list(range(200)) and joined.outputs
    right = int(joined.outputs.right.sum())
    assert f"({right} of 200 training pictures, each by the network that has not seen it)" in outcome.out
    for fold in range(2):
        own = results.read(SWEEP / f"fold_{fold}" / "version_0" / "validate.json")
        assert own.outputs and len(own.rows) == 100
        assert joined.outputs.logits[own.rows].equal(own.outputs.logits)
    page = (SWEEP / "sweep.html").read_text()
    assert f"{100 * right / 200:.2f} % of 200 training pictures right" in page and "confusion matrix" in page
    refused = plcnn("report", SWEEP)
    assert refused.code == 2 and f"it is a sweep, which has a page: {SWEEP}/sweep.html" in refused.err


def test_a_failed_run_leaves_the_others_and_is_tried_again(
    plcnn: Command, warm_crew: WarmCrew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plcnn.sweep.page.write", lambda outcome: outcome.folder)
    warm_crew.further = {"seed_0": ["--trainer.max_steps", "0"]}
    outcome = plcnn("sweep", "seeds", "0", "1", *SHORT)
    assert outcome.code == 1
    said = f"seed_0 failed: --trainer.max_steps 0 leaves nothing to train. ({SWEEP}/logs/seed_0.txt)"
    assert outcome.err.splitlines() == [
        f"warning: {said}",
        f"error: 1 run failed: seed_0. To try again: plcnn sweep --resume {SWEEP}",
    ]
    assert "(1 run, the best epoch of each)" in outcome.out
    warm_crew.further = {}
    again = plcnn("sweep", "--resume", SWEEP)
    assert again.code == 0 and "(2 runs, the best epoch of each)" in again.out
    assert [job.key for job in warm_crew.started] == ["seed_0", "seed_1", "seed_0"]


def test_a_search_that_was_killed_goes_on(plcnn: Command, fork: Callable[..., Forked]) -> None:
    pytest.importorskip("optuna")
    flags = [*SHORT, "--early_stopping.enabled", "false", "--pruner", "none", "--jobs", "2"]
    space = ["--space.model.optimizer.lr", "loguniform(1e-4, 1e-1)", "--space.data.batch_size", "[16, 32]"]
    sweep = fork("sweep", "search", "--trials", "4", *space, *flags)
    limit = time.monotonic() + 60
    while Path("out").read_text().count("\ntrial_") < 2:
        assert time.monotonic() < limit, Path("err").read_text()
        time.sleep(0.02)
    sweep.kill()
    assert sweep.wait().code == -9
    journal = SWEEP / "study.journal"
    journal.write_bytes(journal.read_bytes() + b'{"torn')
    told = [line.split()[0] for line in Path("out").read_text().splitlines() if line.startswith("trial_")]
    before = {path: content for key in told for path, content in files(SWEEP / key).items()}
    outcome = plcnn("sweep", "--resume", SWEEP)
    assert outcome.code == 0, outcome.err
    assert {path: path.read_bytes() for path in before} == before
    assert not any(f"\n{key} " in outcome.out for key in told)
    data = json.loads((SWEEP / "sweep.json").read_text())
    assert len(data["trials"]) == 4
    assert {trial["run"] for trial in data["trials"]} == {path.name for path in SWEEP.glob("trial_*")}
    assert {trial["state"] for trial in data["trials"]} == {"complete"}
    for trial in data["trials"]:
        rows = history(SWEEP / trial["run"] / "version_0")
        assert [row["epoch"] for row in rows] == [1, 2] and trial["value"] == max(row["val/acc"] for row in rows)
    config = yaml.safe_load((SWEEP / "best.yaml").read_text())
    best = next(trial for trial in data["trials"] if trial["run"] == data["best"]["run"])
    assert best["value"] == max(trial["value"] for trial in data["trials"])
    assert config["name"] == "run" and config["trainer"]["default_root_dir"] == "tb_logs"
    assert str(config["data"]["batch_size"]) == best["params"]["data.batch_size"]
    assert f"{config['model']['optimizer']['init_args']['lr']:.4g}" == f"{best['params']['model.optimizer.lr']:.4g}"


def test_a_search_of_one_job_repeats_itself(
    plcnn: Command, warm_crew: WarmCrew, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    monkeypatch.setattr("plcnn.sweep.page.as_png", lambda _: b"")
    space = ["--space.model.optimizer.lr", "loguniform(1e-4, 1e-1)", "--space.data.batch_size", "[16, 32]"]
    found = []
    for number in range(2):
        outcome = plcnn("sweep", "search", "--trials", "2", *space, *SHORT, "--seed_everything", "5")
        assert outcome.code == 0, outcome.err
        folder = SWEEP.with_name(f"sweep_{number}")
        data = json.loads((folder / "sweep.json").read_text())
        runs = [{key: value for key, value in run["best"].items() if key not in TIMES} for run in data["runs"]]
        assert all("val/acc" in run for run in runs) and len(runs) == 2
        found.append((data["trials"], runs, (folder / "best.yaml").read_text().splitlines()[1:]))
    assert found[0] == found[1]


def test_jobs_without_a_fork_have_a_process_and_a_gpu_each(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nif 'CUDA_VISIBLE_DEVICES' in os.environ:\n"
        "    print('GPU', os.environ['CUDA_VISIBLE_DEVICES'], flush=True)\n"
    )
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH", ""))))
    try:
        with lock(tmp_path) as handle:
            crew = Crew(2, 1, ["4", "7"], False, handle)
            for key in ("a", "b"):
                crew.start(Job(key, ["--version"] if key == "a" else ["fits"], tmp_path / f"{key}.txt"))
            assert not crew.has_room
            codes = {}
            while not crew.is_idle:
                codes |= {ended.key: ended.code for ended in crew.ended()}
            crew.close()
    finally:
        os.environ["PYTHONPATH"] = os.environ["PYTHONPATH"].removeprefix(str(tmp_path)).removeprefix(os.pathsep)
    assert codes == {"a": 0, "b": 2}
    assert (tmp_path / "a.txt").read_text().startswith("GPU 4\nplcnn ")
    assert "GPU 7\nerror: there is no command 'fits'. Did you mean fit?" in (tmp_path / "b.txt").read_text()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([], "sweep needs seeds, folds or search"),
        (["seed", "1"], "got 'seed'. Did you mean seeds?"),
        (["seeds"], "seeds needs some"),
        (["seeds", "1.5"], "'1.5' is no seed"),
        (["seeds", "5-1"], "stands for 0 seeds"),
        (["folds", "1"], "2 or more"),
        (["seeds", "1", "--trials", "3"], "--trials belongs to `plcnn sweep search`"),
        (["seeds", "1", "--seed_everything", "3"], "sets itself"),
        (["seeds", "1", "--resum", "x"], "Did you mean --resume"),
        (["seeds", "1", "--model.optimzer", "x"], "Did you mean --model.optimizer"),
        (["--resume", "tb_logs/none"], "there is no such folder"),
        (["--resume", ".", "--model.arch", "linear"], "leave --model.arch out"),
        (["search", "--data.source", "shapes"], "search needs a space"),
        (["search", "--space.model.optimizer.lrr", "uniform(0, 1)"], "has no argument 'lrr'"),
        (["search", "--space.model.achr", "[linear, vgg11]"], "Did you mean --model.arch"),
        (["search", "--space.data.batch_size", "uniform(1, 9)"], "--data.batch_size: expected a whole number"),
        (["search", "--space.model.arch", "[linear, lineer]"], "Did you mean linear"),
        (["search", "--space.model.arch", "[linear]", "--model.arch", "vgg11"], "leave one of them out"),
        (["search", "--space.model.arch", "[linear]", "--test_after", "true"], "would choose by test pictures"),
        (["search", "--space.model.arch"], "needs a distribution"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(plcnn: Command, typed: list[str], said: str) -> None:
    outcome = plcnn("sweep", *typed)
    assert outcome.code == 2 and said in outcome.err and len(outcome.err.splitlines()) <= 2
    assert not Path("tb_logs").exists()


def test_a_killed_sweeps_runs_are_asked_to_end() -> None:
    answers, written = os.pipe()
    keeper = Keeper.__new__(Keeper)
    with subprocess.Popen(["sleep", "60"]) as run:
        keeper.numbers, keeper.answers = {"seed_0": run.pid}, written
        keeper._end_all()
        assert json.loads(os.read(answers, 100)) == {"ended": "seed_0", "code": -signal.SIGTERM}
    for handle in (answers, written):
        os.close(handle)
