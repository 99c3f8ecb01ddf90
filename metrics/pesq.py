"""Perceptual evaluation of speech quality, mapped to listening quality (PESQ-WB, PESQ-NB).

Source: ITU-T P.862 (2001), P.862.1 (2003, narrowband mapping) and P.862.2 (2005, wideband), the
ITU's own C code version 2.0 as built by the package pesq 0.0.4, *without* Corrigendum 2 (2018),
which changes wideband scores: the signature says ``corr2:no``. ``band=wb`` at 16 kHz, ``band=nb``
at 8 kHz. Ranges after mapping: up to 4.644 (WB) and 4.549 (NB), down to 0.999.

Misleads: made for telephony of its time; vocoders and generative codecs that sound natural but do
not keep the waveform's fine structure are under-rated. Blind to the level of the output, and to
constant delays up to its own alignment. Band limits count in WB only. ITU-T withdrew PESQ in favour
of P.863. Figures of packages without time alignment (torch-pesq, asem) are another metric.

Deviations: none in value: the package is called as it is. A recording that it cannot score is
`Unscorable`, never a number. The C code holds 50 utterances and writes beyond its arrays where
there are more; 19 s cannot hold that many, and a longer reference is scored only where a count of
its stretches of speech, made as P.862's level detector makes it, stays at 40 or below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics._base import Metric, Rows, Unscorable, loader
from metrics._pair import Signal, checked

RATES = {"wb": 16_000, "nb": 8_000}  # Hz
SHORTEST = 0.25  # s, the package's own limit
ALWAYS_SAFE = 19.0  # s: 50 times 0.184 s of speech and 0.204 s of pause are 19.4 s
MOST_UTTERANCES = 40  # of the 50 that the C code holds: our count skips its input filter
_TICK = 0.004  # s, step of the level detector


def pesq(
    estimate: NDArray[np.floating], reference: NDArray[np.floating], *, band: str = "wb"
) -> float:
    """Return PESQ as MOS-LQO, from 0.999 to 4.644 (``wb``) or 4.549 (``nb``, best).

    Args:
        estimate: system output, shape ``(T,)``, at 16 kHz (``wb``) or 8 kHz (``nb``).
        reference: recording it should match, shape ``(T,)``.
        band: ``wb`` or ``nb``.

    Raises:
        ValueError: an unknown band, or shapes that differ or are not ``(T,)``.
        Unscorable: a signal is empty, not finite, silent or shorter than 0.25 s; PESQ finds no
            utterance; the output is too faint to be levelled; the reference has so many
            utterances that the C code could write out of bounds.
    """
    _check_band(band)
    estimate, reference = checked(estimate, reference)
    rate = RATES[band]
    if reference.size <= SHORTEST * rate:
        msg = f"too short: {reference.size / rate:.3f} s, PESQ needs more than {SHORTEST} s"
        raise Unscorable(msg)
    if reference.size > ALWAYS_SAFE * rate:
        count = utterances(reference, rate)
        if count > MOST_UTTERANCES:
            msg = f"about {count} utterances between pauses, PESQ's code is safe up to 40"
            raise Unscorable(msg)
    return _measured(estimate, reference, band)


def _measured(estimate: Signal, reference: Signal, band: str) -> float:
    import pesq as package

    def score(degraded: Signal) -> float:
        return float(package.pesq(fs=RATES[band], ref=reference, deg=degraded, mode=band))

    try:
        value = score(estimate)
    except package.NoUtterancesError as error:
        try:
            score(reference)
        except package.NoUtterancesError:
            msg = "PESQ finds no utterance in the reference"
            raise Unscorable(msg) from error
        msg = "PESQ finds no utterance of the reference in the output"
        raise Unscorable(msg, blame="estimate") from error
    except package.BufferTooShortError as error:
        msg = f"too short for PESQ: {reference.size / RATES[band]:.3f} s"
        raise Unscorable(msg) from error
    except ValueError as error:  # the wrapper turns NaN into a state: 0/0 in the level alignment
        value = np.nan
        reason: ValueError | None = error
    else:
        reason = None
    if not np.isfinite(value):
        msg = "PESQ cannot bring the output to its level: too faint"
        raise Unscorable(msg, blame="estimate") from reason
    return value


def utterances(reference: Signal, sample_rate: int) -> int:
    """Return how many stretches of speech P.862's level detector would find, at least 1.

    The detector's rules on the unfiltered signal: power every 4 ms, a threshold two deviations
    above the noise found in twelve rounds, stretches of 4 steps or fewer dropped, pauses of 50
    steps (200 ms) or fewer closed. Stretches shorter than 200 ms count here, though not there.
    """
    tick = round(_TICK * sample_rate)
    count = reference.size // tick
    power = np.square(reference[: count * tick]).reshape(count, tick).mean(axis=1)
    threshold = power.mean()
    power = np.maximum(power, 1e-4 * power.max())
    for _ in range(12):
        noise = power[power <= threshold]
        if noise.size:
            threshold = 1.001 * (noise.mean() + 2 * noise.std())
        else:
            threshold = 0.0
    edges = np.diff(np.concatenate([[0], power > threshold, [0]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    kept = ends - starts > 4
    starts, ends = starts[kept], ends[kept]
    return 1 + int((starts[1:] - ends[:-1] > 50).sum())


def _check_band(band: str) -> None:
    if band not in RATES:
        msg = f"band must be 'wb' or 'nb', got {band!r}"
        raise ValueError(msg)


@dataclass(frozen=True)
class Pesq(Metric):
    """PESQ, averaged over utterances as MOS-LQO."""

    name: ClassVar[str] = "pesq"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "ITU-T P.862.2 (2005), without Corrigendum 2 (2018)"
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("pesq",)
    digits: ClassVar[int] = 2
    #: The limit of the mapping: no score lies below, so no output is worse than a missing one.
    worst: ClassVar[tuple[float, ...] | None] = (0.999,)
    crashes: ClassVar[bool] = True
    band: str = "wb"

    def __post_init__(self) -> None:
        _check_band(self.band)

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term."""
        return f"PESQ-{self.band.upper()}"

    @property
    def sample_rate(self) -> int:  # type: ignore[override]
        """The band's rate in Hz."""
        return RATES[self.band]

    @property
    def signature(self) -> str:
        """As for every metric, and that the code is that of 2005."""
        head, _, revision = super().signature.rpartition("|")
        return f"{head}|corr2:no|{revision}"

    def statistic(self, estimate: Signal, reference: Signal) -> Rows:  # type: ignore[override]
        """Return ``[pesq]``."""
        return np.array([pesq(estimate, reference, band=self.band)])


load = loader(Pesq)
