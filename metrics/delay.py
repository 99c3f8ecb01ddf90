"""Delay of a system's outputs behind their references, in ms.

Source: Knapp and Carter, "The generalized correlation method for estimation of time delay", IEEE
TASSP 24(4), 1976, with phase transform: the lag where the whitened cross-correlation is largest in
magnitude (a system may turn the sign), within `max_ms`.

Misleads: one file may lock onto a pitch period or, for an output that shares no fine structure
with the reference, onto anything; so the value is the median over the data set, and
``spread=True`` gives the distance between its quartiles: large means that there is no one delay.
The aligned variants of other metrics use the median, one for the system, never one per file.

Deviations: whole samples at the reference's rate, no interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics._base import Metric, Rows, Unscorable, loader
from metrics._pair import Signal, checked


def delay(estimate: NDArray[np.floating], reference: NDArray[np.floating], *, longest: int) -> int:
    """Return by how many samples `estimate` lags behind `reference`; negative where it leads.

    Args:
        estimate: system output, shape ``(T,)``.
        reference: recording it should match, shape ``(S,)``.
        longest: largest delay looked for, samples, at least 1.

    Raises:
        ValueError: a signal is not one-dimensional, or `longest` is below 1.
        Unscorable: a signal is empty, not finite, silent, or not longer than `longest`.
    """
    if longest < 1:
        msg = f"longest must be at least 1 sample, got {longest}"
        raise ValueError(msg)
    estimate, reference = checked(estimate, reference, equal=False)
    for signal, blame in ((reference, "reference"), (estimate, "estimate")):
        if signal.size <= longest:
            msg = f"too short: the {blame} has {signal.size} samples, delays go to {longest}"
            raise Unscorable(msg)
    fft = 1 << (max(estimate.size, reference.size) + longest).bit_length()
    cross = np.fft.rfft(estimate, fft) * np.fft.rfft(reference, fft).conj()
    size = np.abs(cross)
    correlation = np.abs(np.fft.irfft(cross / (size + 1e-9 * size.max()), fft))
    around = np.concatenate([correlation[-longest:], correlation[: longest + 1]])
    return int(around.argmax()) - longest


@dataclass(frozen=True)
class Delay(Metric):
    """Median delay over utterances in ms, or the spread between its quartiles."""

    name: ClassVar[str] = "delay"
    unit: ClassVar[str] = "ms"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "neither"
    source: ClassVar[str] = "Knapp and Carter 1976"
    revision: ClassVar[int] = 1
    aligned: ClassVar[bool] = False
    digits: ClassVar[int] = 2
    spread: bool = False
    max_ms: float = 250.0

    def __post_init__(self) -> None:
        if not self.max_ms > 0:
            msg = f"max_ms must be positive, got {self.max_ms}"
            raise ValueError(msg)

    @property
    def title(self) -> str:  # type: ignore[override]
        """What it is, and which of the two."""
        return "Delay IQR" if self.spread else "Delay"

    def statistic(  # type: ignore[override]
        self, estimate: Signal, reference: Signal, sample_rate: int
    ) -> Rows:
        """Return ``[delay in ms]``."""
        longest = max(1, round(self.max_ms / 1000 * sample_rate))
        return np.array([delay(estimate, reference, longest=longest) / sample_rate * 1000])

    def value(self, rows: Rows) -> float:
        """Return the median, or the distance between the quartiles, ms."""
        if self.spread:
            low, high = np.percentile(rows[:, 0], [25, 75])
            return float(high - low)
        return float(np.median(rows[:, 0]))


load = loader(Delay)
