"""Mean and standard deviation over runs."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """Values of several runs.

    Attributes:
        mean: of them.
        deviation: the standard deviation, with n - 1 in the denominator; none of one value.
        runs: how many.
    """

    mean: float
    deviation: float | None
    runs: int

    def as_text(self, digits: int) -> str:
        """Mean ± standard deviation."""
        if self.deviation is None:
            return f"{self.mean:.{digits}f}"
        return f"{self.mean:.{digits}f} ± {self.deviation:.{digits}f}"


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and standard deviation; none of no values."""
    if not values:
        return None
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))
