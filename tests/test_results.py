"""What `test` and `validate` leave in a run folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import TINY, Outcome

from plcnn.api import load
from plcnn.calibration import fit_temperature
from plcnn.data.module import ImageData
from plcnn.errors import UserError
from plcnn.examples import examples
from plcnn.hashes import pictures_hash, tensor_hash
from plcnn.inference import predict_logits
from plcnn.outputs import Collected, Outputs
from plcnn.results import read, results_in

Command = Callable[..., Outcome]
RUN = Path("tb_logs/run/version_0")
DATA = {"train_size": 200, "test_size": 90, "image_size": 8}


@pytest.fixture
def data() -> ImageData:
    return ImageData(source={"class_path": "shapes", "init_args": DATA})  # type: ignore[arg-type]


def test_a_result_holds_what_the_network_answers_to_every_picture(plcnn: Command, data: ImageData) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "2").code == 0
    assert plcnn("test", "--ckpt_path", RUN).code == 0
    assert plcnn("validate", "--ckpt_path", RUN).code == 0
    classifier = load(RUN)
    for command, stage in (("test", "test"), ("validate", "validate")):
        data.setup(stage)
        images, rows = data.evaluated if command == "test" else (data.sets["val"][0], data.parts["val"].rows)
        labels = data.sets["test" if command == "test" else "val"][1]
        (path,) = results_in(RUN, command)
        result = read(path)
        assert result.command == command
        assert result.outputs is not None
        torch.testing.assert_close(result.outputs.logits, predict_logits(classifier, images))
        assert torch.equal(result.outputs.labels, labels)
        assert torch.equal(result.rows, rows)
        assert result.figures["acc"] == pytest.approx(float(result.outputs.right.float().mean()))
        assert result.figures["pictures"] == len(images)
        assert result.figures["pictures_sha256"] == pictures_hash(images)
        assert result.figures["labels_sha256"] == tensor_hash(labels)
        assert result.figures["temperature"] == classifier.temperature
        for kind, places in examples(result.outputs, 24).items():
            kept, pictures = result.examples[kind]
            assert torch.equal(kept, places)
            assert torch.equal(pictures, images[places])


def test_a_checkpoint_keeps_the_temperature_of_its_own_validation(plcnn: Command, data: ImageData) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "2").code == 0
    data.setup("validate")
    images, labels = data.sets["val"]
    for path in (RUN / "checkpoints").iterdir():
        classifier = load(path)
        assert classifier.temperature != 1
        assert classifier.temperature == pytest.approx(fit_temperature(predict_logits(classifier, images), labels))


def test_a_second_result_leaves_the_first_alone(plcnn: Command) -> None:
    assert plcnn("fit", *TINY, "--trainer.max_epochs", "1").code == 0
    for _ in range(2):
        assert plcnn("test", "--ckpt_path", RUN).code == 0
    assert [path.name for path in results_in(RUN, "test")] == ["test.json", "test_2.json"]
    assert (RUN / "test_2.safetensors").is_file()


def test_results_of_older_versions_and_broken_ones() -> None:
    path = Path("test.json")
    path.write_text(json.dumps({"checkpoint": "last.ckpt", "pictures": 3, "loss": 1.0, "acc": 0.5}))
    assert read(path).outputs is None
    path.with_suffix(".safetensors").write_bytes(b"no tensors")
    with pytest.raises(UserError, match=r"test\.json cannot be read"):
        read(path)
    path.write_text("[]")
    with pytest.raises(UserError, match=r"test\.json cannot be read"):
        read(path)


def test_outputs_of_ranks_come_back_in_the_order_of_the_set() -> None:
    labels, logits = torch.arange(7), torch.arange(7.0)[:, None]
    ranks = [Collected(rank, 2) for rank in range(2)]
    for rank, collected in enumerate(ranks):
        for batch in torch.arange(7)[rank::2].split(3):
            collected.update(logits[batch], labels[batch])
    both = ranks[0]
    for state in ("logits", "labels", "places"):  # what torchmetrics does between processes for states of kind "cat"
        setattr(both, state, [torch.cat([tensor for rank in ranks for tensor in getattr(rank, state)])])
    found = both.compute()
    assert torch.equal(found.labels, labels)
    assert torch.equal(found.logits, logits)


def test_examples_are_the_surest_mistakes_and_the_least_sure_hits() -> None:
    logits = torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.5, 0.0], [0.0, 5.0]])
    found = examples(Outputs(logits, torch.tensor([0, 1, 0, 0, 0])), 2)
    assert found["mistakes"].tolist() == [4, 2]
    assert found["unsure_hits"].tolist() == [3, 0]
