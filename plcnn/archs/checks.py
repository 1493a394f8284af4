"""What a network must be able to do in plcnn, each checked by doing it; the same for ours and for a user's own."""

import copy
import io
import pickle
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plcnn.architectures import Architecture
from plcnn.archs.catalogue import Input
from plcnn.errors import UserError

BATCH = 2
"""Pictures in a batch: the fewest that batch norm trains on."""

TOLERANCE = 1e-3
"""Greatest difference between logits that should be equal but for rounding, relative to the largest."""


class Failed(Exception):
    """A check failed: what is wrong and what to change, in words."""


class Subject:
    """The architecture under check.

    Args:
        choice: the architecture with its arguments.
        given: what the data would give it.
    """

    def __init__(self, choice: Architecture, given: Input) -> None:
        self.choice, self.given = choice, given

    def build(self, seed: int = 0) -> nn.Module:
        """A new network, with the initial weights of a seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.choice.build(**self.given._asdict())

    def images(self, count: int, seed: int = 1) -> Tensor:
        """Random pictures from 0 to 1, (count, channels, height, width)."""
        return torch.rand(count, *self.given.image_shape, generator=torch.Generator().manual_seed(seed))

    def logits(self, network: nn.Module, images: Tensor) -> Tensor:
        """Logits (count, classes) in evaluation mode."""
        with torch.no_grad():
            logits: Tensor = network.eval()(images)
        return logits


def outputs(subject: Subject) -> None:
    """It maps pictures (batch, channels, height, width) to finite logits (batch, classes)."""
    network = subject.build()
    for training, batch in ((True, BATCH), (False, BATCH), (False, 1)):
        mode = f"{'training' if training else 'evaluation'} mode"
        logits = network.train(training)(subject.images(batch))
        if not isinstance(logits, Tensor):
            raise Failed(f"forward returns a {type(logits).__name__} in {mode}; return one tensor of logits")
        if logits.shape != (batch, subject.given.num_classes):
            raise Failed(
                f"forward returns shape {tuple(logits.shape)} for a batch of {batch} in {mode}; it must be (batch, "
                f"classes) = {(batch, subject.given.num_classes)}: end with a layer of num_classes outputs"
            )
        if not torch.isfinite(logits).all():
            raise Failed(f"logits are not finite in {mode}; look for divisions by zero and too large weights")


def gradients(subject: Subject) -> None:
    """Every parameter gets a gradient."""
    network = subject.build().train()
    logits = network(subject.images(BATCH))
    F.cross_entropy(logits, torch.arange(BATCH) % subject.given.num_classes).backward()
    trainable = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if not trainable:
        raise Failed("it has no trainable parameter; assign layers to self in __init__, lists of them as nn.ModuleList")
    without = [name for name, p in trainable.items() if p.grad is None]
    if without:
        raise Failed(
            f"no gradient reaches {_some(without)}; use it in forward, remove it, or freeze it by requires_grad_(False)"
        )
    wrong = [name for name, p in trainable.items() if p.grad is not None and not torch.isfinite(p.grad).all()]
    if wrong:
        raise Failed(f"the gradient of {_some(wrong)} is not finite; look for roots and divisions at zero")


def evaluation(subject: Subject) -> None:
    """In evaluation mode a picture's logits depend on that picture alone, and not on chance."""
    network, images = subject.build(), subject.images(BATCH)
    together = subject.logits(network, images)
    if not _equal(together, subject.logits(network, images)):
        raise Failed(
            "the same pictures give different logits the second time; use nn.Dropout, or F.dropout(x, p, self.training)"
        )
    alone = torch.cat([subject.logits(network, image[None]) for image in images])
    if not _equal(together, alone):
        raise Failed(
            "a picture's logits depend on the pictures beside it; do not reduce over the batch in evaluation mode, and "
            "let batch norm keep its running statistics"
        )


def state(subject: Subject) -> None:
    """Another network of the same arguments, given its state-dict, computes the same."""
    network, other, images = subject.build(0), subject.build(1), subject.images(BATCH)
    network.train()(images)  # moves the statistics
    other.load_state_dict(network.state_dict())
    if not _equal(subject.logits(network, images), subject.logits(other, images)):
        raise Failed(
            "the state-dict does not hold all that it computes with; make every tensor a nn.Parameter or give it to "
            "self.register_buffer, and draw nothing at random outside of them"
        )


def checkpoint(subject: Subject) -> None:
    """A checkpoint holds plain data, and rebuilds it by itself."""
    from plcnn.api import load
    from plcnn.classifier import Classifier

    classes = [f"class {i}" for i in range(subject.given.num_classes)]
    classifier = Classifier(classes, subject.given.image_shape, subject.choice)
    content = {"state_dict": classifier.state_dict(), "hyper_parameters": dict(classifier.hparams)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.ckpt"
        torch.save(content, path)
        try:
            restored = load(path)
        except UserError as error:
            reason = str(error).replace(str(path), "the checkpoint")
            raise Failed(f"{reason} Take numbers, text and lists as arguments, and keep no other objects") from error
    images = subject.images(BATCH)
    if not _equal(subject.logits(classifier.net, images), subject.logits(restored.net, images)):
        raise Failed("the network rebuilt from a checkpoint gives other logits; it must depend on its arguments alone")


def copies(subject: Subject) -> None:
    """It can be copied and sent to another process, as ddp_spawn does."""
    network = subject.build()
    try:
        copied = pickle.load(io.BytesIO(pickle.dumps(copy.deepcopy(network))))
    except Exception as error:
        raise Failed(
            f"it cannot be pickled ({type(error).__name__}: {error}); keep no lambda or local function in self"
        ) from error
    images = subject.images(BATCH)
    if not _equal(subject.logits(network, images), subject.logits(copied, images)):
        raise Failed("a copy gives other logits; keep all tensors in parameters and buffers")


def channels_last(subject: Subject) -> None:
    """In the channels-last memory format, in which training runs, it computes the same."""
    network, images = subject.build(), subject.images(BATCH)
    expected = subject.logits(network, images)
    try:
        network.to(memory_format=torch.channels_last)
        logits = subject.logits(network, images.contiguous(memory_format=torch.channels_last))
    except RuntimeError as error:
        raise Failed(f"{_first_line(error)}; use reshape or flatten in place of view") from error
    if not _equal(expected, logits):
        raise Failed("channels-last pictures give other logits; do not rely on the order of a tensor's memory")


def bfloat16(subject: Subject) -> None:
    """It trains under bfloat16 autocast (`--trainer.precision bf16-mixed`)."""
    network = subject.build().train()
    try:
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(subject.images(BATCH))
        F.cross_entropy(logits.float(), torch.arange(BATCH) % subject.given.num_classes).backward()
    except RuntimeError as error:
        raise Failed(
            f"{_first_line(error)}; give new tensors the dtype of those they meet (x.new_zeros, or dtype=x.dtype)"
        ) from error
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    if not torch.isfinite(logits).all() or not all(torch.isfinite(g).all() for g in grads):
        raise Failed("in bfloat16 its logits or gradients are not finite; compute sums and exponentials in float32")


def graph(subject: Subject) -> None:
    """It can be traced, for TensorBoard's graph."""
    network = subject.build().eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # remarks on shapes that become constants
            torch.jit.trace(network, subject.images(1), strict=False, check_trace=False)
    except Exception as error:
        raise Failed(f"it cannot be traced: {_first_line(error)}; return tensors, and decide by shapes only") from error


def first_pictures(subject: Subject) -> None:
    """If it has `init_from_images`, called before the first step, its logits are finite after it."""
    network = subject.build()
    init_from_images = getattr(network, "init_from_images", None)
    if init_from_images is None:
        return
    with torch.no_grad():
        init_from_images(subject.images(64))
    if not torch.isfinite(subject.logits(network, subject.images(BATCH))).all():
        raise Failed("after init_from_images its logits are not finite")


CHECKS: dict[str, Callable[[Subject], None]] = {
    check.__name__: check
    for check in (
        outputs,
        gradients,
        evaluation,
        state,
        checkpoint,
        copies,
        channels_last,
        bfloat16,
        graph,
        first_pictures,
    )
}
"""All checks by name; a docstring's first sentence says what holds when it passes."""


def run(subject: Subject) -> Iterator[tuple[str, str, str | None]]:
    """Run all checks.

    Yields:
        Name and sentence of a check, and what is wrong in words, or None where it passed.

    Raises:
        UserError: if the network cannot be built at all.
    """
    subject.build()
    for name, check in CHECKS.items():
        problem: str | None = None
        try:
            check(subject)
        except (Failed, UserError) as error:
            problem = str(error)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            problem = f"it raises {type(error).__name__}: {_first_line(error)} ({frame.filename}, line {frame.lineno})"
        yield name, (check.__doc__ or "").strip(), problem


def _equal(expected: Tensor, actual: Tensor) -> bool:
    scale = float(expected.abs().max()) or 1.0
    return bool(torch.isfinite(actual).all()) and float((expected - actual).abs().max()) <= TOLERANCE * scale


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
