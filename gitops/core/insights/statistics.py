"""How sure a number is: intervals that hold for few samples, too.

Each is for 95 %. Wilson's for a share, and the one by order statistics for a median, assume nothing
of the shape; the one for a count is Wilson and Hilferty's approximation of the exact (Garwood's).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, comb, sqrt
from typing import Literal

from msgspec import Struct

_Z = 1.959963984540054  # of the normal distribution, two-sided 95 %
_FEW, _ENOUGH = 5, 20

Confidence = Literal["none", "too few", "few", "enough"]


class Interval(Struct, frozen=True):
    """From where to where the true value may lie."""

    low: float
    high: float

    def apart(self, other: Interval) -> bool:
        """Say whether the two have nothing in common."""
        return self.low > other.high or self.high < other.low


class Quantiles(Struct, frozen=True):
    """What durations were like.

    Attributes:
        samples: how many there were.
        median, p90: in seconds; None without any.
        interval: of the median; None where the samples are too few for one.
    """

    samples: int
    median: float | None = None
    p90: float | None = None
    interval: Interval | None = None


def confidence(samples: int) -> Confidence:
    """Say in a word what so many samples are good for."""
    if samples == 0:
        return "none"
    if samples < _FEW:
        return "too few"
    return "few" if samples < _ENOUGH else "enough"


def share(hits: int, of: int) -> Interval | None:
    """Return Wilson's interval of a share, None of nothing."""
    if of == 0:
        return None
    rate, square = hits / of, _Z * _Z / of
    middle = (rate + square / 2) / (1 + square)
    reach = _Z / (1 + square) * sqrt(rate * (1 - rate) / of + square / (4 * of))
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach))


def counted(events: int) -> Interval:
    """Return the interval of a count of events that come by themselves."""
    low = events * (1 - 1 / (9 * events) - _Z / (3 * sqrt(events))) ** 3 if events else 0.0
    more = events + 1
    high = more * (1 - 1 / (9 * more) + _Z / (3 * sqrt(more))) ** 3
    return Interval(max(low, 0.0), high)


def quantiles(durations: Sequence[float]) -> Quantiles:
    """Return median, 90th percentile and the interval of the median."""
    found = sorted(durations)
    size = len(found)
    if not found:
        return Quantiles(0)
    median = (found[(size - 1) // 2] + found[size // 2]) / 2
    p90 = found[max(ceil(size * 0.9) - 1, 0)]
    return Quantiles(size, median, p90, _of_median(found))


def _of_median(found: Sequence[float]) -> Interval | None:
    """Return the narrowest pair of samples that has the median between them in 95 of 100 cases."""
    size = len(found)
    if size > 1000:  # the normal approximation is exact enough, and the sums are not endless
        reach = ceil(_Z * sqrt(size) / 2)
        return Interval(found[size // 2 - reach], found[size // 2 + reach])
    whole, tail, rank = 2**size, 0, 0
    while rank < size // 2 and 2 * (tail + comb(size, rank)) <= 0.05 * whole:
        tail += comb(size, rank)
        rank += 1
    return Interval(found[rank - 1], found[size - rank]) if rank else None
