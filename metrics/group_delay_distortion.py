"""Group-delay distortion (GDD): how far each partial arrives from where it should.

Source: our definition; EuleroDec, which reports a GDD, does not publish its own, so the figures of
its table cannot be compared with these. Hann frames of 32 ms every 8 ms, X and Y the spectra of
reference and output, transform of N samples (twice the frame), neighbouring bins k and k + 1:

    d(k) = -arg(Y(k+1) Y(k)* X(k+1)* X(k)) N / (2 pi rate)

is the difference of their group delays, within half of the transform (32 ms). GDD is the mean of
the magnitude of d over bins and frames, weighted by that of X(k) X(k+1), in ms.

Misleads: a constant delay counts in full, though nobody hears it; additive noise makes phase, and
so GDD, random where the reference is weak (the weights keep that small). Blind to magnitude.

Deviations: none; there is no published one to deviate from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics._base import Metric, Rows, loader
from metrics._pair import Signal, checked
from metrics._spectrum import stft
from metrics.lsd import frame_size


def group_delay_distortion(
    estimate: NDArray[np.floating], reference: NDArray[np.floating], *, sample_rate: int
) -> float:
    """Return the weighted mean difference of group delays in ms; 0 is a copy up to magnitude.

    Args:
        estimate: system output, shape ``(T,)``.
        reference: recording it should match, shape ``(T,)``.
        sample_rate: of both, Hz.

    Raises:
        ValueError: the shapes differ or are not ``(T,)``, or the rate is below 125 Hz.
        Unscorable: a signal is empty, not finite, silent, or shorter than a frame (32 ms).
    """
    estimate, reference = checked(estimate, reference)
    size = frame_size(sample_rate)
    y, x = (stft(s, size, size // 4, fft=2 * size) for s in (estimate, reference))
    steps = [s[:, 1:] * s[:, :-1].conj() for s in (y, x)]
    delay = np.abs(np.angle(steps[0] * steps[1].conj())) * (2 * size) / (2 * np.pi * sample_rate)
    weight = np.abs(steps[1])
    return float(1000 * (delay * weight).sum() / weight.sum())


@dataclass(frozen=True)
class GroupDelayDistortion(Metric):
    """GDD at the reference's rate, averaged over utterances in ms."""

    name: ClassVar[str] = "group_delay_distortion"
    title: ClassVar[str] = "GDD"
    unit: ClassVar[str] = "ms"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "definition"
    revision: ClassVar[int] = 1

    def statistic(  # type: ignore[override]
        self, estimate: Signal, reference: Signal, sample_rate: int
    ) -> Rows:
        """Return ``[group_delay_distortion]``."""
        return np.array([group_delay_distortion(estimate, reference, sample_rate=sample_rate)])


load = loader(GroupDelayDistortion)
