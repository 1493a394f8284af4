"""What a user can get wrong on the command line: exit code 2, one or two lines, what is allowed; no traceback."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import TINY, Outcome

Command = Callable[..., Outcome]

MISTAKES = {
    "--model.arch keras_cn": "--model.arch: Unknown architecture 'keras_cn'. Did you mean keras_cnn?",
    "--model.arch.widht 3": "--model.arch.widht: architecture 'keras_cnn' has no argument 'widht'. It takes: widths, ",
    "--model.arch linear --model.arch.widths [1]": "architecture 'linear' has no argument 'widths'. It takes none.",
    "--model.arch.dense_width x": "--model.arch.dense_width: expected a whole number, got 'x'.",
    "--model.optimizer adm": "--model.optimizer: Unknown optimizer 'adm'. Did you mean adam",
    "--model.optimizer.learning_rate 3": "--model.optimizer.learning_rate: optimizer 'adam' has no argument",
    "--model.optimizer.betas 0.9": "--model.optimizer.betas: expected tuple, got '0.9'.",
    "--model.schedule cosin": "Did you mean cosine?",
    "--data.source cifar": "--data.source: Unknown source 'cifar'. Did you mean cifar10 or cifar100",
    "--data.augment shift": "--data.augment: Unknown augmentation 'shift'.",
    "--trainer.max_epoch 3": "there is no option --trainer.max_epoch. Did you mean --trainer.max_epochs",
    "--trainer.max_epochs three": "--trainer.max_epochs: expected a whole number or null, got 'three'.",
    "--trainer.max_epochs": "--trainer.max_epochs needs a value.",
    "--trainer.precision fp12": "--trainer.precision: expected 64, 32, 16,",
    "--trainer.callbacks+=Foo": "--trainer.callbacks: there is no class 'Foo'",
    "--data.batchsize 3": "there is no option --data.batchsize. Did you mean --data.batch_size",
    "--data.batch_size 0": "--data.batch_size must be at least 1, got 0.",
    "--data.split middle": "--data.split: expected auto, first, random or stratified, got 'middle'.",
    "--data.val_fraction 2": "--data.val_fraction must be from 0 to below 1, got 2.0.",
    "--data.seed 3": "--data.seed is not an option of its own; use --seed_everything.",
    "--model.classes [a]": "--model.classes is determined by the data; leave it out.",
    "--early_stopping.patiense 3": "Did you mean --early_stopping.patience",
    "--early_stopping.monitor val/los": (
        "--early_stopping.monitor: no metric 'val/los' is measured. Measured: train/loss, train/acc, val/loss, val/acc."
    ),
    "--checkpoints.monitor val_acc": "--checkpoints.monitor: no metric 'val_acc' is measured.",
    "--data.val_fraction 0": "Add --early_stopping.enabled false --checkpoints.monitor null.",
    "--seed_everything=-5": "--seed_everything must be from 0 to 4294967295, got -5.",
    "--trainer.limit_train_batches 0": "--trainer.limit_train_batches 0 leaves nothing to train.",
    "--trainer.max_epochs 0": "--trainer.max_epochs 0 leaves nothing to train.",
    "--model.arch.help keras_cn": "--model.arch.help: Unknown architecture 'keras_cn'. Did you mean keras_cnn?",
    "--model.std [0.5,0,0.5]": "--model.std must be above 0, got [0.5, 0.0, 0.5].",
    "--model.optimizer sgd --model.optimizer.momentum 0": "nesterov needs a momentum above 0; add --model.optimizer",
    "--model.label_smoothing 7": "--model.label_smoothing must be from 0 to 1, got 7.0.",
    "--model.mean [0.5]": "--model.mean needs 3 values, one a channel, got [0.5].",
    "--model.schedule.warmup 1.5": (
        "schedule 'constant': warmup must be a share of the training from 0 to below 1, got 1.5."
    ),
    "--model.optimizer.lr -1": "eps=1e-08, weight_decay=0.0, fused=True) cannot be built: ValueError: Invalid",
    "--model.arch.dropouts [0.1]": "dropouts: got [0.1]; allowed: one rate for each of the 3 widths",
    "--name a/b": "--name 'a/b': a run's name is one folder name",
    "--ckpt_path nowhere": "nowhere: there is no such file or run folder.",
    "--plugins nowhere.py": "--plugins: there is no file ",
    "--config nowhere.yaml": "--config nowhere.yaml: No such file or directory.",
    "--test_after true --trainer.strategy fsdp": "--test_after does not go with --trainer.strategy fsdp. Leave it out",
    "stray": "'stray' is not understood",
}

SHAPES = [*TINY[:6], "--data.source.image_size", "32", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]


def assert_one_clear_message(outcome: Outcome, words: str) -> None:
    assert outcome.code == 2, outcome
    assert words in outcome.err
    assert outcome.err.startswith("error: ") and len(outcome.err.splitlines()) <= 2
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("typed", MISTAKES)
def test_a_mistake_is_told_in_words(plcnn: Command, typed: str) -> None:
    shapes = [] if "data.source" in typed else SHAPES
    assert_one_clear_message(plcnn("fit", *shapes, *typed.split()), MISTAKES[typed])
    assert not Path("tb_logs").exists() or not list(Path("tb_logs").rglob("*.ckpt"))


YAML_MISTAKES = {
    "model:\n  archs: linear\n": "there is no option --model.archs. Did you mean --model.arch",
    "trainr:\n  max_epochs: 2\n": "there is no option --trainr.max_epochs. Did you mean --trainer.max_epochs",
    "data: 3\n": "data must hold keys and values, got 3.",
    "- 1\n": "must hold keys and values, got list.",
    "a: [\n": "no valid YAML",
    "": "--config mine.yaml: is empty",
    "model:\n  arch: keras_cn\n": "Unknown architecture 'keras_cn'. Did you mean keras_cnn?",
    "model:\n  arch:\n    class_path: keras_cnn\n    init_args:\n      widht: 3\n": "has no argument 'widht'",
    "data:\n  batch_size: big\n": "--data.batch_size: expected a whole number, got 'big'.",
}


def test_a_stray_word_after_a_config_is_not_taken_for_another_config(plcnn: Command) -> None:
    Path("mine.yaml").write_text("name: mine\n")
    assert_one_clear_message(plcnn("fit", "--config", "mine.yaml", "stray", *SHAPES), "'stray' is not understood")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--trainer.strategy foo", "--trainer: You selected an invalid strategy name: `strategy='foo'`"),
        ("--trainer.devices 0", "--trainer: `Trainer(devices='0')` value is not a valid input"),
        ("--trainer.limit_train_batches 1.5", "--trainer: You have passed invalid value 1.5 for limit_train_batches"),
    ],
)
def test_what_the_trainer_refuses_is_told_in_words_and_leaves_no_run_folder(
    plcnn: Command, typed: str, words: str
) -> None:
    assert_one_clear_message(plcnn("fit", *SHAPES, *typed.split()), words)
    assert not list(Path("tb_logs").rglob("version_*"))


def test_several_devices_need_a_program_in_a_file(plcnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["-c"])  # of `python -c`
    outcome = plcnn("fit", *SHAPES, "--trainer.devices", "2", "--trainer.accelerator", "cpu")
    assert_one_clear_message(outcome, "--trainer: each device's process would run this program again")
    assert not list(Path("tb_logs").rglob("version_*"))


@pytest.mark.parametrize("text", YAML_MISTAKES)
def test_a_mistake_in_a_config_is_told_in_words(plcnn: Command, text: str) -> None:
    Path("mine.yaml").write_text(text)
    assert_one_clear_message(plcnn("fit", "--config", "mine.yaml", *SHAPES), YAML_MISTAKES[text])


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("fot", "there is no command 'fot'. Did you mean fit?"),
        ("--config x.yaml", "a command comes first"),
        ("test", "test needs a run folder or a checkpoint: plcnn test RUN"),
        ("predict", "predict needs a run folder or a checkpoint: plcnn predict RUN"),
    ],
)
def test_a_mistake_in_the_command_is_told_in_words(plcnn: Command, typed: str, words: str) -> None:
    assert_one_clear_message(plcnn(*typed.split()), words)


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict", "show"])
def test_every_command_explains_itself(plcnn: Command, command: str) -> None:
    outcome = plcnn(command, "--help")
    assert outcome.code == 0 and "--data.batch_size" in outcome.out


def test_options_may_stand_before_the_command(plcnn: Command) -> None:
    outcome = plcnn(*TINY, "fit", "--print_config")
    assert outcome.code == 0 and "class_path: shapes" in outcome.out


def test_a_missing_gpu_is_one_line(plcnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with_driver = plcnn("fit", *SHAPES, "--trainer.accelerator", "gpu")
    assert_one_clear_message(with_driver, "is built for a GPU but finds no device")
    monkeypatch.setattr(torch.version, "cuda", None)
    cpu_build = plcnn("fit", *SHAPES, "--trainer.accelerator", "cuda")
    assert_one_clear_message(cpu_build, "is a CPU-only build")
    assert "--trainer.accelerator auto" in cpu_build.err and "--trainer.accelerator auto" in with_driver.err


def test_a_flag_beats_a_config_in_any_order(plcnn: Command) -> None:
    Path("mine.yaml").write_text("model:\n  optimizer:\n    class_path: adam\n    init_args: {lr: 0.5, eps: 0.1}\n")
    for arguments in (
        ["--model.optimizer.lr", "0.25", "--config", "mine.yaml"],
        ["--config", "mine.yaml", "--model.optimizer.lr", "0.25"],
        ["--model.optimizer.lr=0.25", "--model.optimizer", "adam", "--config=mine.yaml"],
    ):
        out = plcnn("fit", *arguments, "--print_config").out
        assert "lr: 0.25" in out and "eps: 0.1" in out


def test_another_name_does_not_inherit_the_arguments_of_the_first(plcnn: Command) -> None:
    Path("mine.yaml").write_text("model:\n  optimizer:\n    class_path: adam\n    init_args: {lr: 0.5}\n")
    for arguments in (["--config", "mine.yaml"], []):
        assert "lr: 0.1\n" in plcnn("fit", *arguments, "--model.optimizer", "sgd", "--print_config").out
    out = plcnn(
        "fit",
        "--config",
        "mine.yaml",
        "--model.optimizer.momentum",
        "0.5",
        "--model.optimizer",
        "sgd",
        "--print_config",
    ).out
    assert "momentum: 0.5" in out and "lr: 0.1\n" in out


def test_help_names_architectures_and_their_arguments(plcnn: Command) -> None:
    outcome = plcnn("fit", "--model.arch.help", "keras_cnn")
    assert outcome.code == 0 and "--model.arch.head_norm" in outcome.out and "batch norm after" in outcome.out
    assert "plcnn.names" not in outcome.out and "num_classes" not in outcome.out
    whole = plcnn("fit", "--help").out
    for words in ("keras_cnn", "shift_zoom_flip", "--early_stopping.patience", "--trainer.accelerator"):
        assert words in whole
    assert "plcnn.names" not in whole
    places = [
        whole.index(f"  --{key}") for key in ("name", "ckpt_path", "model.arch", "data.source", "trainer.precision")
    ]
    assert places == sorted(places)  # Lightning's 250 lines do not hide what most look for
