"""The LightningModule on its own: shapes, scaling, metrics, what it refuses."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plcnn.architectures import architectures
from plcnn.checkpoint import model_arguments
from plcnn.classifier import Classifier
from plcnn.data.loader import Batch
from plcnn.errors import UserError
from plcnn.metrics import Accuracy, MeanLoss

CLASSES = ["a", "b", "c"]


def classifier(**settings: object) -> Classifier:
    return Classifier(CLASSES, (3, 8, 8), **{"arch": "linear", **settings})


def test_pixels_are_scaled_alike_whether_whole_numbers_or_shares() -> None:
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    model = classifier(mean=[0.1, 0.2, 0.3], std=[0.5, 1, 2])
    logits = model(images)
    assert logits.shape == (5, 3)
    assert torch.equal(model(images.float() / 255), logits)
    mean, std = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1), torch.tensor([0.5, 1, 2]).view(3, 1, 1)
    torch.testing.assert_close(model.net((images / 255 - mean) / std), logits)


def test_the_mean_loss_weighs_batches_by_their_pictures() -> None:
    metric = MeanLoss()
    metric.update(torch.tensor(1.0), 64)
    metric.update(torch.tensor(2.0), 26)
    assert float(metric.compute()) == pytest.approx((64 + 52) / 90)
    metric.update(torch.tensor(float("nan")), 1)
    assert torch.isnan(metric.compute())


def test_accuracy_counts_pictures_and_takes_shares_for_labels() -> None:
    logits, labels = torch.randn(90, 5), torch.randint(0, 5, (90,))
    right = [int(row.argmax() == label) for row, label in zip(logits, labels, strict=True)]
    for targets in (labels, 0.6 * F.one_hot(labels, 5) + 0.1):
        metric = Accuracy()
        for part in range(0, 90, 64):
            metric.update(logits[part : part + 64], targets[part : part + 64])
        assert float(metric.compute()) == pytest.approx(sum(right) / 90)


def test_label_smoothing_is_for_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier(label_smoothing=0.3)
    monkeypatch.setattr(model, "log_dict", lambda *_, **__: None)
    batch = Batch(torch.rand(6, 3, 8, 8), torch.arange(6) % 3)
    log_p = model(batch.images).log_softmax(1)
    plain = -log_p[torch.arange(6), batch.labels].mean()
    torch.testing.assert_close(model.training_step(batch, 0), 0.7 * plain + 0.3 * -log_p.mean())
    model.validation_step(batch, 0)
    torch.testing.assert_close(model.metrics["val_metrics"]["loss"].compute(), plain.detach())
    right = (log_p.argmax(1) == batch.labels).float().mean()
    assert model.metrics["val_metrics"]["acc"].compute() == right


def test_hyper_parameters_are_plain_data_that_rebuild_it() -> None:
    model = classifier(optimizer={"class_path": "sgd", "init_args": {"lr": 0.3}}, mean=[0.5] * 3)
    again = Classifier(**model_arguments({"hyper_parameters": dict(model.hparams)}))
    again.load_state_dict(model.state_dict())
    images = torch.rand(4, 3, 8, 8)
    assert torch.equal(again(images), model(images))
    assert again.optimizer_choice.arguments["lr"] == 0.3
    assert all(not key.startswith("_orig_mod") for key in model.state_dict())


class Wrong(nn.Module):
    """Returns what `answer` makes of the pictures."""

    def __init__(self, num_classes: int, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> object:
        return self.answer(x)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x.flatten(1), r"must return logits of shape \(batch, classes\) = \(2, 3\), got \(2, 192\)"),
        (lambda x: (x, x), "got tuple"),
        (lambda x: x @ torch.zeros(3, 3), r"fails on images of shape \(2, 3, 8, 8\): RuntimeError: "),
    ],
)
def test_a_network_of_another_form_is_refused_before_training(
    answer: object, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(architectures, "_choices", dict(architectures._choices))
    monkeypatch.setattr(architectures, "origins", dict(architectures.origins))
    architectures.register(Wrong, name="wrong")
    with pytest.raises(UserError, match=words):
        classifier(arch=architectures.choose("wrong", answer=answer))


def test_weights_of_another_network_are_refused_in_words() -> None:
    other = Classifier(CLASSES, (3, 16, 16), arch="linear")
    with pytest.raises(UserError, match=r"do not fit linear\(\): size mismatch for net.dense.weight"):
        classifier().load_state_dict(other.state_dict())
