"""Ranges that arguments of several augmentations share, checked in one way."""

from plcnn.errors import wrong_value


def check_probability(key: str, probability: float) -> None:
    """Refuse a probability outside [0, 1].

    Raises:
        UserError: with the key and the value.
    """
    if not 0 <= probability <= 1:
        raise wrong_value(key, probability, "a probability, 0 to 1", 0.5)
