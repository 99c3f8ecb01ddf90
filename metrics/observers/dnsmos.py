"""Predicted MOS by DNSMOS, as its authors publish it in the package speechmos.

Heard, each on a scale of 1 to 5: ``sig`` (the voice), ``bak`` (how little the background
intrudes), ``ovrl`` (overall), all three after ITU-T P.835, and ``p808`` (overall, after P.808).

Source: Reddy, Gopal and Cutler, "DNSMOS P.835: a non-intrusive perceptual objective speech quality
metric to evaluate noise suppressors", ICASSP 2022, arXiv:2110.01763, and for ``p808`` "DNSMOS",
ICASSP 2021, arXiv:2010.15258; networks sig_bak_ovr.onnx and model_v8.onnx of speechmos 0.0.1.1, and
its polynomials from their answers to listeners' scales. The mean over windows of 9.01 s, every 1 s.
Licence of the weights: MIT.

Preparation: 16 kHz. The level is left alone, and counts (not for ``p808``). A recording below
9.01 s is repeated, by doubling, until it is long enough, as the authors do; a joint between two
rounds is heard as part of it.

Traps: the polynomials end well below 5: an answer of 5 becomes 3.93 (``ovrl``), 4.01 (``sig``) and
4.36 (``bak``). The authors' loop leaves windows out, and so does this, to give the same numbers:
only whole seconds are counted, so up to the last 2 s are not heard; and the windows that start at 7
to 23 s are one sample short by rounding and dropped (DNS-Challenge issue 130), so that nothing
between 15.01 and 24 s is heard. Trained on noise suppression of wide-band speech: what a codec or
a synthesiser does wrong it may not know. Blind to the words and to whose voice it is.

The package's code is not imported: it brings librosa and others, and refuses a sample above full
scale, which resampling can produce; here it is heard as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metrics._spectrum import mel_bank, stft
from metrics.observers._base import Clip, Kind, Observation, Observer, digest_of

_RATE = 16000
_LENGTH = 144160  # samples of a window: 9.01 s
_FFT, _HOP, _BANDS = 321, 160, 120
#: From a network's answer to the scale of P.835: x^2, x, 1.
_SCALES = {
    "sig": (-0.08397278, 1.22083953, 0.0052439),
    "bak": (-0.13166888, 1.60915514, -0.39604546),
    "ovrl": (-0.06766283, 1.11546468, 0.04602535),
}
_NETWORKS = ("sig_bak_ovr.onnx", "model_v8.onnx")


def windows(wav: NDArray[np.floating]) -> Iterator[NDArray[np.float32]]:
    """Yield what the networks hear: 9.01 s, from whole seconds on; `wav` repeated if short."""
    while wav.size < _LENGTH:
        wav = np.append(wav, wav)
    last = int(wav.size // _RATE - 9.01)  # whole seconds only, as the authors count
    for second in range(last + 1):
        end = int((second + 9.01) * _RATE)  # as the authors round, one short at times
        if end - second * _RATE == _LENGTH:
            yield wav[second * _RATE : end].astype(np.float32)


def mel_decibels(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mel spectrum that the P.808 network reads, shape ``(900, 120)``.

    In dB below the loudest band, not under -80, shifted and scaled: (dB + 40) / 40.
    """
    half = _FFT // 2
    power = np.abs(stft(np.pad(window[:-_HOP].astype(np.float64), half), _FFT, _HOP)) ** 2
    bank = mel_bank(_RATE, 2 * _FFT, _BANDS)[::2]  # every other bin is a bin of the odd length
    decibels = 10 * np.log10(np.maximum(power @ bank, 1e-10))
    decibels -= decibels.max()
    return ((np.maximum(decibels, -80) + 40) / 40).astype(np.float32)


@dataclass(frozen=True)
class Dnsmos(Observer):
    """Two convolutional networks, on the waveform and on its mel spectrum."""

    name: ClassVar[str] = "dnsmos"
    kind: ClassVar[Kind] = "mos"
    sample_rate: ClassVar[int] = _RATE
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    extra: ClassVar[str] = "mos"

    def __post_init__(self) -> None:
        folder = _folder()
        digest = digest_of(*(folder / name for name in _NETWORKS))
        for name, value in (("_folder", folder), ("_digest", digest), ("_sessions", None)):
            object.__setattr__(self, name, value)

    @property
    def weights(self) -> str:
        """The digest of both networks."""
        return str(vars(self)["_digest"])

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return the four scores of each recording."""
        return [self._scores(clip.audio) for clip in batch]

    def close(self) -> None:
        """Let the networks go."""
        object.__setattr__(self, "_sessions", None)

    def _scores(self, wav: NDArray[np.float32]) -> Observation:
        primary, p808 = self._loaded()
        heard = []
        for window in windows(wav):
            answers = primary.run(None, {"input_1": window[None]})[0][0]
            single = p808.run(None, {"input_1": mel_decibels(window)[None]})[0][0, 0]
            scaled = (np.polyval(p, x) for p, x in zip(_SCALES.values(), answers, strict=True))
            heard.append([*scaled, single])
        means = np.mean(np.array(heard, dtype=np.float64), axis=0)
        return {name: float(m) for name, m in zip([*_SCALES, "p808"], means, strict=True)}

    def _loaded(self) -> tuple[Any, Any]:
        import onnxruntime

        known: tuple[Any, Any] | None = vars(self)["_sessions"]
        if known is None:
            paths = [str(vars(self)["_folder"] / name) for name in _NETWORKS]
            known = (
                onnxruntime.InferenceSession(paths[0], providers=["CPUExecutionProvider"]),
                onnxruntime.InferenceSession(paths[1], providers=["CPUExecutionProvider"]),
            )
            object.__setattr__(self, "_sessions", known)
        return known


def _folder() -> Path:
    package = find_spec("speechmos")
    places = list(package.submodule_search_locations or []) if package else []
    if not places:
        msg = "no module named 'speechmos', which holds the weights"
        raise ModuleNotFoundError(msg, name="speechmos")
    folder = Path(places[0]) / "dnsmos_models"
    if missing := [name for name in _NETWORKS if not (folder / name).is_file()]:
        msg = f"no {missing[0]} in {folder}: pip install --force-reinstall speechmos"
        raise FileNotFoundError(msg)
    return folder


load = Dnsmos
