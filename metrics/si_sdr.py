"""Scale-invariant signal-to-distortion ratio (SI-SDR).

Source: Le Roux, Wisdom, Erdogan and Hershey, "SDR - half-baked or well done?", ICASSP 2019,
arXiv:1811.02508, whose signals have no mean.

Misleads: a shift in phase or delay counts as distortion, so vocoders and generative codecs are
under-rated, and 8 samples of delay cost 13 dB (``align=True`` takes the system's delay out).
Undefined for text-to-speech. Some published codec tables kept the mean: ``zero_mean=False``.

Deviations: a perfect copy is infinite in the source; here the ratio ends at `cap` dB on both sides,
100 dB unless chosen otherwise, and the signature says so. An output with nothing of the reference
in it, minus infinity in the source, therefore counts -100 dB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics._base import Metric, Rows, loader
from metrics._pair import Signal, checked, shifted


def si_sdr(
    estimate: NDArray[np.floating],
    reference: NDArray[np.floating],
    *,
    zero_mean: bool = True,
    cap: float = 100.0,
) -> float:
    """Return the SI-SDR of `estimate` in dB, within ``-cap`` and ``cap`` (best: a scaled copy).

    With alpha = <e, s> / <s, s>: SI-SDR = 10 log10(|alpha s|^2 / |alpha s - e|^2).

    Args:
        estimate: system output e, shape ``(T,)``.
        reference: target s, shape ``(T,)``.
        zero_mean: take each signal's mean out first.
        cap: largest magnitude returned, dB, positive.

    Raises:
        ValueError: the shapes differ or are not ``(T,)``, or `cap` is not positive.
        Unscorable: a signal is empty, not finite, or silent (constant).
    """
    _check_cap(cap)
    estimate, reference = checked(estimate, reference)
    if zero_mean:
        estimate, reference = estimate - estimate.mean(), reference - reference.mean()
    alpha = np.dot(estimate, reference) / np.dot(reference, reference)
    target = alpha * reference
    residual = target - estimate
    with np.errstate(divide="ignore"):
        ratio = 10 * (np.log10(np.dot(target, target)) - np.log10(np.dot(residual, residual)))
    return float(np.clip(ratio, -cap, cap))


def _check_cap(cap: float) -> None:
    if not cap > 0:
        msg = f"cap must be positive, in dB, got {cap}"
        raise ValueError(msg)


@dataclass(frozen=True)
class SiSdr(Metric):
    """SI-SDR, averaged over utterances in dB; no worst value: the scale has no bottom."""

    name: ClassVar[str] = "si_sdr"
    unit: ClassVar[str] = "dB"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "arXiv:1811.02508"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 2
    zero_mean: bool = True
    align: bool = False
    cap: float = 100.0

    def __post_init__(self) -> None:
        _check_cap(self.cap)

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term, which says where the delay was taken out or the mean left in."""
        notes = ["aligned"] * self.align + ["mean kept"] * (not self.zero_mean)
        return "SI-SDR" + (f" ({', '.join(notes)})" if notes else "")

    @property
    def needs(self) -> tuple[str, ...]:
        """The inputs; the delay only where it is used."""
        return tuple(name for name in super().needs if name != "delay" or self.align)

    def statistic(  # type: ignore[override]
        self, estimate: Signal, reference: Signal, delay: int = 0
    ) -> Rows:
        """Return ``[si_sdr]``."""
        if self.align:
            estimate, reference = shifted(estimate, reference, delay)
        return np.array([si_sdr(estimate, reference, zero_mean=self.zero_mean, cap=self.cap)])


load = loader(SiSdr)
