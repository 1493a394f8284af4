"""The file or folder that --data.root names, where it holds pictures of one's own."""

from pathlib import Path

from plcnn.errors import UserError
from plcnn.paths import expanded, nearby
from plcnn.terminal import printable

SOURCES = {
    **dict.fromkeys((".csv", ".tsv", ".parquet"), "table"),
    **dict.fromkeys((".npy", ".npz"), "numpy"),
}
"""The source that reads files of a suffix."""

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def own_root(root: str, wanted: str, kind: str) -> Path:
    """The path that --data.root names.

    Args:
        root: as it was typed.
        wanted: what it is to name, in words.
        kind: "folder" or "file", or "" for either.

    Raises:
        UserError: if there is no such thing, or one of the other kind; with what was probably meant.
    """
    path = expanded(root)
    shown = printable(path)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:  # pathlib raises where it may not look
        raise UserError(f"--data.root {shown}: {error.strerror}. Name {wanted}.", exit_code=2) from error
    if not is_there:
        hint = printable(nearby(path)) or f"Name {wanted}."
        raise UserError(f"--data.root {shown}: there is no such file or folder. {hint}", exit_code=2)
    if kind == "file" and is_folder:
        raise UserError(f"--data.root {shown} is a folder. Name {wanted}; folders: --data.source folder", exit_code=2)
    if kind == "folder" and not is_folder:
        suffix = path.suffix.lower()
        hint = f"--data.source {SOURCES[suffix]} reads it." if suffix in SOURCES else f"Name {wanted}."
        hint = f"Unpack it, and name {wanted}." if suffix in ARCHIVES else hint
        raise UserError(f"--data.root {shown} is a file. {hint}", exit_code=2)
    return path
