"""TensorBoard's projector: validation pictures where the network's last layer sees them."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from plcnn.classifier import Classifier
from plcnn.data.kept.stores import read_rows
from plcnn.files import failing_softly
from plcnn.processes import has_whole_weights
from plcnn.terminal import printable
from plcnn.tracking.loggers import writers

LARGEST_SPRITE = 8192
"""Pixels along TensorBoard's picture of all pictures."""

BATCH = 256


def log_embedding(trainer: Trainer, classifier: Classifier, count: int, epoch: int) -> None:
    """Log the features of some validation pictures, each with its class, the class it was given, and itself.

    Args:
        trainer: its TensorBoard loggers get them, on rank zero, unless weights are sharded.
        classifier: the network with the weights to use.
        count: the most pictures, spread evenly over the validation pictures.
        epoch: the epoch, from 1.
    """
    images, labels = trainer.datamodule.sets["val"]
    targets = writers(trainer) if has_whole_weights(trainer) and len(labels) else []
    if not targets:
        return
    rows = torch.linspace(0, len(labels) - 1, min(count, len(labels))).round().long()
    chosen = read_rows(images, rows)
    with trainer.precision_plugin.forward_context():
        points, logits = features(classifier, chosen)
    names = [printable(name) for name in classifier.classes]
    truth, given = labels.cpu()[rows].tolist(), logits.argmax(1).tolist()
    table = [[names[t], names[g], "right" if t == g else "wrong"] for t, g in zip(truth, given, strict=True)]
    for writer in targets:
        with failing_softly("TensorBoard's embedding"):
            writer.add_embedding(
                points,
                metadata=table,
                metadata_header=["class", "prediction", "right or wrong"],
                label_img=_thumbnails(chosen),
                global_step=epoch,
                tag="validation",
            )


@torch.no_grad()
def features(classifier: Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """What the last layer with weights gets of each picture, and the logits.

    Args:
        classifier: it is put into evaluation mode meanwhile.
        images: uint8 (pictures, channels, height, width).

    Returns:
        Features (pictures, features), averaged over places where there are several, and logits (pictures, classes);
        float32, on the CPU.
    """
    seen: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen[:] = [inputs[0]]

    layers = [m for m in classifier.net.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    was_training = classifier.net.training
    points, logits = [], []
    try:
        classifier.net.eval()
        for batch in images.split(BATCH):
            # `forward` itself: a compiled network would be compiled anew, without the hooks
            out = classifier.net.forward(classifier._scaled(batch.to(classifier.device)))
            points.append(_flat(seen[0] if seen else out).float().cpu())
            logits.append(out.float().cpu())
    finally:
        classifier.net.train(was_training)
        for hook in hooks:
            hook.remove()
    return torch.cat(points), torch.cat(logits)


def _flat(values: Tensor) -> Tensor:
    """(pictures, features): the mean over height and width, or over a transformer's places, where there are any."""
    if values.ndim == 4:
        return values.mean((2, 3))
    return values.mean(1) if values.ndim == 3 else values.flatten(1)


def _thumbnails(images: Tensor) -> Tensor:
    """The pictures, made smaller where all of them would not fit: float 0 to 1 (pictures, 3, side, side)."""
    columns = int(len(images) ** 0.5) + 1
    side = min(images.shape[-1], LARGEST_SPRITE // columns, 64)
    small = nn.functional.interpolate(images.float() / 255, size=(side, side), mode="area")
    return small.expand(-1, 3, -1, -1) if small.shape[1] == 1 else small[:, :3]
