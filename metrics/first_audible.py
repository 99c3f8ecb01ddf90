"""First-packet latency to the first *audible* sample, in s.

Source: definition; SyncSpeech calls the time to the first packet FPL-A where the whole text is
there at once and FPL-L where a language model streams it. The run decides which of them this is.

Misleads: only comparable within one machine. A first packet of silence does not count as heard, so
the value may exceed that of systems measured to the first packet of any content.

Deviations: median (`percentile` 50) over utterances, where papers print a mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from metrics._base import Metric, Rows, Unscorable, loader
from metrics.rtf import CACHED, check_percentile


@dataclass(frozen=True)
class FirstAudible(Metric):
    """Percentile over utterances of the time until something can be heard."""

    name: ClassVar[str] = "first_audible"
    unit: ClassVar[str] = "s"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "definition; FPL of SyncSpeech"
    revision: ClassVar[int] = 1
    timed: ClassVar[bool] = True
    percentile: float = 50

    def __post_init__(self) -> None:
        check_percentile(self.percentile)

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term, with the percentile."""
        return f"FPL p{self.percentile:g}"

    def statistic(  # type: ignore[override]
        self, first_audible_seconds: float | None, wall_seconds: float | None
    ) -> Rows:
        """Return ``[seconds]``.

        Raises:
            ValueError: a negative time.
            Unscorable: the output came from a cache, or nothing in it can be heard.
        """
        if first_audible_seconds is None:
            if wall_seconds is None:
                raise Unscorable(CACHED)
            msg = "nothing audible came out"
            raise Unscorable(msg, blame="estimate")
        if first_audible_seconds < 0:
            msg = f"a time cannot be negative, got {first_audible_seconds} s"
            raise ValueError(msg)
        return np.array([first_audible_seconds], dtype=np.float64)

    def value(self, rows: Rows) -> float:
        """Return the percentile, s."""
        return float(np.percentile(rows[:, 0], self.percentile))


load = loader(FirstAudible)
