"""What the architectures that wrap another library's models share: a model's name and failures, in words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from plcnn.errors import UserError
from plcnn.suggestions import did_you_mean, near

SIZE_WAY_OUT = "choose another model, or another picture size: --data.image_size 224 fits nearly all"
"""What helps where a model does not fit the pictures' size."""


def check_name(library: str, model: str, known: Sequence[str]) -> None:
    """Refuse a model that the library does not have.

    Raises:
        UserError: with the nearest names.
    """
    if model not in known:
        hint = did_you_mean(model, near(model, known) or [*known[:5], "..."])  # timm knows over a thousand
        raise UserError(f"model: {library} has no {model!r}. {hint}", exit_code=2)


@contextmanager
def failures_in_words(what: str, way_out: str) -> Iterator[None]:
    """Turn what a library raises into a `UserError`: what cannot be done, what the library said, the way out.

    Libraries refuse sizes with assertions, shape errors and divisions by zero, often without a word of their own.
    """
    try:
        yield
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        raise UserError(f"{what} ({said}); {way_out}.", exit_code=2) from error
