"""What was trained, with what and how it can be repeated: the rows of a report's tables."""

import json
from typing import Any

from plcnn.report.record import Record

Rows = list[tuple[str, str]]


def facts(record: Record) -> Rows:
    """What was trained, as names and values; what is not known is left out."""
    config, session = record.config, record.sessions[-1] if record.sessions else {}
    model, data = _dict(config.get("model")), _dict(config.get("data"))
    ended, measured = _dict(session.get("ended")), record.result.figures if record.result else {}
    augments = data.get("augment")
    rows = [
        ("architecture", in_words(model.get("arch"))),
        ("trainable parameters", f"{record.parameters:,}" if record.parameters is not None else ""),
        ("data", _data(data, _dict(session.get("data")))),
        ("augmentation", ", ".join(map(in_words, augments if isinstance(augments, list) else [augments]))),
        ("batch", f"{data['batch_size']} pictures" if "batch_size" in data else ""),
        ("optimizer", in_words(model.get("optimizer"))),
        ("schedule", in_words(model.get("schedule"))),
        ("label smoothing", in_words(model.get("label_smoothing"))),
        ("seed", in_words(config.get("seed_everything"))),
        ("training", _training(record, ended)),
        ("device", _device(_dict(session.get("device")))),
        ("versions", ", ".join(f"{name} {value}" for name, value in _dict(session.get("versions")).items())),
        ("source", _commit(_dict(_dict(session.get("git")).get("plcnn")))),
        ("started", str(session.get("started") or "")),
        ("checkpoint", str(measured.get("checkpoint", ""))),
    ]
    return [(name, value) for name, value in rows if value]


def commands(record: Record) -> list[str]:
    """The command lines with which the run was started and gone on with, as they were typed."""
    return [str(session["command"]) for session in record.sessions if session.get("command")]


def in_words(choice: Any) -> str:
    """A setting as it is said: a chosen name with its arguments, or a value.

    Args:
        choice: as a config.yaml holds it.
    """
    if isinstance(choice, dict) and "class_path" in choice:
        arguments = ", ".join(f"{key}={in_words(value)}" for key, value in _dict(choice.get("init_args")).items())
        return f"{choice['class_path']}({arguments})" if arguments else str(choice["class_path"])
    if choice is None or isinstance(choice, str):
        return choice or ""
    return json.dumps(choice, default=str)


def setting(value: Any) -> str:
    """A setting as a config.yaml says it, on one line."""
    return in_words(value) or json.dumps(value)


def duration(seconds: float) -> str:
    """A time in the two greatest of its units."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _data(settings: dict[str, Any], known: dict[str, Any]) -> str:
    parts = [in_words(settings.get("source") or known.get("source"))]
    counts = _dict(known.get("counts"))
    if counts:
        parts.append(f"{counts.get('train', 0):,} training and {counts.get('val', 0):,} validation pictures")
    if shape := known.get("image_shape"):
        parts.append(" × ".join(map(str, shape)))
    if known.get("classes"):
        parts.append(f"{known['classes']} classes")
    return ", ".join(part for part in parts if part)


def _training(record: Record, ended: dict[str, Any]) -> str:
    parts = [f"{len(record.rows)} epochs in {duration(record.seconds)}"] if record.rows else []
    if "steps" in ended:
        parts.append(f"{ended['steps']:,} steps")
    if "reason" in ended:
        parts.append(str(ended["reason"]))
    return ", ".join(parts)


def _device(device: dict[str, Any]) -> str:
    if not device:
        return ""
    names = device.get("names") or [device.get("cpu") or device.get("accelerator")]
    count, threads = device.get("world_size", 1), device.get("threads")
    parts = [f"{count} × {', '.join(map(str, dict.fromkeys(names)))}"]
    if device.get("accelerator") == "cpu" and threads:
        parts.append(f"{threads} thread{'s' if threads != 1 else ''}")
    return ", ".join([*parts, str(device.get("precision", ""))])


def _commit(git: dict[str, Any]) -> str:
    return f"commit {git['commit']}{' with changes' if git.get('dirty') else ''}" if git.get("commit") else ""
