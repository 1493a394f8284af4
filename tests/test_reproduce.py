"""`plcnn reproduce`: the same result, another one, and what it says of each."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import TINY, Outcome

from plcnn.reproduce import differences

Command = Callable[..., Outcome]
RUN = Path("tb_logs/run/version_0")
AGAIN = Path("tb_logs/run-reproduced/version_0")


@pytest.fixture
def trained(plcnn: Command) -> Outcome:
    outcome = plcnn("fit", *TINY, "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    return outcome


def edit(change: Callable[[dict], None]) -> None:
    content = json.loads((RUN / "manifest.json").read_text())
    change(content["sessions"][0])
    (RUN / "manifest.json").write_text(json.dumps(content))


def test_a_run_is_repeated_bit_for_bit(trained: Outcome, plcnn: Command) -> None:
    outcome = plcnn("reproduce", RUN)
    assert outcome.code == 0, outcome.err
    assert f"the same   {AGAIN} repeats {RUN}: 2 epochs and the final weights, bit for bit" in outcome.out
    assert outcome.err == ""
    assert (AGAIN / "history.csv").is_file()


def test_a_run_that_went_on_is_repeated_from_its_newest_settings(trained: Outcome, plcnn: Command) -> None:
    assert plcnn("fit", "--resume", RUN, "--trainer.max_epochs", "3").code == 0
    outcome = plcnn("reproduce", RUN)
    assert outcome.code == 0, outcome.err
    assert "3 epochs and the final weights" in outcome.out


def test_it_lies_beside_the_run_wherever_that_was_moved(trained: Outcome, plcnn: Command) -> None:
    shutil.move("tb_logs", "elsewhere")
    assert plcnn("reproduce", "elsewhere/run/version_0").code == 0
    assert Path("elsewhere/run-reproduced/version_0/history.csv").is_file() and not Path("tb_logs").exists()


def test_another_result_names_epoch_metric_and_setting(trained: Outcome, plcnn: Command) -> None:
    outcome = plcnn("reproduce", RUN, "--model.optimizer.lr", "0.01")
    assert outcome.code == 1
    assert "error: The result differs" in outcome.err and "epoch 1, train/loss: " in outcome.err
    assert "final weights: " in outcome.err
    assert "--model.optimizer.init_args.lr: 0.001 then, 0.01 now" in outcome.err


def test_weights_alone_make_a_difference(trained: Outcome, plcnn: Command) -> None:
    edit(lambda session: session["ended"].update(weights="0" * 64))
    outcome = plcnn("reproduce", RUN)
    assert outcome.code == 1 and "final weights: 0000000000 then, " in outcome.err and "epoch" not in outcome.err


def test_the_thread_count_is_told_first_and_blamed(trained: Outcome, plcnn: Command) -> None:
    threads = torch.get_num_threads()

    def change(session: dict) -> None:
        session["device"]["threads"] = 64
        session["ended"]["weights"] = "0" * 64

    edit(change)
    outcome = plcnn("reproduce", RUN)
    assert outcome.code == 1
    assert f"warning: threads: 64 then, {threads} now" in outcome.err.splitlines()[0]
    assert "The thread count made the difference" in outcome.err and "OMP_NUM_THREADS=64" in outcome.err


def test_what_differs_beforehand_is_warned_of(trained: Outcome, plcnn: Command) -> None:
    def change(session: dict) -> None:
        session["versions"]["torch"] = "1.0"
        session["data"]["pictures"] = "f" * 64
        session["plugins"] = {"gone.py": "e" * 64}

    edit(change)
    outcome = plcnn("reproduce", RUN)
    assert outcome.code == 0  # the result is the same all the same
    assert f"warning: version of torch: 1.0 then, {torch.__version__.split('+')[0]} now" in outcome.err
    assert "warning: data: pictures: ffffffffff then, " in outcome.err
    assert "warning: plugin file gone.py: eeeeeeeeee then, none now" in outcome.err
    assert len(outcome.err.splitlines()) == 3


def test_a_plugin_file_is_loaded_from_the_settings_and_its_change_told(plcnn: Command, registers: None) -> None:
    Path("net_to_repeat.py").write_text(
        "import torch\nfrom plcnn import register\n\n@register\nclass NetToRepeat(torch.nn.Module):\n"
        "    def __init__(self, num_classes: int):\n        super().__init__()\n"
        "        self.dense = torch.nn.Linear(192, num_classes)\n"
        "    def forward(self, x):\n        return self.dense(x.flatten(1))\n"
    )
    plugin = ["--plugins", "net_to_repeat.py", "--model.arch", "net_to_repeat"]
    assert plcnn("fit", *TINY, *plugin, "--trainer.max_epochs", "1").code == 0
    with Path("net_to_repeat.py").open("a") as file:
        file.write("# changed\n")
    outcome = plcnn("reproduce", RUN)
    assert outcome.code == 0, outcome.err
    assert "warning: plugin file net_to_repeat.py: " in outcome.err and len(outcome.err.splitlines()) == 1
    Path("net_to_repeat.py").unlink()
    outcome = plcnn("reproduce", RUN)
    assert outcome.code == 2 and "there is no file" in outcome.err and "Traceback" not in outcome.err


def test_mistakes_are_one_line(trained: Outcome, plcnn: Command) -> None:
    Path("empty").mkdir()
    for given, said in (
        ([], "reproduce needs the run folder first"),
        (["--trainer.max_epochs", "3"], "reproduce needs the run folder first"),
        (["tb_logs/run/verison_0"], f"there is no such folder. Did you mean {RUN}?"),
        (["tb_log/run/version_0"], f"there is no such folder. Did you mean {RUN}?"),
        (["tb_logs/run"], "is no run folder. In tb_logs/run: version_0."),
        (["empty"], "is no run folder."),
        ([RUN / "config.yaml"], "is no run folder."),
        ([RUN, "--trainer.max_epoch", "3"], "Did you mean --trainer.max_epochs"),
        ([RUN, "--resume", RUN], "--resume goes on with a run"),
    ):
        outcome = plcnn("reproduce", *given)
        assert outcome.code == 2 and said in outcome.err, outcome.err
        assert len(outcome.err.splitlines()) == 1
    assert not AGAIN.exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda: (RUN / "manifest.json").unlink(), "it has no manifest.json"),
        (lambda: (RUN / "manifest.json").write_text("{"), "its record cannot be read"),
        (lambda: (RUN / "history.csv").unlink(), "its record cannot be read"),
        (lambda: edit(lambda session: session.update(ended=None)), f"go on with it first: plcnn fit --resume {RUN}"),
        (lambda: edit(lambda session: session["ended"].update(reason="interrupted")), "unfinished (interrupted)"),
    ],
    ids=["no manifest", "broken", "no history", "killed", "interrupted"],
)
def test_what_is_no_finished_run_is_refused(
    trained: Outcome, plcnn: Command, spoil: Callable[[], object], said: str
) -> None:
    spoil()
    outcome = plcnn("reproduce", RUN)
    assert outcome.code == 2 and said in outcome.err and len(outcome.err.splitlines()) == 1
    assert not AGAIN.exists()


def test_its_help_names_the_exit_codes(plcnn: Command) -> None:
    outcome = plcnn("reproduce", "--help")
    assert outcome.code == 0 and "0 if the same, 1 if not, 2 for a wrong command line" in outcome.out


def test_a_run_that_went_on_had_its_weights_from_the_checkpoint() -> None:
    begun = {"resumed": None, "weights": {"start.pth": "a" * 64}}
    gone_on = {"resumed": {"epoch": 1, "step": 3}, "weights": {}}
    assert differences([begun, gone_on], {"weights": {"start.pth": "a" * 64}}) == []
    assert len(differences([begun, gone_on], {"weights": {}})) == 1
