"""Token rate: integers per second, over all streams.

Source: definition; sum of tokens over sum of seconds of the corpus. What a language model over
these codes has to predict.

Misleads: a token of 2 bits counts like one of 16; see `bitrate`.

Deviations: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from metrics._base import Metric, Rows, Unscorable, loader
from metrics._codes import Streams, checked_streams


@dataclass(frozen=True)
class TokenRate(Metric):
    """Tokens of all streams over seconds of output; ``frames=True``: of the longest stream."""

    name: ClassVar[str] = "token_rate"
    unit: ClassVar[str] = "Hz"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "neither"
    source: ClassVar[str] = "definition"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 1
    frames: bool = False

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term."""
        return "Frame rate" if self.frames else "Token rate"

    def statistic(  # type: ignore[override]
        self, streams: Streams, alphabets: Sequence[int] | None, seconds: float
    ) -> Rows:
        """Return ``[tokens, seconds]``.

        Raises:
            ValueError: as `metrics._codes.checked_streams`.
            Unscorable: no codes, or no audio.
        """
        sizes = [symbols.size for symbols, _ in checked_streams(streams, alphabets)]
        if not seconds > 0:
            msg = "the output has no samples"
            raise Unscorable(msg, blame="estimate")
        return np.array([max(sizes) if self.frames else sum(sizes), seconds], dtype=np.float64)

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the sum of tokens over the sum of seconds, Hz."""
        return totals[..., 0] / totals[..., 1]


load = loader(TokenRate)
