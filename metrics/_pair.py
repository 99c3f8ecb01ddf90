"""What every metric of an output and its reference does first: check the pair, and shift it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from metrics._base import Unscorable

Signal = NDArray[np.float64]
#: -160 dB of full scale, below the last bit of 24: what stays within it carries no sound.
SILENT = 1e-8


def checked(
    estimate: NDArray[np.floating], reference: NDArray[np.floating], *, equal: bool = True
) -> tuple[Signal, Signal]:
    """Return both signals as float64, shape ``(T,)``.

    Args:
        estimate: system output, shape ``(T,)``.
        reference: recording it should match, shape ``(T,)``.
        equal: both have to be of one length.

    Raises:
        ValueError: a signal is not one-dimensional, or the lengths differ where they may not.
        Unscorable: a signal is empty, not finite, or silent (constant to 1e-8); the reference is
            blamed first.
    """
    estimate, reference = np.asarray(estimate), np.asarray(reference)
    if estimate.ndim != 1 or reference.ndim != 1 or (equal and estimate.size != reference.size):
        msg = (
            f"need two mono signals of one length, shape (T,), got estimate {estimate.shape} and "
            f"reference {reference.shape}; were they mixed down and cut to one length?"
        )
        raise ValueError(msg)
    second = _usable(reference, "reference")
    return _usable(estimate, "estimate"), second


def shifted(estimate: Signal, reference: Signal, delay: int) -> tuple[Signal, Signal]:
    """Return the parts that overlap once `estimate` is moved `delay` samples earlier.

    Raises:
        Unscorable: nothing overlaps.
    """
    count = min(estimate.size - max(delay, 0), reference.size + min(delay, 0))
    if count <= 0:
        msg = f"a delay of {delay} samples leaves nothing of {reference.size} samples to compare"
        raise Unscorable(msg)
    start, other = max(delay, 0), max(-delay, 0)
    return estimate[start : start + count], reference[other : other + count]


def _usable(signal: NDArray[np.floating], blame: Literal["estimate", "reference"]) -> Signal:
    if not signal.size:
        msg = f"the {blame} is empty"
        raise Unscorable(msg, blame=blame)
    usable: Signal = np.asarray(signal, dtype=np.float64)
    if not np.isfinite(usable).all():
        msg = f"the {blame} has samples that are not finite"
        raise Unscorable(msg, blame=blame)
    if usable.max() - usable.min() < SILENT:
        msg = f"the {blame} is silent: its samples differ by less than {SILENT:g}"
        raise Unscorable(msg, blame=blame)
    return usable
