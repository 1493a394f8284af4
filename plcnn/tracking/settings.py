"""A run's settings as a flat list of names and plain values, as HPARAMS and other trackers compare them."""

from typing import Any

from lightning.pytorch import Trainer

from plcnn.callbacks.ema import EMA
from plcnn.callbacks.lookahead import Lookahead

TRAINER = ("max_epochs", "precision", "accumulate_grad_batches", "gradient_clip_val", "world_size")
"""What of the trainer decides the result."""

UNINTERESTING = ("classes", "image_shape", "plugins", "root", "keep", "workers")
"""What the data determines, or decides speed alone."""


def settings(trainer: Trainer) -> dict[str, Any]:
    """What was set for a run, less what the data determines."""
    averages = {type(c).__name__.lower(): True for c in trainer.callbacks if isinstance(c, EMA | Lookahead)}
    return {
        "seed": trainer.datamodule.seed,
        **_flat(_interesting(trainer.lightning_module.hparams)),
        **_flat(_interesting(trainer.datamodule.hparams), "data."),
        **_flat({key: getattr(trainer, key) for key in TRAINER}, "trainer."),
        **_flat({"ema": False, "lookahead": False, **averages}),
    }


def _interesting(hparams: Any) -> dict[str, Any]:
    return {key: value for key, value in hparams.items() if key not in UNINTERESTING}


def _flat(hparams: Any, prefix: str = "") -> dict[str, Any]:
    """Hyper-parameters as scalars and strings: a choice `arch` becomes `arch` and `arch.ARG`."""
    flat: dict[str, Any] = {}
    for key, value in hparams.items():
        if isinstance(value, dict) and "class_path" in value:
            flat[prefix + key] = value["class_path"]
            flat |= _flat(value["init_args"], f"{prefix}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            flat[prefix + key] = ", ".join(_written(choice) for choice in value)
        else:
            # torch writes a bool as a number, and TensorBoard then shows 1.0000
            flat[prefix + key] = value if type(value) in (int, float) else str(value)
    return flat


def _written(choice: dict[str, Any]) -> str:
    """A choice of a list in one string, as pad_crop(padding=4, fill='reflect')."""
    return f"{choice['class_path']}({', '.join(f'{k}={v!r}' for k, v in choice['init_args'].items())})"
