"""The command `plcnn export`: writes a trained network in a format of others, checks it, and says how fast it is."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from plcnn import checkpoint as checkpoints
from plcnn import results
from plcnn.classifier import Classifier
from plcnn.data.kept.stores import Pictures, read_rows
from plcnn.data.module import ImageData
from plcnn.errors import UserError, wrong_value
from plcnn.export import parity as parities
from plcnn.export import speed as speeds
from plcnn.export.artifact import PRECISIONS, Artifact, Format, Precision
from plcnn.export.card import Facts, card
from plcnn.export.contract import as_text, contract
from plcnn.export.make import make
from plcnn.files import reason, written_aside
from plcnn.hashes import pictures_hash
from plcnn.paths import expanded
from plcnn.run import short, unused
from plcnn.terminal import say, warn


class Settings(NamedTuple):
    """What was asked for; `Trainer.export` documents them."""

    format: Format
    precision: Precision
    output: str | None
    check: Literal["test", "none"]
    max_loss: float | None
    calibration_pictures: int
    speed: bool


def export(classifier: Classifier, data: ImageData, checkpoint: Path, settings: Settings) -> Path:
    """Export a checkpoint.

    Args:
        classifier: built for the checkpoint; gets its weights.
        data: where the pictures for the check, and for the ranges of int8, come from.
        checkpoint: the file.
        settings: what was asked for.

    Returns:
        The exported file; its card lies beside it.

    Raises:
        UserError: if the format has not that precision, the file exists, a package or the data is missing, the
            architecture cannot be exported, or the export is worse than allowed.
    """
    _refuse_wrong(settings)
    path = _path(classifier, checkpoint, settings)
    content = checkpoints.read(checkpoint)
    classifier.load_state_dict(content["state_dict"])
    classifier.on_load_checkpoint(content)
    classifier.to("cpu").eval()
    checked = settings.check == "test" and settings.format != "safetensors"
    _read_pictures(data, checked, settings)
    values = contract(classifier, settings.precision)
    say(f"exporting  {classifier.arch.name} to {settings.format}, {settings.precision}")
    seen = _spread(data.sets["train"][0], settings.calibration_pictures) if settings.precision == "int8" else None
    made = make(classifier, settings.format, settings.precision, as_text(values), seen)
    parity = None
    if isinstance(made, Artifact) and checked:
        with torch.inference_mode():
            parity = parities.compare(classifier, made.run, *data.sets["test"])
        parities.refuse_worse(parity, settings.precision, settings.max_loss)
    speed = []
    if isinstance(made, Artifact) and settings.speed:
        images = data.sets["test"][0][: speeds.BATCHES[-1]] if checked else _noise(classifier)
        speed = speeds.measure(classifier, made.run, images)
    facts = Facts(
        path,
        settings.format,
        values,
        classifier,
        checkpoint,
        dict(data.hparams),
        _tested(checkpoint, pictures_hash(data.sets["test"][0]) if checked else None),
        parity,
        speed,
        0 if seen is None else len(seen),
        torch.get_num_threads(),
    )
    described = unused(_card_path(path))
    _write(path, made.content if isinstance(made, Artifact) else made, described, card(facts))
    _tell(facts, described)
    return path


def _refuse_wrong(settings: Settings) -> None:
    allowed = PRECISIONS[settings.format]
    if settings.precision not in allowed:
        others = [name for name, precisions in PRECISIONS.items() if settings.precision in precisions]
        raise UserError(
            f"--precision {settings.precision}: {settings.format} is written in {' or '.join(allowed)}; "
            f"{settings.precision} goes with --format {' or '.join(others)}.",
            exit_code=2,
        )
    if settings.max_loss is not None and not 0 <= settings.max_loss <= 100:
        raise wrong_value("--max_loss", settings.max_loss, "points of accuracy, 0 to 100", 1.5)
    if settings.calibration_pictures < 1:
        raise wrong_value("--calibration_pictures", settings.calibration_pictures, "1 or more", 512)
    if settings.format == "onnx":
        missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
        if missing:
            raise UserError(f"--format onnx needs {', '.join(missing)}: pip install 'plcnn[export]'")


def _path(classifier: Classifier, checkpoint: Path, settings: Settings) -> Path:
    suffix = f".{settings.format}"
    if settings.output is None:
        folder = checkpoints.run_folder(checkpoint) or checkpoint.parent
        return unused(folder / "export" / f"{classifier.arch.name}-{settings.precision}{suffix}")
    path = expanded(settings.output)
    if path.suffix != suffix:
        raise UserError(f"--output {path}: a file of --format {settings.format} ends with {suffix}.", exit_code=2)
    for one in (path, _card_path(path)):
        if one.exists():
            raise UserError(f"--output {path}: {one} exists already; name another file.", exit_code=2)
    return path


def _card_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.md")


def _read_pictures(data: ImageData, checked: bool, settings: Settings) -> None:
    if not checked and settings.precision != "int8":
        return
    try:
        data.prepare_data()
        if settings.precision == "int8":
            data.setup("fit")
        if checked:
            data.setup("test")
            if not len(data.sets["test"][1]):
                raise UserError("there are no test pictures.")
    except UserError as error:
        way_out = "--precision fp32 --check none" if settings.precision == "int8" else "--check none"
        raise UserError(
            f"{error}\nexport compares with the checkpoint on the data's pictures: --data.root FOLDER says where they "
            f"lie; {way_out} leaves them out.",
            error.exit_code,
        ) from error


def _spread(images: Pictures, count: int) -> torch.Tensor:
    """So many of the pictures, from all over the set, whose order may be that of the classes."""
    return read_rows(images, torch.linspace(0, len(images) - 1, min(count, len(images))).long())


def _noise(classifier: Classifier) -> torch.Tensor:
    shape = (speeds.BATCHES[-1], *classifier.image_shape)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def _tested(checkpoint: Path, pictures: str | None) -> results.Result | None:
    """The newest test of the checkpoint, on the pictures with this hash if one is given."""
    folder = checkpoints.run_folder(checkpoint)
    for path in reversed(results.results_in(folder, "test") if folder else []):
        try:
            result = results.read(path)
        except UserError as error:
            warn(str(error))
            continue
        if result.figures["checkpoint"] == checkpoint.name and pictures in (
            None,
            result.figures.get("pictures_sha256"),
        ):
            return result
    return None


def _write(path: Path, content: bytes, described: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(described) as aside_card, written_aside(path) as aside:
            aside.write_bytes(content)
            aside_card.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {reason(error)}. --output FILE names another place.") from error


def _tell(facts: Facts, described: Path) -> None:
    if facts.format == "safetensors":
        say("checked    the weights are the checkpoint's, bit for bit")
    elif facts.parity is None:
        say("unchecked  it was not compared with the checkpoint (--check none)")
    else:
        parity = facts.parity
        say(
            f"checked    {parity.pictures:,} test pictures: {parity.agreement:.2%} get the same class, probabilities "
            f"differ by at most {parity.difference:.2g}; accuracy {parity.acc:.4f}, the checkpoint's "
            f"{parity.checkpoint_acc:.4f}"
        )
    for one in facts.speed:
        say(
            f"speed      batch {one.batch}: {one.exported:,.0f} pictures/s, {one.ratio:.2f} times the checkpoint's "
            f"in PyTorch, {one.checkpoint:,.0f}"
        )
    size = facts.path.stat().st_size / 2**20
    say(f"exported   {short(facts.path.absolute())}, {size:.1f} MiB; its card: {described.name}")
