"""The loggers that `--trainer.logger` names: where MLflow's lies, and in words why one cannot be built."""

import os
import re
from collections.abc import Iterator
from typing import Any

MLFLOW_STORE = "sqlite:///mlflow.db"
"""Where MLflow keeps runs if nothing else was said: new versions refuse the plain files that Lightning asks for."""

NO_PACKAGE = re.compile(r"HINT: Try running `pip install -U '?([\w-]+)")
REFUSED = (
    re.compile(
        r"Problem with given class_path '(?:\w+\.)*(?P<name>\w+)':\s*(?P<why>.+?)\s*(?=\n  - |\nGiven value)", re.S
    ),
    re.compile(r"Errors:\n  - (?P<why>.+?)\s*(?=\n  - ).*class_path='(?:\w+\.)*(?P<name>\w+)'", re.S),
)
"""How jsonargparse says that a class could not be built; the second where no other type would do."""

LOGGERS = "lightning.pytorch.loggers.logger.Logger"


def give_mlflow_a_store(logger: Any) -> None:
    """Let MLflow keep runs in `MLFLOW_STORE` where neither an option nor the environment names another place.

    Args:
        logger: the trainer's setting `logger`, as parsed; it is changed in place.
    """
    for chosen in _classes(logger):
        arguments = chosen.get("init_args", {})
        if chosen["class_path"].endswith("MLFlowLogger") and not os.environ.get("MLFLOW_TRACKING_URI"):
            arguments["tracking_uri"] = arguments.get("tracking_uri") or MLFLOW_STORE


def _classes(logger: Any) -> Iterator[Any]:
    for chosen in logger if isinstance(logger, list) else [logger]:
        if hasattr(chosen, "get") and chosen.get("class_path"):
            yield chosen


def why_not_built(error: Exception) -> str | None:
    """What a person can do about a logger that cannot be built; None where the error is about something else.

    Args:
        error: jsonargparse's, whose text lists what was tried.
    """
    text = str(error)
    found = next(filter(None, (pattern.search(text) for pattern in REFUSED)), None)
    if LOGGERS not in text or found is None:
        return None
    if package := NO_PACKAGE.search(found["why"]):
        return f"--trainer.logger {found['name']} needs a package that is not installed: pip install {package.group(1)}"
    return f"--trainer.logger {found['name']}: {' '.join(found['why'].split())[:300]}"
