"""Log-spectral distance (LSD) between short-time power spectra.

Source: Gray and Markel, "Distance measures for speech processing", IEEE TASSP 24(5), 1976, as used
for bandwidth extension and codecs. Here: Hann frames of 32 ms every 8 ms, all bins to half the
rate, 10 log10 of power, root mean square over bins, mean over frames, in dB. Both spectra end at a
floor 100 dB below the reference's loudest bin.

Misleads: every bin counts alike, so bins that nobody hears (above the band of the recording, in
pauses) decide the value; level differences count in full; phase does not.

Deviations: many papers print the same quantity in units of log10 of power (a tenth of it, without
the floor) and with a transform of 2048; compare only what was measured alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics._base import Metric, Rows, loader
from metrics._pair import Signal, checked
from metrics._spectrum import stft

SIZE = 0.032  # s
FLOOR = 1e-10  # of the reference's loudest power


def lsd(
    estimate: NDArray[np.floating], reference: NDArray[np.floating], *, sample_rate: int
) -> float:
    """Return the log-spectral distance in dB; 0 is a copy up to phase.

    Args:
        estimate: system output, shape ``(T,)``.
        reference: recording it should match, shape ``(T,)``.
        sample_rate: of both, Hz.

    Raises:
        ValueError: the shapes differ or are not ``(T,)``, or the rate is not positive.
        Unscorable: a signal is empty, not finite, silent, or shorter than a frame (32 ms).
    """
    estimate, reference = checked(estimate, reference)
    size = frame_size(sample_rate)
    first, second = (np.square(np.abs(stft(s, size, size // 4))) for s in (estimate, reference))
    floor = FLOOR * second.max()
    gap = 10 * np.log10(np.maximum(first, floor) / np.maximum(second, floor))
    return float(np.sqrt(np.square(gap).mean(axis=1)).mean())


def frame_size(sample_rate: int) -> int:
    """Return 32 ms in samples.

    Raises:
        ValueError: the rate is below 125 Hz, which leaves no frame.
    """
    if sample_rate < 125:
        msg = f"sample_rate must be at least 125 Hz, got {sample_rate}"
        raise ValueError(msg)
    return round(SIZE * sample_rate)


@dataclass(frozen=True)
class Lsd(Metric):
    """LSD at the reference's rate, averaged over utterances in dB."""

    name: ClassVar[str] = "lsd"
    title: ClassVar[str] = "LSD"
    unit: ClassVar[str] = "dB"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "Gray and Markel 1976; 32 ms, floor -100 dB"
    revision: ClassVar[int] = 1

    def statistic(  # type: ignore[override]
        self, estimate: Signal, reference: Signal, sample_rate: int
    ) -> Rows:
        """Return ``[lsd]``."""
        return np.array([lsd(estimate, reference, sample_rate=sample_rate)])


load = loader(Lsd)
