"""Measured bitrate: bits that the codec emitted, over the seconds of audio they became.

Source: definition; 1 kbps is 1000 bit/s. Bits are counted from the integer streams and the sizes of
their alphabets (or the packets of a classical codec), never taken from a declaration.

Misleads: fixed-length codes are counted; entropy coding would need less. Side information that
never enters the streams (a speaker vector sent once) is not seen.

Deviations: none. Sum of bits over sum of seconds of the corpus, not a mean of rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics._base import Metric, Rows, Unscorable, loader


def bitrate(bits: float | None, seconds: float) -> Rows:
    """Return ``[bits, seconds]``, whose sums' ratio is the rate in bit/s.

    Raises:
        ValueError: negative bits or seconds.
        Unscorable: the system emits no codes, or there is no audio.
    """
    if bits is None:
        msg = "the system emits no codes"
        raise Unscorable(msg)
    if bits < 0 or seconds < 0:
        msg = f"bits and seconds cannot be negative, got {bits} and {seconds}"
        raise ValueError(msg)
    if seconds == 0:
        msg = "the output has no samples"
        raise Unscorable(msg, blame="estimate")
    return np.array([bits, seconds], dtype=np.float64)


@dataclass(frozen=True)
class Bitrate(Metric):
    """Bits over seconds of the whole corpus."""

    name: ClassVar[str] = "bitrate"
    title: ClassVar[str] = "Bitrate"
    unit: ClassVar[str] = "kbps"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "neither"
    source: ClassVar[str] = "definition"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 2

    def statistic(self, bits: float | None, seconds: float) -> Rows:  # type: ignore[override]
        """Return ``[bits, seconds]``."""
        return bitrate(bits, seconds)

    def pool(self, totals: Rows, n: Rows) -> NDArray[np.float64]:
        """Return the sum of bits over the sum of seconds, kbps."""
        return totals[..., 0] / totals[..., 1] / 1000


load = loader(Bitrate)
