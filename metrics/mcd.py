"""Mel-cepstral distortion (MCD), frame by frame or along a dynamic time warping path.

Source: Kubichek, "Mel-cepstral distance measure for objective speech quality assessment", 1993,
in the form in common use: (10 / ln 10) sqrt(2 sum_m (c_m - c'_m)^2) over c_1 ... c_24, without
c_0 (level). There is no standard for the cepstrum itself, so figures of different papers cannot be
compared. The one here, at 16 kHz: Hann frames of 25 ms every 5 ms, transform of 1024, 40 mel
bands of power (Slaney's scale, 0 to 8 kHz, see `metrics._spectrum.mel_bank`), floor 80 dB below
the recording's loudest band, half the natural logarithm (amplitude), and
c_m = (1/40) sum_k ln A_k cos(pi m (k + 1/2) / 40): with all coefficients the formula is the root
mean square difference of the level-free mel spectra in dB.

Misleads: an envelope distance; blind to pitch and phase, and smooth, averaged speech does well.
Silence counts like speech. With ``dtw=True`` it is blind to rhythm too.

Deviations: from the WORLD and SPTK chain (``mcep``, order 24, alpha 0.42) in the spectrum it
starts from, so values differ. The warping takes steps (1, 1), (1, 0), (0, 1) of one
weight, from end to end, and the mean is over the steps of the path; its time grows with the
product of both durations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics._base import Metric, Rows, loader
from metrics._pair import Signal, checked
from metrics._spectrum import mel_bank, stft

RATE = 16_000  # Hz
SIZE, HOP, FFT = 400, 80, 1024  # samples
BANDS, ORDER = 40, 24
FLOOR = 1e-8  # of the loudest band's power
SCALE = 10 / np.log(10) * np.sqrt(2)  # dB


def mcd(
    estimate: NDArray[np.floating], reference: NDArray[np.floating], *, dtw: bool = False
) -> float:
    """Return the mel-cepstral distortion in dB; 0 is a copy up to gain.

    Args:
        estimate: system output at 16 kHz, shape ``(T,)``.
        reference: recording it should match, shape ``(T,)``, or ``(S,)`` with `dtw`.
        dtw: compare along the cheapest warping path instead of frame by frame.

    Raises:
        ValueError: a signal is not ``(T,)``, or the lengths differ without `dtw`.
        Unscorable: a signal is empty, not finite, silent, or shorter than a frame (25 ms).
    """
    estimate, reference = checked(estimate, reference, equal=not dtw)
    first, second = cepstrum(estimate), cepstrum(reference)
    if dtw:
        return SCALE * warped_distance(first, second)
    return SCALE * float(np.sqrt(np.square(first - second).sum(axis=1)).mean())


def cepstrum(signal: Signal) -> Signal:
    """Return c_1 ... c_24 of each frame, shape ``(frames, 24)``."""
    power = np.square(np.abs(stft(signal, SIZE, HOP, fft=FFT))) @ mel_bank(RATE, FFT, BANDS)
    log = 0.5 * np.log(np.maximum(power, FLOOR * power.max()))
    order, band = np.arange(1, ORDER + 1), np.arange(BANDS)[:, None]
    return log @ (np.cos(np.pi * order * (band + 0.5) / BANDS) / BANDS)


def warped_distance(first: Signal, second: Signal) -> float:
    """Return the mean Euclidean distance along the cheapest path from (0, 0) to the far ends.

    Walks the anti-diagonals i + j = d. Each cell carries its path's cost and number of steps, so
    memory grows with the shorter duration only. Of equal costs, the diagonal step wins.
    """
    if len(first) > len(second):
        first, second = second, first
    n, m = len(first), len(second)
    # Cell i of a row holds (i, d - i); a border of infinite cost stands at index 0.
    cost = np.full((3, n + 1), np.inf)
    steps = np.zeros((3, n + 1))
    for d in range(n + m - 1):
        low, high = max(0, d - m + 1), min(n - 1, d) + 1
        difference = first[low:high] - second[d - high + 1 : d - low + 1][::-1]
        here = np.sqrt(np.einsum("nk,nk->n", difference, difference))
        now, last, before = d % 3, (d - 1) % 3, (d - 2) % 3
        if d == 0:
            best, count = np.zeros(1), np.zeros(1)
        else:
            best, count = cost[before, low:high].copy(), steps[before, low:high].copy()
            for shift in (0, 1):  # from (i - 1, j), then from (i, j - 1)
                other = cost[last, low + shift : high + shift]
                better = other < best
                best[better] = other[better]
                count[better] = steps[last, low + shift : high + shift][better]
        cost[now] = np.inf
        cost[now, low + 1 : high + 1] = best + here
        steps[now, low + 1 : high + 1] = count + 1
    end = (n + m - 2) % 3
    return float(cost[end, n] / steps[end, n])


@dataclass(frozen=True)
class Mcd(Metric):
    """MCD at 16 kHz, averaged over utterances in dB."""

    name: ClassVar[str] = "mcd"
    unit: ClassVar[str] = "dB"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "Kubichek 1993; 40 mel bands, c1 to c24"
    revision: ClassVar[int] = 1
    sample_rate: ClassVar[int | None] = RATE
    dtw: bool = False

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term."""
        return "MCD-DTW" if self.dtw else "MCD"

    @property
    def aligned(self) -> bool:  # type: ignore[override]
        """Durations have to agree, except where time is warped."""
        return not self.dtw

    def statistic(self, estimate: Signal, reference: Signal) -> Rows:  # type: ignore[override]
        """Return ``[mcd]``."""
        return np.array([mcd(estimate, reference, dtw=self.dtw)])


load = loader(Mcd)
