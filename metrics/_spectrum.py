"""Short-time spectra and mel bands, as four metrics need them."""

from __future__ import annotations

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from metrics._base import Unscorable
from metrics._pair import Signal


def stft(
    signal: Signal, size: int, hop: int, *, fft: int | None = None, centred: bool = False
) -> NDArray[np.complex128]:
    """Return the spectra of Hann-windowed frames, shape ``(frames, fft // 2 + 1)``.

    Args:
        signal: shape ``(T,)``.
        size: samples per frame; the window is the periodic Hann window.
        hop: samples from one frame to the next.
        fft: length of the transform; `size` by default.
        centred: mirror half a frame at both ends first, so that frame i is centred on i * hop.

    Raises:
        Unscorable: the signal is shorter than one frame, or than half a frame to be mirrored.
    """
    short = size // 2 + 1 if centred else size
    if signal.size < short:
        msg = f"too short: {signal.size} samples, this needs {short}"
        raise Unscorable(msg)
    if centred:
        signal = np.pad(signal, size // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return np.fft.rfft(sliding_window_view(signal, size)[::hop] * window, n=fft or size)


@functools.lru_cache(maxsize=32)
def mel_bank(sample_rate: int, fft: int, bands: int) -> Signal:
    """Return triangular mel filters from 0 Hz to half the rate, shape ``(fft // 2 + 1, bands)``.

    Slaney's scale (linear to 1 kHz, 27 steps per factor 6.4 above) and unit area: what librosa
    makes by default, and with it the losses of DAC and of most vocoders.
    """
    edges = _hertz(np.linspace(0, _mel(sample_rate / 2), bands + 2))
    bins = np.linspace(0, sample_rate / 2, fft // 2 + 1)[:, None]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))


_KNEE = 1000.0  # Hz
_STEP = np.log(6.4) / 27


def _mel(hertz: float) -> float:
    if hertz < _KNEE:
        return 3 * hertz / 200
    return float(15 + np.log(hertz / _KNEE) / _STEP)


def _hertz(mel: Signal) -> Signal:
    return np.where(mel < 15, mel * 200 / 3, _KNEE * np.exp(_STEP * (mel - 15)))
