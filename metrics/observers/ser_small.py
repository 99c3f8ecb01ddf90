"""Emotion by a small network of ours, whose weights are shipped: works offline, on acted English.

Heard: ``posterior``, float32, shape (8,), shares that sum to 1 over ``labels`` (list of str:
neutral, calm, happy, sad, angry, fearful, disgusted, surprised); ``embedding``, float32, shape
(128,), of length 1, the layer before the decision. Windows of 2.56 s, every 1.28 s of what is left
between the silences at both ends; posterior and embedding are means over windows.

Source: `metrics.observers._ser_net`, trained by ``python -m metrics.train.ser_small`` on RAVDESS
(Livingstone and Russo, PLoS ONE 13(5), 2018); the card beside the weights has its accuracy on
actors that were held out. Licence of the weights: CC BY-NC-SA 4.0, that of RAVDESS: not for
commercial use, whatever the licence of this code is.

Traps: 18 actors, two sentences, North American English, studio, acted: on other speech its errors
are unknown, and the sentences of the held-out actors are those it was trained on, which flatters
it. On those actors it is right in 57 % (chance 12.5 %), but never hears neutral (it says calm) and
hardly fearful. It hears no level: a recording and its louder copy are the same. It is no stand-in
for `emotion2vec`: the labels differ (it knows calm, and neither other nor unknown), and so does the
signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metrics._spectrum import mel_bank, stft
from metrics.observers._base import Clip, Kind, Observation, Observer, digest_of
from metrics.observers._weights import device_of

LABELS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
SHIPPED = Path(__file__).with_name("weights") / "ser_small.safetensors"

RATE = 16000  # Hz
BANDS = 80
WINDOW = 160  # frames of 16 ms: 2.56 s
STEP = 80
_FRAME = 1024  # samples: 64 ms, long enough to tell harmonics apart
_HOP = 256
_RANGE = 80.0  # dB from the loudest band down to the floor
_QUIET = 40.0  # dB below the loudest frame: silence, cut off at both ends
_SCALE = 20.0  # dB that make 1 at the network's input
_AT_ONCE = 64  # windows through the network at a time


def log_mels(wav: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mel spectrum in dB, mean 0, without the silence at both ends, ``(frames, 80)``.

    Args:
        wav: 16 kHz, shape ``(T,)``; a signal shorter than a frame is centred in one.
    """
    short = max(0, _FRAME // 2 + 1 - wav.size)
    whole = np.pad(wav.astype(np.float64), (short // 2, short - short // 2))
    power = np.abs(stft(whole, _FRAME, _HOP, centred=True)) ** 2
    bands = power @ mel_bank(RATE, _FRAME, BANDS)
    level = power.sum(axis=1)
    (loud,) = np.nonzero(level >= level.max() * 10 ** (-_QUIET / 10))
    bands = bands[loud[0] : loud[-1] + 1]
    decibels = 10 * np.log10(np.maximum(bands, bands.max() * 10 ** (-_RANGE / 10)) + 1e-30)
    return (decibels - decibels.mean()).astype(np.float32)


def windows(mels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network gets of a recording, shape ``(windows, 160, 80)``.

    The last window ends with the recording; a short recording stands in the middle of its lowest
    value.
    """
    missing = max(0, WINDOW - len(mels))
    sides = ((missing // 2, missing - missing // 2), (0, 0))
    mels = np.pad(mels, sides, constant_values=mels.min())
    starts = sorted({*range(0, len(mels) - WINDOW, STEP), len(mels) - WINDOW})
    return np.stack([mels[s : s + WINDOW] for s in starts]) / np.float32(_SCALE)


@dataclass(frozen=True)
class SerSmall(Observer):
    """Eight acted emotions; a file of one's own may be given as ``checkpoint``."""

    name: ClassVar[str] = "ser_small"
    kind: ClassVar[Kind] = "emotion"
    sample_rate: ClassVar[int] = RATE
    revision: ClassVar[int] = 1
    hidden: ClassVar[tuple[str, ...]] = ("checkpoint", "device")
    checkpoint: str = ""  # a file of `metrics.train.ser_small`; the shipped one if empty
    device: str = "auto"

    def __post_init__(self) -> None:
        path = Path(self.checkpoint).expanduser() if self.checkpoint else SHIPPED
        if not path.is_file():
            msg = (
                f"no file {path}: checkpoint= takes the ser_small.safetensors that "
                "`python -m metrics.train.ser_small` writes; without it, the shipped one is used"
            )
            raise FileNotFoundError(msg)
        for name, value in (("_path", path), ("_digest", digest_of(path)), ("_net", None)):
            object.__setattr__(self, name, value)

    @property
    def weights(self) -> str:
        """The digest of the checkpoint."""
        return str(vars(self)["_digest"])

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return posterior and embedding of each recording; all windows go through together."""
        import torch

        parts = [windows(log_mels(clip.audio)) for clip in batch]
        device = device_of(self.device)
        net = self._loaded(device)
        embeddings, posteriors = [], []
        with torch.inference_mode():
            for some in torch.from_numpy(np.concatenate(parts)).split(_AT_ONCE):
                embedding, logits = net(some.to(device))
                embeddings.append(torch.nn.functional.normalize(embedding, dim=1).cpu().numpy())
                posteriors.append(torch.softmax(logits, dim=1).cpu().numpy())
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return [
            {"labels": list(LABELS), "posterior": _mean(p), "embedding": _unit(_mean(e))}
            for p, e in zip(_split(posteriors, ends), _split(embeddings, ends), strict=True)
        ]

    def close(self) -> None:
        """Let the network go."""
        object.__setattr__(self, "_net", None)

    def _loaded(self, device: str) -> Any:
        from metrics.observers._ser_net import restore

        if vars(self)["_net"] is None:
            object.__setattr__(self, "_net", restore(vars(self)["_path"]).to(device))
        return vars(self)["_net"]


def _split(parts: list[NDArray[np.float32]], ends: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    return np.split(np.concatenate(parts), ends)


def _mean(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows.mean(axis=0, dtype=np.float64).astype(np.float32)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


load = SerSmall
