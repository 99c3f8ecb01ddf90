"""Short-time objective intelligibility (STOI), and the front end that ESTOI shares.

Source: Taal, Hendriks, Heusdens and Jensen, "An algorithm for intelligibility prediction of
time-frequency weighted noisy speech", IEEE TASLP 19(7), 2011; figures follow the package pystoi
0.4.1: 10 kHz after a Kaiser-windowed sinc as in Octave's `resample`, frames of 256 samples every
128, 15 third-octave bands from 150 Hz, segments of 30 frames (384 ms).

Misleads: made for noisy and masked speech of one level. A constant delay ruins it (real speech:
0.95 at 0 ms, 0.35 at 50 ms), so use ``align=True`` for a codec with latency, and compare that
column only with itself. Says nothing of naturalness or voice. May be negative; never clipped.

Deviations: none in value (within 1e-6, in fact about 1e-14, of pystoi 0.4.1), two in what has no
value: where fewer than 30 frames remain without silence pystoi gives 1e-05 and this is
`Unscorable`; so is a silent signal. Like pystoi, the last frames of a file are not used.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, gcd
from typing import ClassVar, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from metrics._base import Metric, Rows, Unscorable, loader
from metrics._pair import Signal, checked, shifted

RATE = 10_000  # Hz
FRAME, HOP, FFT = 256, 128, 512  # samples
SEGMENT = 30  # frames
BANDS, LOWEST = 15, 150.0  # third octaves, Hz
RANGE = 40.0  # dB below the loudest reference frame that still count as speech
CLIP = 1 + 10 ** (15 / 20)  # bound of -15 dB on the signal-to-distortion ratio
EPS = np.finfo(np.float64).eps
_BLOCK = 64  # frames or segments worked on at a time: fits the cache, and memory stays small


def stoi(
    estimate: NDArray[np.floating], reference: NDArray[np.floating], *, sample_rate: int
) -> float:
    """Return STOI, no unit; 1 is a perfect copy (up to gain), below 0 is possible.

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
    for x_seg, y_seg, bound in segments(x, y, CLIP * x):  # (15, S, 30), views
        clipped = y_seg * (_norm(x_seg) / (_norm(y_seg) + EPS))[..., None]
        np.minimum(clipped, bound, out=clipped)
        clipped -= clipped.mean(axis=-1, keepdims=True)
        centred = x_seg - x_seg.mean(axis=-1, keepdims=True)
        dot = np.einsum("bsn,bsn->bs", clipped, centred)
        norm = (_norm(clipped) + EPS) * (_norm(centred) + EPS)
        total += float((dot / norm).sum())
        count += dot.size
    return total / count


def third_octaves(
    estimate: NDArray[np.floating], reference: NDArray[np.floating], *, sample_rate: int
) -> tuple[Signal, Signal]:
    """Return the band magnitudes of `estimate` and `reference`, shape ``(15, M)`` each.

    Raises:
        ValueError: as `stoi`.
        Unscorable: as `stoi`.
    """
    estimate, reference = checked(estimate, reference)
    if sample_rate <= 0:
        msg = f"sample_rate must be positive, in Hz, got {sample_rate}"
        raise ValueError(msg)
    pair = resampled((estimate, reference), sample_rate)
    count = -(-(pair.shape[1] - FRAME) // HOP)
    used = (count + 1) * HOP if count > 0 else 0
    blocks = pair[:, :used].reshape(2, -1, HOP)  # frame i is blocks i and i + 1
    kept = speech_frames(blocks[1])
    frames = kept.size - 1
    if frames < SEGMENT:
        seconds = (kept.size + 1) * HOP / RATE if kept.size else 0.0
        msg = f"too short: {seconds:.2f} s of speech after silence removal, STOI needs 0.41 s"
        raise Unscorable(msg)
    rise, fall = _window()[:HOP], _window()[HOP:]
    edges = 2 * _edges()  # a complex number is two reals: both parts squared in one pass
    bands = np.empty((2, BANDS, frames))
    for start in range(0, frames, _BLOCK):
        stop = min(start + _BLOCK, frames)
        # Speech frames are added up at half overlap, and that signal is framed once more.
        joined = blocks[:, kept[start : stop + 1]] * rise
        before = blocks[:, kept[max(start - 1, 0) : stop] + 1] * fall
        joined[:, -before.shape[1] :] += before
        framed = np.concatenate([joined[:, :-1] * rise, joined[:, 1:] * fall], axis=2)
        parts = np.fft.rfft(framed, n=FFT).view(np.float64)[:, :, edges[0] : edges[-1]]
        power = np.add.reduceat(np.square(parts), edges[:-1] - edges[0], axis=2)
        bands[:, :, start:stop] = np.sqrt(power).transpose(0, 2, 1)
    y, x = bands
    return y, x


def speech_frames(blocks: Signal) -> NDArray[np.intp]:
    """Return which frames, of blocks i and i + 1 of ``(n + 1, 128)``, are not silent."""
    power = np.square(blocks)
    squares = np.square(_window())
    level = np.sqrt(power[:-1] @ squares[:HOP] + power[1:] @ squares[HOP:])
    decibels = 20 * np.log10(level + EPS)
    return np.flatnonzero(decibels.max(initial=-np.inf) - RANGE - decibels < 0)


def segments(*bands: Signal) -> Iterator[list[Signal]]:
    """Yield all runs of 30 frames of each input, shape ``(15, S, 30)``, some at a time."""
    runs = [sliding_window_view(signal, SEGMENT, axis=1) for signal in bands]
    for start in range(0, runs[0].shape[1], _BLOCK):
        yield [run[:, start : start + _BLOCK] for run in runs]


def _norm(windows: Signal) -> Signal:
    return np.asarray(np.sqrt(np.einsum("bsn,bsn->bs", windows, windows)))


def resampled(signals: Sequence[Signal], sample_rate: int) -> Signal:
    """Return n `signals`, shape ``(n, T)``, at 10 kHz as Octave's `resample` does (zeros outside).

    Blocks of the input times one dense matrix: the same sums as a polyphase filter, as fast as
    the machine multiplies matrices, and without the import of scipy.signal.
    """
    if sample_rate == RATE:
        return np.stack(signals)
    up, down = RATE // gcd(RATE, sample_rate), sample_rate // gcd(RATE, sample_rate)
    taps = _sinc(up, down)
    size = signals[0].size
    length = -(-size * up // down)
    if up * down > 1 << 18:  # an odd rate: its matrix would not fit
        from scipy.signal import upfirdn

        half = taps.size // 2
        pad = -half % down
        out = upfirdn(np.concatenate([np.zeros(pad), taps]), np.stack(signals), up, down, axis=1)
        start = (half + pad) // down
        out = np.pad(out, ((0, 0), (0, max(start + length - out.shape[1], 0))))
        return np.asarray(out[:, start : start + length])
    matrix, before, step, made = _filter_matrix(up, down)
    rows = min(8, 1 + (1 << 17) // matrix.size)  # small products: the linear algebra library
    blocks = -(-length // (made * rows)) * rows  # starts no threads that would fight other workers
    need = (blocks - 1) * step + matrix.shape[0]
    padded = np.zeros((len(signals), need))
    here = min(size, need - before)
    for row, signal in zip(padded, signals, strict=True):
        row[before : before + here] = signal[:here]
    windows = sliding_window_view(padded, matrix.shape[0], axis=1)[:, ::step]
    windows = windows.reshape(len(signals), -1, rows, matrix.shape[0])
    return (windows @ matrix).reshape(len(signals), -1)[:, :length]


@functools.lru_cache(maxsize=32)
def _sinc(up: int, down: int) -> Signal:
    """Return the low-pass filter at `up` times the input rate: 60 dB, roll-off of a tenth."""
    cutoff = 1.0 / (2 * max(up, down))
    half = ceil((60 - 8) / (28.714 * (cutoff / 10)))
    t = np.arange(-half, half + 1)
    taps = np.kaiser(2 * half + 1, 0.1102 * (60 - 8.7)) * np.sinc(2 * cutoff * t)
    return np.asarray(up * taps / taps.sum())


@functools.lru_cache(maxsize=8)
def _filter_matrix(up: int, down: int) -> tuple[Signal, int, int, int]:
    """Return the matrix from input to output samples, its lead, its step and its outputs."""
    taps = _sinc(up, down)
    half = taps.size // 2
    repeat = max(1, round(32 / up))
    step, made = repeat * down, repeat * up
    before = half // up
    after = (made * down + half) // up
    matrix = np.zeros((before + after + 1, made))
    rows = np.arange(-before, after + 1)[:, None]
    index = np.arange(made)[None, :] * down - rows * up + half
    inside = (index >= 0) & (index < taps.size)
    matrix[inside] = taps[index[inside]]
    return matrix, before, step, made


@functools.cache
def _window() -> Signal:
    return np.hanning(FRAME + 2)[1:-1]


@functools.cache
def _edges() -> NDArray[np.intp]:
    """Return the first bin of each third octave and the bin after the last one, shape (16,)."""
    bins = np.linspace(0, RATE, FFT + 1)[: FFT // 2 + 1]
    wanted = LOWEST * 2.0 ** ((2 * np.arange(BANDS + 1) - 1) / 6)
    return np.abs(bins[:, None] - wanted).argmin(axis=0)


@dataclass(frozen=True)
class Stoi(Metric):
    """STOI at the reference's rate; `align` takes out the system's delay first."""

    name: ClassVar[str] = "stoi"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "Taal et al. 2011, as in pystoi 0.4.1"
    revision: ClassVar[int] = 1
    #: The value of an output that has nothing to do with the reference: correlations of mean zero.
    worst: ClassVar[tuple[float, ...] | None] = (0.0,)
    align: bool = False

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term, which says where the delay was taken out."""
        return self.name.upper() + (" (aligned)" if self.align else "")

    @property
    def needs(self) -> tuple[str, ...]:
        """The inputs; the delay only where it is used."""
        return tuple(name for name in super().needs if name != "delay" or self.align)

    def statistic(  # type: ignore[override]
        self, estimate: Signal, reference: Signal, sample_rate: int, delay: int = 0
    ) -> Rows:
        """Return ``[stoi]``."""
        if self.align:
            estimate, reference = shifted(estimate, reference, delay)
        return np.array([self._measure(estimate, reference, sample_rate)])

    def _measure(self, estimate: Signal, reference: Signal, sample_rate: int) -> float:
        return stoi(estimate, reference, sample_rate=sample_rate)


load = loader(Stoi)
