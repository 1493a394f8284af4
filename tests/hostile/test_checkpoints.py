"""Checkpoints that are broken, foreign or hostile: each is one clear error, and nothing in them runs."""

import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile.damage import CODE, Calls, cuts, flips
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as to_safetensors
from support import TINY, Outcome

import plcnn as product
from plcnn.__main__ import main
from plcnn.checkpoint_content import FORMAT, STAMP, TEMPERATURE
from plcnn.classifier import Classifier
from plcnn.errors import UserError

Command = Callable[..., Outcome]
EXAMPLES = int(os.environ.get("PLCNN_EXAMPLES", "100"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint of two epochs of a linear classifier."""
    folder = tmp_path_factory.mktemp("run")
    main(["fit", *TINY, "--trainer.max_epochs", "2", "--trainer.default_root_dir", str(folder)])
    return (folder / "run/version_0/checkpoints/last.ckpt").read_bytes()


@pytest.fixture
def content(whole: bytes) -> dict[str, Any]:
    return read(whole)


def read(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True)
    return found


def written(content: Any, name: str = "bad.ckpt", **options: Any) -> str:
    torch.save(content, name, **options)
    return name


def refused(path: str | Path, words: str = ".") -> str:
    """What `plcnn.load` says of a file that it must refuse, in at most two lines."""
    with pytest.raises(UserError, match=words) as caught:
        product.load(path)
    message = str(caught.value)
    assert str(path) in message and len(message.splitlines()) <= 2 and len(message) < 1000, message
    assert not Path("attacked").exists()
    return message


def assert_refused_everywhere(plcnn: Command, path: str, words: str = ".") -> None:
    """Every command that reads a checkpoint says in words that it is none."""
    refused(path, words)
    Path("x.png").write_bytes(b"")
    for command in (
        ["test", "--ckpt_path", path],
        ["validate", "--ckpt_path", path],
        ["predict", "--ckpt_path", path, "--data.pictures", "x.png"],
        ["fit", *TINY, "--ckpt_path", path],
    ):
        outcome = plcnn(*command)
        assert outcome.code in (1, 2) and outcome.err.startswith("error: "), outcome
        assert len(outcome.err.splitlines()) <= 3 and not Path("attacked").exists()


def test_a_whole_checkpoint_tells_its_format_and_one_without_still_loads(content: dict[str, Any]) -> None:
    assert content[STAMP]["format"] == FORMAT and isinstance(content[STAMP]["version"], str)
    old = {key: value for key, value in content.items() if key != STAMP}
    assert set(product.load(written(old)).state_dict()) == {"net.dense.weight", "net.dense.bias"}


def test_a_checkpoint_of_a_newer_version_names_it(plcnn: Command, content: dict[str, Any]) -> None:
    newer = {**content, STAMP: {"format": FORMAT + 1, "version": "7.1.0"}}
    assert_refused_everywhere(
        plcnn, written(newer), f"was written by plcnn 7.1.0 in format {FORMAT + 1}; .* Install plcnn 7"
    )


def forms_of_code() -> Iterator[tuple[str, bytes]]:
    """Each pickle of code bare, in an archive as torch.save writes it, and in the format before that."""
    for number, code in enumerate(CODE):
        yield f"bare {number}", code
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("bad/data.pkl", code)
            archive.writestr("bad/byteorder", b"little")
            archive.writestr("bad/version", b"3\n")
        yield f"archive {number}", buffer.getvalue()
        head = (
            pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
        )
        yield f"old {number}", head + code + pickle.dumps([], 2)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name in ("sys_info", "pickle", "storages", "tensors"):
                info = tarfile.TarInfo(name)
                info.size = len(code)
                tar.addfile(info, io.BytesIO(code))
        yield f"tar {number}", buffer.getvalue()


def test_code_does_not_run_in_any_format(content: dict[str, Any]) -> None:
    Path("evil.py").write_text("import os; os.mkdir('attacked')")
    for _, data in forms_of_code():
        Path("bad.ckpt").write_bytes(data)
        refused("bad.ckpt")
        with pytest.raises(UserError):
            Classifier(["a"], (3, 8, 8), "linear", weights="bad.ckpt")
        assert not Path("attacked").exists()
    for key in content:
        for attack in (Calls(os.mkdir, "attacked"), [Calls(eval, "__import__('os').mkdir('attacked')")]):
            for old_format in (True, False):
                path = written({**content, key: attack}, _use_new_zipfile_serialization=not old_format)
                refused(path, "was refused")


def test_code_does_not_run_from_any_command(plcnn: Command, content: dict[str, Any]) -> None:
    assert_refused_everywhere(plcnn, written({**content, "callbacks": Calls(os.mkdir, "attacked")}), "was refused")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_other_archives_of_pytorch_are_no_checkpoints() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    torch.jit.save(torch.jit.trace(Net(), torch.zeros(1)), "script.ckpt")
    refused("script.ckpt")
    from torch.package import PackageExporter

    with PackageExporter("package.ckpt") as exporter:
        exporter.save_source_string("evil", "import os; os.mkdir('attacked')")
        exporter.save_pickle("model", "model.pkl", {"a": 1})
    refused("package.ckpt")
    Path("weights.ckpt").write_bytes(to_safetensors({"a": torch.zeros(1)}))
    refused("weights.ckpt")


def test_names_in_a_checkpoint_are_looked_up_and_never_imported(
    plcnn: Command, content: dict[str, Any], monkeypatch
) -> None:
    Path("evil.py").write_text("import os; os.mkdir('attacked')\nclass Net: pass\n")
    monkeypatch.syspath_prepend(".")
    for where, keys in (
        ("hyper_parameters", ("arch", "optimizer", "schedule")),
        ("datamodule_hyper_parameters", ("source", "augment")),
    ):
        for key in keys:
            for name in ("evil.Net", "evil", "os.mkdir", "plcnn.names.evil.Net", "evil.py", "./evil.py"):
                bad = deepcopy(content)
                bad[where][key] = {"class_path": name, "init_args": {}}
                path = written(bad)
                for command in ("test", "fit"):
                    outcome = plcnn(command, "--ckpt_path", path)
                    assert outcome.code in (1, 2) and len(outcome.err.splitlines()) <= 2, outcome
                    assert not Path("attacked").exists()
    for plugins in (["evil.py"], "evil.py", [3], {"evil.py": 1}):
        bad = deepcopy(content)
        bad["hyper_parameters"]["plugins"] = plugins
        for command in ("test", "validate"):
            plcnn(command, "--ckpt_path", written(bad))
        assert not Path("attacked").exists()


def test_weights_of_another_network_are_told_before_anything_is_built(plcnn: Command, content: dict[str, Any]) -> None:
    weights = content["state_dict"]
    key = "net.dense.weight"
    for bad in (
        {},
        {key: weights[key]},
        {**weights, "net.more": torch.zeros(1)},
        {**weights, key: weights[key][:, :-1].clone()},
        {**weights, key: weights[key].flatten()},
        {**weights, key: torch.zeros(1).expand(10, 192)},
        {name.removeprefix("net."): tensor for name, tensor in weights.items() if "bias" not in name},
    ):
        refused(written({**content, "state_dict": bad}), "do not fit linear|state_dict")
    for bad in (
        None,
        3,
        [],
        {1: weights[key]},
        {key: 3},
        {key: weights[key].to_sparse()},
        {key: weights[key].to("meta")},
    ):
        refused(written({**content, "state_dict": bad}), "state_dict in it is missing|was refused|broken one")
    assert_refused_everywhere(plcnn, written({**content, "state_dict": {key: weights[key]}}), "it lacks dense.bias")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers(plcnn: Command, content: dict[str, Any], value: float) -> None:
    content["state_dict"]["net.dense.bias"][3] = value
    path = written(content)
    assert_refused_everywhere(plcnn, path, "net.dense.bias holds values that are infinite or no numbers")
    outcome = plcnn("fit", *TINY, "--model.weights", path)
    assert outcome.code == 2 and "dense.bias holds values that are infinite" in outcome.err


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e9, 2, "2.0", None])
def test_a_temperature_out_of_bounds(content: dict[str, Any], value: object) -> None:
    refused(written({**content, TEMPERATURE: value}), "temperature in it is missing or not of its kind")


def test_a_checkpoint_without_a_temperature_still_loads(content: dict[str, Any]) -> None:
    del content[TEMPERATURE]
    assert product.load(written(content)).temperature == 1


HUGE = {
    "pictures": {"image_shape": (3, 10**6, 10**6)},
    "pictures of a network without a size": {
        "image_shape": (3, 10**6, 10**6),
        "arch": {"class_path": "resnet20", "init_args": {}},
    },
    "channels": {"image_shape": (10**12, 8, 8)},
    "widths": {"arch": {"class_path": "keras_cnn", "init_args": {"widths": [10**6, 10**6, 10**6]}}},
    "depth": {"arch": {"class_path": "wide_resnet", "init_args": {"depth": 6 * 10**8 + 4, "width": 1}}},
    "growth": {"arch": {"class_path": "densenet_bc", "init_args": {"growth": 10**9}}},
    "beyond 64 bits": {"image_shape": (3, 2**70, 2**70)},
}


@pytest.mark.parametrize("kind", HUGE)
def test_sizes_in_a_checkpoint_do_not_fill_the_machine(plcnn: Command, content: dict[str, Any], kind: str) -> None:
    content["hyper_parameters"].update(HUGE[kind])
    assert_refused_everywhere(plcnn, written(content))


def test_a_network_that_fits_any_picture_is_not_tried_with_a_huge_one(content: dict[str, Any]) -> None:
    network = product.build("resnet20")
    content["state_dict"] = {f"net.{name}": tensor for name, tensor in network.state_dict().items()}
    content["hyper_parameters"].update(arch={"class_path": "resnet20", "init_args": {}}, image_shape=(3, 32, 32))
    content["hyper_parameters"]["classes"] = [str(number) for number in range(10)]
    product.load(written(content))
    content["hyper_parameters"]["image_shape"] = (3, 10**5, 10**5)
    refused(written(content), "too large")


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["linear", "adam", "none", "../..", "evil.Net", 10**12, -1, torch.zeros(2)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(["class_path", "init_args"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(content: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of nested plain data, as a path."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from places(value, (*above, key))


def changed(content: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with another value at a place."""
    copy = deepcopy(content)
    inner: Any = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
@given(data=st.data())
def test_any_value_anywhere_is_an_error_in_words_or_taken(whole: bytes, data: st.DataObject) -> None:
    content = read(whole)
    place = data.draw(st.sampled_from(sorted(places(content), key=str)))
    path = written(changed(content, place, data.draw(plain)))
    try:
        product.load(path)
    except UserError as error:
        assert path in str(error) or "--model." in str(error) or "not be built" in str(error) or ":" in str(error)
        assert len(str(error).splitlines()) <= 2


def test_any_value_anywhere_in_a_run_that_goes_on(plcnn: Command, whole: bytes) -> None:
    content = read(whole)
    random = __import__("random").Random(0)
    found = sorted(places(content), key=str)
    values: list[Any] = [None, -1, "x", [], {}, [1], {"a": 1}, 2.5, torch.zeros(3)]
    for place in random.sample(found, min(len(found), max(20, EXAMPLES // 5))):
        path = written(changed(content, place, random.choice(values)))
        outcome = plcnn("fit", *TINY, "--ckpt_path", path, "--trainer.max_epochs", "3")
        assert "Traceback" not in outcome.err and len(outcome.err.splitlines()) <= 4, (place, outcome)


def test_a_file_that_is_cut_or_damaged_is_noticed(whole: bytes) -> None:
    for data in cuts(whole, EXAMPLES):
        Path("bad.ckpt").write_bytes(data)
        refused("bad.ckpt")
    expected = product.load(written(read(whole), "good.ckpt"))
    taken = 0
    for data in flips(whole, 3 * EXAMPLES):
        Path("bad.ckpt").write_bytes(data)
        try:
            loaded = product.load("bad.ckpt")
        except UserError as error:
            assert len(str(error).splitlines()) <= 2
        else:  # the archive's own dates and padding may change
            taken += 1
            assert loaded.hparams == expected.hparams
            for name, tensor in expected.state_dict().items():
                assert torch.equal(tensor, loaded.state_dict()[name])
    assert taken < EXAMPLES


def test_weight_files_that_are_cut_or_damaged_are_errors_or_tensors() -> None:
    network = product.build("linear", image_size=8)
    good = to_safetensors(network.state_dict())
    old = io.BytesIO()
    torch.save(network.state_dict(), old, _use_new_zipfile_serialization=False)
    for name, data in (("w.safetensors", good), ("w.pth", old.getvalue())):
        for bad in (*cuts(data, EXAMPLES), *flips(data[:500], EXAMPLES)):
            bad = bad if len(bad) != 500 else bad + data[500:]
            Path(name).write_bytes(bad)
            try:
                Classifier([str(i) for i in range(10)], (3, 8, 8), "linear", weights=name)
            except UserError as error:
                assert name in str(error) and len(str(error).splitlines()) <= 2


def test_what_is_no_plain_file_does_not_hang(plcnn: Command) -> None:
    os.mkfifo("pipe.ckpt")
    os.mkfifo("pipe.safetensors")
    Path("folder.ckpt").mkdir()
    Path("empty.ckpt").touch()
    Path("gone.ckpt").symlink_to("nowhere")
    Path("loop.ckpt").symlink_to("loop.ckpt")
    for path in ("pipe.ckpt", "folder.ckpt", "empty.ckpt", "gone.ckpt", "loop.ckpt", "/dev/zero", "a\0b"):
        assert_refused_everywhere(plcnn, path)
        outcome = plcnn("fit", *TINY, "--model.weights", path)
        assert outcome.code == 2 and len(outcome.err.splitlines()) <= 2, outcome
    outcome = plcnn("fit", *TINY, "--model.weights", "pipe.safetensors")
    assert outcome.code == 2 and "no plain file" in outcome.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(plcnn: Command, whole: bytes) -> None:
    Path("secret.ckpt").write_bytes(whole)
    Path("secret.ckpt").chmod(0)
    assert_refused_everywhere(plcnn, "secret.ckpt", "Permission denied")


def test_a_run_whose_last_checkpoint_is_a_pipe_says_so(plcnn: Command, whole: bytes) -> None:
    folder = Path("tb_logs/run/version_0/checkpoints")
    folder.mkdir(parents=True)
    (folder.parent / "config.yaml").write_text("name: run\n")
    os.mkfifo(folder / "last.ckpt")
    outcome = plcnn("fit", *TINY, "--resume", folder.parent)
    assert outcome.code == 1 and "no plain file" in outcome.err and len(outcome.err.splitlines()) == 1


def test_archives_that_swell_are_refused_at_once() -> None:
    with zipfile.ZipFile("bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bad/data.pkl", b"\x80\x02N." + bytes(300_000_000))
        archive.writestr("bad/version", b"3\n")
    assert Path("bomb.ckpt").stat().st_size < 400_000
    refused("bomb.ckpt", "would swell")


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85R.",  # 2 ** 44 bytes
        b"\x80\x02]" + b"q\x01](" + b"h\x01" * 10 + b"e" * 1 + b".",
        b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
        b"\x80\x02" + b")" + b"\x85" * 300_000 + b".",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    ],
    ids=range(5),
)
def test_pickles_that_swell_or_nest_without_end(code: bytes) -> None:
    Path("bad.ckpt").write_bytes(code)
    refused("bad.ckpt")


def test_event_files_that_are_cut_or_damaged_do_not_stop_a_resumed_run(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    run = Path("tb_logs/run/version_0")
    (path,) = run.glob("events.out.tfevents.*")
    whole = path.read_bytes()
    for epochs, data in enumerate((whole[: len(whole) // 2], b"", b"garbage", *flips(whole, 3)), 2):
        path.write_bytes(data)
        outcome = plcnn("fit", "--resume", run, "--trainer.max_epochs", str(epochs))
        assert "Traceback" not in outcome.err and outcome.code in (0, 1) and len(outcome.err.splitlines()) <= 2, outcome
