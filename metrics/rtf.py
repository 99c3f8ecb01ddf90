"""Real-time factor (RTF): seconds of work for one second of output.

Source: definition. Sum of wall time over sum of *output* duration of the corpus; with
``percentile=90`` the percentile of the utterances' own factors.

Misleads: only comparable within one machine, thread count, batch size and precision. An output
padded with silence lowers it. Says nothing of latency: a system may be fast and start late.

Deviations: none. Times read from a cache are not times: those utterances are `Unscorable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from metrics._base import Metric, Rows, Unscorable, loader

CACHED = "output came from a cache: not timed"


def rtf(wall_seconds: float | None, seconds: float) -> Rows:
    """Return ``[wall seconds, output seconds]``, whose sums' ratio is the factor.

    Raises:
        ValueError: a negative time.
        Unscorable: the output came from a cache, or has no samples.
    """
    if wall_seconds is None:
        raise Unscorable(CACHED)
    if wall_seconds < 0 or seconds < 0:
        msg = f"times cannot be negative, got {wall_seconds} s and {seconds} s"
        raise ValueError(msg)
    if seconds == 0:
        msg = "the output has no samples"
        raise Unscorable(msg, blame="estimate")
    return np.array([wall_seconds, seconds], dtype=np.float64)


def check_percentile(percentile: float) -> None:
    """Raise ValueError where `percentile` is not within 0 and 100."""
    if not 0 <= percentile <= 100:
        msg = f"percentile must lie within 0 and 100, got {percentile}"
        raise ValueError(msg)


@dataclass(frozen=True)
class Rtf(Metric):
    """Ratio of totals, or a percentile over utterances where one is asked for."""

    name: ClassVar[str] = "rtf"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "definition"
    revision: ClassVar[int] = 1
    timed: ClassVar[bool] = True
    percentile: float | None = None

    def __post_init__(self) -> None:
        if self.percentile is not None:
            check_percentile(self.percentile)

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term, with the percentile."""
        return "RTF" if self.percentile is None else f"RTF p{self.percentile:g}"

    @property
    def additive(self) -> bool:
        """A ratio of sums is; a percentile is not."""
        return self.percentile is None

    def statistic(  # type: ignore[override]
        self, wall_seconds: float | None, seconds: float
    ) -> Rows:
        """Return ``[wall seconds, output seconds]``."""
        return rtf(wall_seconds, seconds)

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the sum of wall time over the sum of output time."""
        return totals[..., 0] / totals[..., 1]

    def value(self, rows: Rows) -> float:
        """Return the ratio of totals, or the percentile of the ratios."""
        if self.percentile is None:
            return super().value(rows)
        return float(np.percentile(rows[:, 0] / rows[:, 1], self.percentile))


load = loader(Rtf)
