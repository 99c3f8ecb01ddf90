"""Voice by Resemblyzer's encoder, whose weights come in its package: works offline, the default.

Heard: ``embedding``, float32, shape (256,), of length 1, no entry negative; all zeros where the
network answers nothing. One embedding for a whole recording: the mean over windows of 1.6 s, every
0.77 s, made of length 1 again.

Source: Wan, Wang, Papir and Lopez Moreno, "Generalized end-to-end loss for speaker verification",
ICASSP 2018, arXiv:1710.10467; package Resemblyzer 0.1.4, method ``embed_utterance`` with the
defaults ``rate=1.3`` and ``min_coverage=0.75``, which this equals to 1e-6. Trained on VoxCeleb2
and, as its author says elsewhere, VoxCeleb1 and training sets of LibriSpeech (issues 8 and 32 of
the package).
Licence of the weights: Apache-2.0.

Preparation: every recording is brought to -30 dBFS (RMS), since the mel spectrum is not
logarithmic: with 6 dB more a recording is at 0.95 to itself (measured on 50; 0.90 at worst).
``level=package`` does as the package and only raises: level then counts above -30 dBFS. The
package's ``preprocess_wav`` also cuts long pauses out, by WebRTC's detector. That is not done here:
what a system does in its pauses stays part of its output.

Traps: below 1.6 s the window is filled with zeros, and short recordings of one voice are less alike
(0.72 for 1.6 s, 0.88 for whole utterances of LibriSpeech test-other). No entry is negative, so
that unrelated voices are at 0.5, not near 0: compare with the anchors of
`metrics.speaker_similarity.separation`.

The package is installed for its weights and never imported: what it imports in turn (webrtcvad)
needs a module that current setuptools no longer has. Where webrtcvad cannot be compiled,
``pip install --no-deps resemblyzer`` brings the weights alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics._spectrum import mel_bank, stft
from metrics.observers._base import Clip, Kind, Observation, Observer, digest_of
from metrics.observers._weights import device_of

_HOP = 160  # samples from one mel frame to the next: 10 ms
_FFT = 400
_BANDS = 40
_WINDOW = 160  # frames: 1.6 s
_STEP = 77  # frames: 1.3 windows a second
_COVERAGE = 0.75  # of the last window that must be there, unless it is the only one
_TARGET_DB = -30.0  # dBFS
_AT_ONCE = 256  # windows through the network at a time


def weights_file() -> Path:
    """Return where the package keeps its weights.

    Raises:
        FileNotFoundError: the package is not installed; the message says how to.
    """
    try:
        path = Path(str(distribution("resemblyzer").locate_file("resemblyzer/pretrained.pt")))
    except PackageNotFoundError:
        path = Path()
    if path.is_file():
        return path
    msg = (
        "observer 'resemblyzer' needs the weights in the package of that name: "
        "pip install 'speech-bench[speaker]' (or, without a C compiler: "
        "pip install --no-deps resemblyzer)"
    )
    raise FileNotFoundError(msg)


def windows(samples: int) -> NDArray[np.int64]:
    """Return the first frame of every window over a recording of that many samples."""
    frames = samples // _HOP + 1
    starts = np.arange(0, max(1, frames - _WINDOW + _STEP + 1), _STEP)
    covered = (samples - starts[-1] * _HOP) / (_WINDOW * _HOP)
    return starts[:-1] if covered < _COVERAGE and starts.size > 1 else starts


def mels(wav: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the mel power spectra of every window, shape ``(windows, 160, 40)``.

    Args:
        wav: 16 kHz, full scale 1, shape ``(T,)``.
    """
    starts = windows(wav.size)
    missing = max(0, (int(starts[-1]) + _WINDOW) * _HOP - wav.size)
    centred = np.pad(wav, (_FFT // 2, missing + _FFT // 2))
    power = np.abs(stft(centred, _FFT, _HOP)) ** 2
    bands = (power @ mel_bank(16000, _FFT, _BANDS)).astype(np.float32)
    return np.stack([bands[start : start + _WINDOW] for start in starts])


def levelled(wav: NDArray[np.floating], level: str) -> NDArray[np.float64]:
    """Return `wav` at -30 dBFS; with ``package`` only if it is below."""
    signal = np.asarray(wav, dtype=np.float64)
    gain_db = _TARGET_DB - 10 * float(np.log10(np.mean(signal**2) + 1e-30))
    return signal * 10 ** ((max(0.0, gain_db) if level == "package" else gain_db) / 20)


@dataclass(frozen=True)
class Resemblyzer(Observer):
    """Three LSTM layers of 256 over mel spectra, one dense layer, ReLU."""

    name: ClassVar[str] = "resemblyzer"
    kind: ClassVar[Kind] = "voice"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    hidden: ClassVar[tuple[str, ...]] = ("device",)
    level: Literal["fixed", "package"] = "fixed"
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.level not in {"fixed", "package"}:
            msg = f"level is fixed or package, got {self.level!r}"
            raise ValueError(msg)
        object.__setattr__(self, "_digest", digest_of(weights_file()))
        object.__setattr__(self, "_layers", None)

    @property
    def weights(self) -> str:
        """The digest of the package's weights."""
        return str(vars(self)["_digest"])

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return the embedding of each recording; the windows of all go through together."""
        import torch

        spectra = [mels(levelled(clip.audio, self.level)) for clip in batch]
        device = device_of(self.device)
        lstm, dense = self._loaded(device)
        parts = []
        with torch.inference_mode():
            for some in torch.from_numpy(np.concatenate(spectra)).split(_AT_ONCE):
                _, (last, _) = lstm(some.to(device))
                raw = torch.relu(dense(last[-1]))
                parts.append(torch.nn.functional.normalize(raw, dim=1).cpu().numpy())
        ends = np.cumsum([len(s) for s in spectra])[:-1]
        means = (part.mean(axis=0) for part in np.split(np.concatenate(parts), ends))
        return [{"embedding": mean / max(np.linalg.norm(mean), 1e-12)} for mean in means]

    def close(self) -> None:
        """Let the network go."""
        object.__setattr__(self, "_layers", None)

    def _loaded(self, device: str) -> tuple[Any, Any]:
        import torch

        known: tuple[Any, Any] | None = vars(self)["_layers"]
        if known is None:
            state = torch.load(weights_file(), map_location="cpu", weights_only=True)["model_state"]
            known = torch.nn.LSTM(_BANDS, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
            for part, layer in zip(("lstm.", "linear."), known, strict=True):
                own = {k.removeprefix(part): v for k, v in state.items() if k.startswith(part)}
                layer.load_state_dict(own)
                layer.eval().to(device)
            object.__setattr__(self, "_layers", known)
        return known


load = Resemblyzer
