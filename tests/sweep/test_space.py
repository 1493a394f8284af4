"""Distributions from text: what is drawn, and what is refused."""

from pathlib import Path

import pytest

from plcnn.errors import UserError
from plcnn.sweep.distributions import Number, OneOf, Whole
from plcnn.sweep.space import draw, examples, parse, read


class Drawn:
    """Draws the middle of a number, and the choice that is named."""

    def __init__(self, wanted: str = "") -> None:
        self.wanted, self.asked = wanted, []

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        self.asked.append((name, low, high, log))
        return (low * high) ** 0.5 if log else (low + high) / 2

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        self.asked.append((name, low, high, step, log))
        return low + step

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        self.asked.append((name, choices))
        return self.wanted if self.wanted in choices else choices[0]


def test_distributions_are_read_from_text() -> None:
    space = parse(
        {
            "a": "loguniform(1e-4, 1e-1)",
            "b": " uniform(0, .3) ",
            "c": "int(1, 8)",
            "d": "int(32, 250, 32)",
            "e": "logint(16, 512)",
            "f": "choice(adam, sgd)",
            "g": [32, 64.5, True, None],
        }
    )
    assert space["a"] == Number(1e-4, 1e-1, True) and space["b"] == Number(0.0, 0.3, False)
    assert space["c"] == Whole(1, 8, 1, False) and space["e"] == Whole(16, 512, 1, True)
    assert space["d"] == Whole(32, 224, 32, False)  # the last step that is not above 250
    assert space["f"] == OneOf(("adam", "sgd"), ("adam", "sgd"))
    assert space["g"] == OneOf(("32", "64.5", "true", "null"), (32, 64.5, True, None))


def test_what_is_drawn_becomes_options() -> None:
    space = parse(
        {"model.optimizer.lr": "loguniform(1e-4, 1e-1)", "data.batch_size": "[16, 32]", "x": ["a", ["b"]]}
        | {"data.batch_size": [16, 32]}
    )
    drawn = Drawn("32")
    assert draw(space, drawn) == ["--model.optimizer.lr=0.003162", "--data.batch_size=32", "--x=a"]
    assert draw(space, Drawn("[b]"))[-1] == '--x=["b"]'
    assert [name for name, *_ in drawn.asked] == ["model.optimizer.lr", "data.batch_size", "x"]


def test_a_names_arguments_are_drawn_only_where_the_name_is() -> None:
    adam = {"class_path": "adam", "init_args": {"lr": "loguniform(1e-4, 1e-2)", "betas": [0.9, 0.99]}}
    sgd = {"class_path": "sgd", "init_args": {"lr": "uniform(0.1, 0.3)"}}
    space = parse({"model.optimizer": [adam, sgd]})
    drawn = Drawn("sgd")
    assert draw(space, drawn) == ['--model.optimizer={"class_path": "sgd", "init_args": {"lr": 0.2}}']
    assert drawn.asked == [("model.optimizer", ["adam", "sgd"]), ("model.optimizer[sgd].lr", 0.1, 0.3, False)]
    assert [flags[0] for flags in examples(space)] == [
        '--model.optimizer={"class_path": "adam", "init_args": {"lr": 0.0001, "betas": [0.9, 0.99]}}',
        '--model.optimizer={"class_path": "sgd", "init_args": {"lr": 0.1}}',
    ]


def test_a_file_may_nest_its_keys_and_flags_beat_it(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("model:\n  optimizer.lr: uniform(0, 1)\n  arch: [linear, vgg11]\ndata.batch_size: int(1, 9)\n")
    assert read(str(file), {"data.batch_size": "[4, 8]"}) == {
        "model.optimizer.lr": "uniform(0, 1)",
        "model.arch": ["linear", "vgg11"],
        "data.batch_size": [4, 8],
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("loguniform(0, 1)", "begins above 0"),
        ("uniform(1, 0)", "1.0 is not below 0.0"),
        ("uniform(1)", "takes numbers"),
        ("uniform(0, inf)", "takes numbers"),
        ("int(1, 2.5)", "takes whole numbers"),
        ("int(1, 9, 0)", "a step of 0"),
        ("lguniform(1, 2)", "Did you mean loguniform"),
        ("__import__('os').system('touch owned')", "there is no distribution"),
        ("choice(a, a)", "a stands twice"),
        ("choice()", "a choice of nothing"),
        ("choice(a, {)", "is no list of values"),
        ("0.1", "is no distribution"),
        (0.1, "is no distribution"),
        ([], "a choice of nothing"),
    ],
)
def test_what_is_no_distribution_is_refused(value: object, said: str) -> None:
    with pytest.raises(UserError, match=r"--space: key") as caught:
        parse({"key": value})
    assert said in str(caught.value) and caught.value.exit_code == 2
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [1, 2\n", "no valid YAML"),
        ("a: 1\na: 2\n", "stands twice"),
        ("- 1\n", "must hold keys"),
        ("", "must hold keys"),
        ("1: [2]\n", "is no key"),
        ("a: &a [*a]\n", "no valid YAML"),
        ("x: !!python/object/apply:os.system ['touch owned']\n", "no valid YAML"),
    ],
)
def test_a_hostile_file_is_refused(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(content)
    with pytest.raises(UserError, match="--space") as caught:
        parse(read(str(file), {}))
    assert said in str(caught.value) and not Path("owned").exists()


def test_what_is_no_setting_of_a_training_is_refused() -> None:
    with pytest.raises(UserError, match="no setting of a training"):
        parse({"trainer.default_root_dir": ["/tmp"]})
    with pytest.raises(UserError, match="would choose luck"):
        parse({"seed_everything": "int(0, 9)"})
    with pytest.raises(UserError, match=r"another data\.fold are measured on other validation pictures"):
        parse({"data.fold": [0, 1]})
