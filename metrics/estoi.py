"""Extended short-time objective intelligibility (ESTOI).

Source: Jensen and Taal, "An algorithm for predicting the intelligibility of speech masked by
modulated noise maskers", IEEE/ACM TASLP 24(11), 2016; front end and figures as in `metrics.stoi`.

Misleads: as STOI, and as sensitive to delay. Suits fluctuating maskers; for codecs it falls with
any change of the spectral envelope, heard or not.

Deviations: pystoi 0.4.1 adds unseeded noise of 2.2e-16 so that a constant band has a norm, and a
silent stretch of the output gets another value at every call. Here the energy which that noise
would have is added to the norm instead (and 64 times the rounding of the band's own mean): a band
that does not move correlates with nothing and counts 0, the same at every call. On speech both
agree within 1e-6 (in fact about 1e-12). Too short or silent: `Unscorable`, as STOI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from metrics._base import loader
from metrics._pair import Signal
from metrics.stoi import EPS, Stoi, segments, third_octaves


def estoi(
    estimate: NDArray[np.floating], reference: NDArray[np.floating], *, sample_rate: int
) -> float:
    """Return ESTOI, no unit; 1 is a perfect copy (up to gain), below 0 is possible.

    Args:
        estimate: system output, shape ``(T,)``.
        reference: clean speech, shape ``(T,)``.
        sample_rate: of both, Hz.

    Raises:
        ValueError: the shapes differ or are not ``(T,)``, or the rate is not positive.
        Unscorable: a signal is empty, not finite or silent, or fewer than 30 frames (0.41 s) of
            the reference are speech.
    """
    y, x = third_octaves(estimate, reference, sample_rate=sample_rate)  # (15, M) each
    total, count = 0.0, 0
    for x_seg, y_seg in segments(x, y):  # (15, S, 30)
        total += float(np.einsum("bsn,bsn->", _normal(x_seg), _normal(y_seg)))
        count += x_seg.shape[1] * x_seg.shape[2]
    return total / count


def _normal(segment: Signal) -> Signal:
    """Return `segment` (15, S, 30) with unit norm and no mean over time, then over bands."""
    for axis, sums in ((2, "bsn,bsn->bs"), (0, "bsn,bsn->sn")):
        mean = segment.mean(axis=axis, keepdims=True)
        segment = segment - mean
        energy = np.expand_dims(np.einsum(sums, segment, segment), axis)
        segment /= np.sqrt(energy + segment.shape[axis] * EPS**2 * (1 + (64 * mean) ** 2))
    return segment


@dataclass(frozen=True)
class Estoi(Stoi):
    """ESTOI at the reference's rate; `align` takes out the system's delay first."""

    name: ClassVar[str] = "estoi"
    source: ClassVar[str] = "Jensen and Taal 2016, as in pystoi 0.4.1 without its noise"

    def _measure(self, estimate: Signal, reference: Signal, sample_rate: int) -> float:
        return estoi(estimate, reference, sample_rate=sample_rate)


load = loader(Estoi)
