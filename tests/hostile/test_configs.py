"""Configurations that are broken, foreign or hostile: exit code 2, at most three lines; whole ones are printed or run.

PLCNN_EXAMPLES sets how many are made up; the same ones each time.
"""

import copy
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import Outcome

Command = Callable[..., Outcome]
EXAMPLES = int(os.environ.get("PLCNN_EXAMPLES", "25"))
MADE_UP = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

TINY: dict[str, Any] = {
    "trainer": {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 2, "accelerator": "cpu"},
    "data": {
        "source": {"class_path": "shapes", "init_args": {"train_size": 40, "test_size": 20, "image_size": 8}},
        "batch_size": 8,
    },
    "model": {
        "arch": {"class_path": "linear"},
        "optimizer": {"class_path": "adam", "init_args": {"lr": 0.001}},
        "schedule": {"class_path": "constant", "init_args": {"warmup": 0.0}},
    },
}

ENDLESS = {
    *(("trainer", key) for key in ("max_epochs", "max_steps", "min_epochs", "min_steps", "max_time", "num_nodes")),
    *(("trainer", key) for key in ("devices", "accelerator", "strategy", "fast_dev_run", "default_root_dir")),
    ("trainer", "accumulate_grad_batches"),
    *(("data", "source", "init_args", key) for key in ("train_size", "test_size", "image_size")),
    ("data", "source"),
    ("data",),
    ("trainer",),
}
"""Where a value may be valid and take a long time, many processes, or a network: these are printed and not run."""

NOT_MENDED = ("error: The training loss became", "error: --ckpt_path", "error: cannot read", "cannot be read as a")
"""What may be said with another exit code than 2: the configuration was valid, and then something else was not."""


_schema: dict[str, Any] = {}


def schema(plcnn: Command) -> dict[str, Any]:
    """The whole configuration of a tiny run, as it is printed."""
    if _schema:
        return _schema
    Path("tiny.yaml").write_text(yaml.safe_dump(TINY))
    whole: dict[str, Any] = yaml.safe_load(plcnn("fit", "--config", "tiny.yaml", "--print_config").out)
    assert len(list(places(whole))) > 80
    _schema.update(whole)
    return whole


def places(content: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of nested settings, as a path."""
    for key, value in content.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from places(value, (*above, key))


def with_value(place: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The tiny configuration with a value put in a place."""
    config = copy.deepcopy(TINY)
    inner = config
    for key in place[:-1]:
        if not isinstance(inner.get(key), dict):
            inner[key] = {}
        inner = inner[key]
    inner[place[-1]] = value
    return config


def assert_refused(outcome: Outcome, *codes: int) -> None:
    assert outcome.code in (codes or (2,)), outcome
    assert outcome.err.startswith("error: ") and len(outcome.err.splitlines()) <= 3, outcome.err
    assert "Traceback" not in outcome.err and not Path("attacked").exists()


def assert_taken_or_refused(outcome: Outcome) -> None:
    if outcome.code:
        mended = any(words in outcome.err for words in NOT_MENDED)
        assert_refused(outcome, *((1, 2) if mended else ()))


numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from([0, -1, 1, 10**12, 2**63, 2**64, 10**400, 1e308, -0.0, float("nan"), float("inf"), 1e-300])
)
texts = st.text(max_size=8) | st.sampled_from(
    [
        "",
        "null",
        "nan",
        "-",
        "--name",
        "a.yaml",
        "tiny.yaml",
        "http://127.0.0.1:9/x",
        "memory://x",
        "${oc.env:HOME}",
        "$HOME",
        "../..",
        "/",
        "os.system",
        "linear",
        "[",
        "{a: 1}",
        "%s",
        "{0}",
        "\x1b[31m",
        "a\nb",
        "é",
        "\u202eab",
        "~",
        "!!python/name:os",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts | st.sampled_from(["class_path", "init_args", "lr"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@MADE_UP
@given(data=st.data())
def test_a_value_of_any_kind_in_any_place_is_printed_or_refused(plcnn: Command, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(list(places(schema(plcnn)))))
    Path("a.yaml").write_text(yaml.safe_dump(with_value(place, data.draw(values))), encoding="utf-8")
    assert_taken_or_refused(plcnn("fit", "--config", "a.yaml", "--print_config"))


@MADE_UP
@given(data=st.data())
def test_a_value_of_any_kind_in_any_place_is_run_or_refused(plcnn: Command, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from([place for place in places(schema(plcnn)) if place not in ENDLESS]))
    Path("a.yaml").write_text(yaml.safe_dump(with_value(place, data.draw(values))), encoding="utf-8")
    assert_taken_or_refused(plcnn("fit", "--config", "a.yaml"))


@MADE_UP
@given(data=st.data())
def test_an_unknown_key_in_any_place_is_refused(plcnn: Command, data: st.DataObject) -> None:
    whole = schema(plcnn)
    sections = [()] + [place for place in places(whole) if len(place) == 1 and isinstance(whole[place[0]], dict)]
    section = data.draw(st.sampled_from(sections))
    known = set(whole if not section else whole[section[0]]) | {"config", "classes", "image_shape", "seed"}
    near = st.sampled_from(sorted(known)).flatmap(
        lambda key: st.sampled_from([key[:-1], key + "s", key.upper(), f" {key}"])
    )
    key = data.draw((near | st.text(min_size=1, max_size=8)).filter(lambda key: key not in known and "." not in key))
    Path("a.yaml").write_text(
        yaml.safe_dump(
            with_value((*section, key), data.draw(st.integers() | st.booleans() | st.just([1]) | st.just({})))
        ),
        encoding="utf-8",
    )
    assert_refused(plcnn("fit", "--config", "a.yaml", "--print_config"))


@MADE_UP
@given(data=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_at_all_are_refused(plcnn: Command, data: bytes) -> None:
    Path("a.yaml").write_bytes(data)
    assert_refused(plcnn("fit", "--config", "a.yaml", "--print_config"))


@MADE_UP
@given(
    flag=st.sampled_from(
        ["--name", "--data.batch_size", "--model.arch", "--trainer.callbacks", "--plugins", "--config"]
    ),
    value=texts,
)
def test_any_text_after_a_flag_is_printed_or_refused(plcnn: Command, flag: str, value: str) -> None:
    Path("tiny.yaml").write_text(yaml.safe_dump(TINY))
    assert_taken_or_refused(plcnn("fit", "--config", "tiny.yaml", flag, value, "--print_config"))
    assert_taken_or_refused(plcnn("fit", "--config", "tiny.yaml", f"{flag}={value}", "--print_config"))


SWELLING = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(20)
)
BROKEN = {
    "code": "name: !!python/object/apply:os.mkdir [attacked]\n",
    "more code": "name: !!python/object/new:os.mkdir {args: [attacked]}\n",
    "a name": "name: !!python/name:os.mkdir\n",
    "an unknown tag": "name: !mine a\n",
    "aliases that swell": SWELLING,
    "aliases that swell in a section": "data:\n" + "".join(f"  {line}\n" for line in SWELLING.splitlines()),
    "a list in itself": "data:\n  augment: &a [*a]\n",
    "keys in themselves": "data: &a\n  root: *a\n",
    "an alias of nothing": "name: *x\n",
    "a thousand lists": "data:\n  augment: " + "[" * 900 + "]" * 900,
    "lists without end": "a: " + "[" * 100_000,
    "keys without end": "a: " + "{a: " * 50_000,
    "dashes without end": "- " * 50_000,
    "a key twice": "name: a\nname: b\n",
    "an inner key twice": "data:\n  batch_size: 1\n  'batch_size': 2\n",
    "a number of many digits": f"data:\n  batch_size: {'9' * 5000}\n",
    "a day that is none": "name: 2026-13-45\n",
    "a number as key": "1: 2\n",
    "null as key": "? \n: 2\n",
    "a list as key": "? [a]\n: 2\n",
    "a number as inner key": "data:\n  1: 2\n",
    "tabs": "data:\n\tbatch_size: 3\n",
    "two documents": "name: a\n---\nname: b\n",
    "zero bytes": "name: a\0b\n",
    "half a character": 'name: "\\ud800"\n',
    "nothing": "",
    "a remark": "# nothing\n",
    "a word": "hello\n",
    "a list": "- a\n",
    "null": "null\n",
    "an open quote": "name: 'a\n",
    "a merge of a number": "data:\n  <<: 3\n",
    "another version": "%YAML 9.9\n---\nname: a\n",
    "sections of null": "data:\nmodel:\n",
    "a command": "fit:\n  name: x\n",
    "a class that is none": "trainer:\n  callbacks:\n  - class_path: os.mkdir\n    init_args: {path: attacked}\n",
    "a program": "trainer:\n  callbacks: {class_path: subprocess.Popen, init_args: {args: [mkdir, attacked]}}\n",
    "a callback's keys as a number": "ema: 3\n",
    "a callback's keys as null": "early_stopping: null\n",
    "a file in place of a section": "model: a.yaml\n",
    "a list of checkpoints": "ckpt_path: [a]\n",
    "keys as plugins": "plugins: {a: b}\n",
    "a number as a class": "model:\n  arch: {class_path: 3}\n",
    "a number as arguments": "model:\n  arch: {class_path: linear, init_args: 3}\n",
    "a third key of a class": "model:\n  arch: {class_path: linear, init_arg: {a: 1}}\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_config_is_refused(plcnn: Command, kind: str) -> None:
    Path("a.yaml").write_text(BROKEN[kind], encoding="utf-8", errors="surrogatepass")
    assert_refused(plcnn("fit", "--config", "a.yaml"))


def test_a_config_that_is_no_text_or_no_file(plcnn: Command) -> None:
    Path("latin.yaml").write_bytes("name: é\n".encode("latin1"))
    Path("wide.yaml").write_bytes("name: a\n".encode("utf-16"))
    Path("folder.yaml").mkdir()
    Path("loop.yaml").symlink_to("loop.yaml")
    for path in (
        "latin.yaml",
        "wide.yaml",
        "folder.yaml",
        "loop.yaml",
        "none.yaml",
        "x" * 5000,
        "a\0b",
        "~no_such_user/a.yaml",
    ):
        assert_refused(plcnn("fit", "--config", path, "--print_config"))


def test_what_yaml_allows_is_taken(plcnn: Command) -> None:
    Path("a.yaml").write_bytes(b"\xef\xbb\xbf# aliases\nname: &n run\ndata: {batch_size: 0x10}\n")
    out = plcnn("fit", "--config", "a.yaml", "--print_config").out
    assert "batch_size: 16" in out and "name: run\n" in out


VALUES = {
    "trainer.max_epochs": (-5,),
    "trainer.max_steps": (-5, 0),
    "trainer.devices": (0, -2, "x"),
    "trainer.num_nodes": (0, -1, 2**64),
    "trainer.check_val_every_n_epoch": (0, -1),
    "trainer.val_check_interval": (1e30, -1),
    "trainer.overfit_batches": (-1, 2.5),
    "trainer.limit_train_batches": (-1, 1.5, 0),
    "trainer.accumulate_grad_batches": (0, -1),
    "trainer.gradient_clip_val": (-1, float("nan")),
    "trainer.default_root_dir": (None, "a.yaml"),
    "trainer.precision": ("8", 3),
    "trainer.max_time": ("x", -1),
    "data.batch_size": (0, -8, None),
    "data.val_fraction": (-0.1, 1, float("nan"), float("inf"), None),
    "data.workers": (0, -1, None),
    "data.mix_alpha": (0, -1, float("nan"), float("inf")),
    "data.split_seed": (None,),
    "model.label_smoothing": (-0.1, 1.1, float("nan")),
    "model.optimizer.init_args.lr": (-1, float("nan"), "x", None),
    "model.schedule.init_args.warmup": (-1, 1, float("nan")),
    "model.mean": ([0.5], ["a"], "x"),
    "model.std": ([0, 1, 1], [float("nan")] * 3, [-1, 1, 1]),
    "early_stopping.patience": (-1, None, 0.5),
    "early_stopping.mode": (None, "up"),
    "early_stopping.min_delta": (float("nan"),),
    "ema.decay": (-1, 1, float("nan"), None),
    "checkpoints.every_n_steps": (-1, None),
    "checkpoints.mode": (None, "up"),
    "checkpoints.monitor": ("val", 3),
    "seed_everything": (-1, 2**32, None, float("nan")),
    "name": ("", "..", "a/b", "a\0b", "x" * 300, None),
}


@pytest.mark.parametrize("key", VALUES)
def test_a_value_out_of_range_is_refused_before_anything_is_trained(plcnn: Command, key: str) -> None:
    taken = []
    for value in VALUES[key]:
        Path("a.yaml").write_text(yaml.safe_dump(with_value(tuple(key.split(".")), value)))
        outcome = plcnn("fit", "--config", "a.yaml")
        if outcome.code != 2:
            taken.append((value, outcome.code, outcome.err[-300:]))
            continue
        assert_refused(outcome)
        assert not list(Path("tb_logs").rglob("*.ckpt"))
    assert not taken


@pytest.fixture
def server() -> Iterator[list[str]]:
    """A web server on this machine, and what was asked of it; its address is the first entry."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        asked.append(f"http://127.0.0.1:{running.server_port}/a.yaml")
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield asked
        running.shutdown()
        thread.join()


def test_no_value_is_fetched_from_an_address(
    plcnn: Command, server: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    address = server[0]
    assert_refused(plcnn("fit", "--config", address))
    for place in places(schema(plcnn)):
        if len(place) <= 2 and len(place[-1]) % 2:
            Path("a.yaml").write_text(yaml.safe_dump(with_value(place, address)))
            assert_taken_or_refused(plcnn("fit", "--config", "a.yaml", "--print_config"))
    assert server[1:] == []


def test_what_looks_like_a_variable_stays_as_it_is(plcnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hidden")
    for text in ("${oc.env:SECRET}", "${SECRET}", "$SECRET", "${trainer.max_epochs}"):
        Path("a.yaml").write_text(yaml.safe_dump({"name": text}))
        out = plcnn("fit", "--config", "a.yaml", "--print_config").out
        assert yaml.safe_load(out)["name"] == text


def test_a_name_is_not_taken_for_a_file_that_is_called_like_it(plcnn: Command) -> None:
    for name in ("linear", "adam", "shapes", "none", "constant"):
        Path(name).write_text("class_path: os.mkdir\ninit_args: {path: attacked}\n")
    arguments = [
        "--model.arch",
        "linear",
        "--model.optimizer",
        "adam",
        "--data.source",
        "shapes",
        "--data.augment",
        "none",
    ]
    outcome = plcnn("fit", *arguments, "--model.schedule", "constant", "--print_config")
    assert outcome.code == 0 and "class_path: linear" in outcome.out, outcome.err


def test_plugins_that_are_no_list(plcnn: Command) -> None:
    for text in ("[a", "[*x]", "[" * 5000, "[2026-13-45]"):
        assert_refused(plcnn("fit", "--plugins", text))
        assert_refused(plcnn("archs", "--plugins", text))
