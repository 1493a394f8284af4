"""A user's own file: its architecture by name everywhere, and what goes wrong with such files."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from support import TINY, Outcome

import plcnn as product
from plcnn import plugins
from plcnn.architectures import architectures
from plcnn.arguments import load_plugins
from plcnn.classifier import Classifier

pytestmark = pytest.mark.usefixtures("registers")

Command = Callable[..., Outcome]

NET = """
from torch import nn
from plcnn import register

@register{arguments}
def {name}(num_classes: int, in_channels: int = 3, image_size: int = 32, depth: int = 1) -> nn.Module:
    '''A stack of dense layers.

    Args:
        depth: number of layers.
    '''
    size = in_channels * image_size**2
    return nn.Sequential(nn.Flatten(), *[nn.Linear(size, size) for _ in range(depth - 1)], nn.Linear(size, num_classes))
"""


def plugin(name: str, path: str = "my_nets.py", arguments: str = "") -> str:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(NET.format(name=name, arguments=arguments))
    return path


def test_a_users_own_file_serves_fit_test_and_python(
    plcnn: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plugin("own_stack")
    chosen = ["--plugins", path, "--model.arch", "own_stack", "--model.arch.depth", "3", "--trainer.max_epochs", "1"]
    outcome = plcnn("fit", *TINY, *chosen)
    assert outcome.code == 0, outcome.err
    assert "own_stack(depth=3): 76,042 trainable parameters" in outcome.out
    assert "next       plcnn test tb_logs/run/version_0 --plugins my_nets.py\n" in outcome.out
    run = (tmp_path / "tb_logs/run/version_0").absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert plcnn("test", "--ckpt_path", run, "--plugins", f"../{path}").code == 0
    assert plcnn("test", "--ckpt_path", run, "--config", run / "config.yaml").code == 0
    Image.new("RGB", (8, 8), "red").save("red.png")
    assert (
        "red.png" in plcnn("predict", "--ckpt_path", run, "--plugins", f"../{path}", "--data.pictures", "red.png").out
    )
    network = product.load(run).net
    assert sum(p.numel() for p in network.parameters()) == 76_042
    assert network(torch.rand(2, 3, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("strategy", ["ddp", "ddp_spawn"])
def test_every_process_finds_the_file(
    spawn: Callable[..., object], strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(plugin("shared_stack", "nets/my_nets.py"))
    path.with_name("beside.py").write_text("from torch import nn\n\nclass Dense(nn.Linear): ...\n")
    path.write_text("import beside\n" + path.read_text().replace("nn.Linear(size, num", "beside.Dense(size, num"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    chosen = ["--plugins", "../nets/my_nets.py", "--model.arch", "shared_stack", "--trainer.max_epochs", "1"]
    process = spawn("fit", *TINY, *chosen, "--trainer.devices", "2", "--trainer.strategy", strategy)
    out, err = process.communicate(timeout=150)  # type: ignore[attr-defined]
    assert process.returncode == 0 and "epoch 1/1" in out, err  # type: ignore[attr-defined]


def test_lightnings_own_loader_rebuilds_it(plcnn: Command) -> None:
    path = plugin("rebuilt_stack")
    assert (
        plcnn("fit", *TINY, "--plugins", path, "--model.arch", "rebuilt_stack", "--trainer.max_epochs", "1").code == 0
    )
    rebuilt = Classifier.load_from_checkpoint("tb_logs/run/version_0/checkpoints/last.ckpt")
    assert rebuilt.arch.name == "rebuilt_stack" and rebuilt(torch.rand(2, 3, 8, 8)).shape == (2, 10)


def test_a_notebook_may_run_a_cell_again() -> None:
    for bias in (True, False):

        def cell(num_classes: int) -> torch.nn.Module:
            return torch.nn.Linear(1, num_classes, bias=bias)  # noqa: B023

        cell.__module__ = "__main__"
        product.register(cell)
    assert product.build("cell").bias is None


def test_plugins_can_stand_in_the_config_and_in_the_environment(
    plcnn: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.yaml").write_text(f"plugins: [{plugin('in_yaml', 'a.py')}]\nmodel:\n  arch: in_yaml\n")
    assert "class_path: in_yaml" in plcnn("fit", "--config", "mine.yaml", "--print_config").out
    monkeypatch.setenv("PLCNN_PLUGINS", str(Path(plugin("in_variable", "b.py")).absolute()))
    assert "class_path: in_variable" in plcnn("fit", "--model.arch", "in_variable", "--print_config").out


def test_a_checkpoint_says_which_file_it_needs(plcnn: Command) -> None:
    path = plugin("lost_stack")
    fit = plcnn("fit", *TINY, "--plugins", path, "--model.arch", "lost_stack", "--trainer.max_epochs", "1")
    assert fit.code == 0, fit.err
    for name in ("_choices", "origins"):
        del getattr(architectures, name)["lost_stack"]
    os.environ["PLCNN_PLUGINS"] = ""
    outcome = plcnn("test", "--ckpt_path", "tb_logs/run/version_0")
    assert outcome.code == 2 and "Unknown architecture 'lost_stack'" in outcome.err
    assert f"--plugins {Path(path).absolute()}" in outcome.err


def test_the_option_for_several_files_is_one_that_loads_them() -> None:
    files = [plugin("first_of_two", "a b.py"), plugin("second_of_two", "c.py")]
    load_plugins(shlex.split(plugins.option(files)))
    assert {"first_of_two", "second_of_two"} <= set(architectures.names())
    assert plugins.option([]) == ""


def test_an_unknown_name_lists_the_loaded_files(plcnn: Command) -> None:
    outcome = plcnn("fit", "--plugins", plugin("near_stack"), "--model.arch", "near_stak")
    assert outcome.code == 2 and "Did you mean near_stack" in outcome.err
    assert f"Plugin files loaded: {Path('my_nets.py').absolute()}" in outcome.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", "bad.py, line 1: SyntaxError: "),
        ("import plcnn\n\nimport nowhere_to_be_found\n", "bad.py, line 3: ModuleNotFoundError: No module named"),
        (NET.format(name="keras_cnn", arguments=""), "The architecture name 'keras_cnn' is taken: "),
        (
            NET.format(name="stack", arguments="").replace("num_classes: int, ", ""),
            "must have a parameter 'num_classes'",
        ),
    ],
)
def test_a_broken_file_is_one_message(plcnn: Command, text: str, words: str) -> None:
    Path("bad.py").write_text(text)
    outcome = plcnn("fit", "--plugins", "bad.py")
    assert outcome.code == 2 and words in outcome.err and "Traceback" not in outcome.err
    assert len(outcome.err.splitlines()) <= 2


def test_a_folder_is_no_plugin_file(plcnn: Command) -> None:
    Path("nets").mkdir()
    outcome = plcnn("fit", "--plugins", "nets")
    assert outcome.code == 2 and f"{Path('nets').absolute()} is a folder; name the Python file in it." in outcome.err


def test_a_builder_that_returns_no_module_is_one_message(plcnn: Command) -> None:
    Path("none.py").write_text("from plcnn import register\n\n@register\ndef number(num_classes: int):\n    return 3\n")
    outcome = plcnn("fit", *TINY, "--plugins", "none.py", "--model.arch", "number")
    where = f"{Path('none.py').absolute()}:3"
    assert outcome.code == 2
    assert f"error: architecture 'number' must build a torch.nn.Module, got int ({where})." in outcome.err


def test_an_argument_without_a_default_must_be_given(plcnn: Command) -> None:
    path = plugin("must_stack")
    Path(path).write_text(
        Path(path).read_text().replace("depth: int = 1", "depth: int").replace("= 3, im", "= 3, *, im")
    )
    outcome = plcnn("fit", *TINY, "--plugins", path, "--model.arch", "must_stack")
    assert outcome.code == 2 and outcome.err == "error: --model.arch.depth is required.\n"
    chosen = ["--plugins", path, "--model.arch", "must_stack", "--model.arch.depth", "1", "--print_config"]
    assert "depth: 1" in plcnn("fit", *TINY, *chosen).out


def test_a_builder_that_raises_is_one_message(plcnn: Command) -> None:
    Path("raises.py").write_text(NET.format(name="raises", arguments="").replace("size =", "1 / 0; size ="))
    outcome = plcnn("fit", *TINY, "--plugins", "raises.py", "--model.arch", "raises")
    assert outcome.code == 2
    assert "architecture raises(depth=1) cannot be built: ZeroDivisionError: division by zero" in outcome.err
    assert f"{Path('raises.py').absolute()}, line " in outcome.err
