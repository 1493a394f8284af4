"""Ranges that arguments of several architectures share, checked in one way."""

import math

from plcnn.errors import wrong_value


def check_rate(key: str, rate: float, example: float) -> None:
    """Refuse a rate, say a dropout's, outside [0, 1).

    Raises:
        UserError: with the key, the value and an example.
    """
    if not 0 <= rate < 1:
        raise wrong_value(key, rate, "a rate from 0 up to, not including, 1", example)


def check_patch_size(patch_size: int, image_size: int) -> None:
    """Refuse a patch size that does not divide the picture's, both in pixels.

    Raises:
        UserError: with the greatest common divisor as the example.
    """
    if patch_size < 1 or image_size % patch_size:
        allowed = f"a divisor of the picture's {image_size} pixels"
        raise wrong_value("patch_size", patch_size, allowed, math.gcd(image_size, patch_size))
