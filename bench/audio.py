"""Read, write and resample recordings. The only place that resamples for a measurement."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from metrics._base import FIT_SECONDS

Wave = NDArray[np.float64]

#: One step of 16-bit audio: an output that never exceeds it is silence to any listener.
SILENCE = 2.0**-15
#: An output this far below its reference (in RMS) is taken for a failure, not for quiet speech.
QUIET_DB = -60.0


class Unusable(ValueError):
    """A recording that no metric can take; the message says what is wrong with it."""


def read(path: Path) -> tuple[Wave, int]:
    """Return samples, full scale 1, shape ``(T,)``, and the rate in Hz.

    Raises:
        Unusable: the file cannot be decoded, is empty, is not mono, or holds NaN or infinity.
    """
    try:
        wav, rate = soundfile.read(path, dtype="float64")
    except soundfile.LibsndfileError as error:
        msg = f"cannot be read: {error.error_string}"
        raise Unusable(msg) from None
    check(wav)
    return wav, int(rate)


def check(wav: NDArray[np.floating]) -> None:
    """Refuse what is not one finite channel.

    Raises:
        Unusable: with the reason.
    """
    if wav.ndim != 1:
        channels = wav.shape[1] if wav.ndim == 2 else wav.shape
        msg = f"has {channels} channels, mono is wanted; none is chosen silently"
        raise Unusable(msg)
    if not wav.size:
        msg = "is empty"
        raise Unusable(msg)
    if bad := wav.size - int(np.isfinite(wav).sum()):
        msg = f"has {bad} non-finite of {wav.size} samples"
        raise Unusable(msg)


def check_level(estimate: Wave, reference: Wave | None) -> None:
    """Refuse an output that is silence, absolutely or beside its reference.

    Raises:
        Unusable: peak under one 16-bit step, or RMS more than 60 dB under the reference's.
    """
    peak = float(np.abs(estimate).max())
    if peak < SILENCE:
        level = f"peak {20 * np.log10(peak):.0f} dBFS" if peak else "all samples are zero"
        msg = f"is silent: {level}"
        raise Unusable(msg)
    if reference is None or np.abs(reference).max() < SILENCE:
        return
    gap = 10 * float(np.log10(np.mean(estimate**2) / np.mean(reference**2)))
    if gap < QUIET_DB:
        msg = f"is near-silent: {-gap:.0f} dB below the reference"
        raise Unusable(msg)


def fit(estimate: Wave, reference: Wave, rate: int) -> Wave:
    """Trim or zero-pad the end of `estimate` to the reference's length.

    Raises:
        Unusable: the durations differ by more than `FIT_SECONDS`.
    """
    if abs(estimate.size - reference.size) > FIT_SECONDS * rate:
        msg = f"lasts {estimate.size / rate:.2f} s, the reference {reference.size / rate:.2f} s"
        raise Unusable(msg)
    short = reference.size - estimate.size
    return np.pad(estimate, (0, short)) if short > 0 else estimate[: reference.size]


def resample(wav: NDArray, source: int, target: int) -> NDArray:
    """Return `wav` at `target` Hz, band-limited by soxr VHQ; itself where the rates agree."""
    if source == target:
        return wav
    return soxr.resample(wav, source, target, quality="VHQ")


def write(path: Path, wav: NDArray[np.floating], rate: int) -> int:
    """Write 24-bit FLAC in one step, so that no reader sees half a file; return clipped samples."""
    clipped = int((np.abs(wav) > 1).sum())
    with whole(path) as draft:
        soundfile.write(draft, np.clip(wav, -1, 1), rate, format="FLAC", subtype="PCM_24")
    return clipped


class whole:  # noqa: N801 - used as a function
    """Context that gives a draft beside `path` and puts it in place only when all went well."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> Path:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".", suffix=".part")
        os.close(handle)
        self.draft = Path(name)
        return self.draft

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self.draft.chmod(0o666 & ~_umask())
            self.draft.replace(self.path)
        else:
            self.draft.unlink(missing_ok=True)


@cache
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
