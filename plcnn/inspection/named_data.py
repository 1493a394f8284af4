"""What `plcnn check DATA` means by DATA: a data set by its name, a run, a folder, or a file."""

from pathlib import Path

from plcnn.data.own.root import SOURCES
from plcnn.data.sources import sources
from plcnn.data.sources.huggingface import SAVED
from plcnn.errors import UserError
from plcnn.files import reason
from plcnn.paths import expanded, nearby
from plcnn.run import newest_config
from plcnn.suggestions import did_you_mean
from plcnn.terminal import printable, remark


def flags(data: str) -> list[str]:
    """The options of `fit` for what was typed.

    Args:
        data: the name of a source; else a run folder, a folder of pictures, or a file with a table or arrays. A folder
            that is called like a source is meant by ./NAME.

    Raises:
        UserError: if it is none of these; it names what was probably meant.
    """
    if data in sources.names():
        if expanded(data).is_dir():
            remark(f"{data} is the data set of this name; the folder is ./{data}")
        return ["--data.source", data]
    path = expanded(data)
    if path.is_dir():
        try:
            if config := newest_config(path):
                return ["--config", str(config)]
            source = "huggingface" if any((path / name).is_file() for name in SAVED) else "folder"
        except OSError as error:
            raise UserError(f"cannot read {printable(data)}: {reason(error)}.") from error
        return ["--data.source", source, "--data.root", data]
    if path.suffix.lower() in SOURCES and path.is_file():
        return ["--data.source", SOURCES[path.suffix.lower()], "--data.root", data]
    raise UserError(_what_is_wrong(data, path), exit_code=2)


def _what_is_wrong(data: str, path: Path) -> str:
    shown = printable(data)
    if path.suffix.lower() in (".yaml", ".yml"):
        return f"{shown} is a config: plcnn check --config {shown}"
    if path.exists():
        return f"{shown}: expected a folder of pictures, or a file ending in {', '.join(SOURCES)}."
    hint = printable(nearby(path)) or did_you_mean(data, sources.names(), "`plcnn datasets` lists the names.")
    return f"{shown}: there is no such folder, file or data set. {hint}"
