"""Low-level descriptors of the voice by openSMILE: eGeMAPS v02, every 10 ms.

Heard, each of shape (frames,): ``loudness`` (perceived, from 0), ``alpha_ratio`` and ``hammarberg``
(dB), ``slope_0_500`` and ``slope_500_1500`` (dB per Hz), ``spectral_flux``; ``f1``, ``f2``, ``f3``
(formants, Hz); where a pitch is found, else 0: ``f0`` (semitones above 27.5 Hz), ``jitter`` (share
of the period), ``shimmer`` (dB), ``hnr``, ``h1_h2``, ``h1_a3`` (dB); and ``hop_seconds`` (0.01).
Windows are 20 ms long, 60 ms for pitch and what builds on it; a value is the mean of three frames.

Source: Eyben et al., "The Geneva minimalistic acoustic parameter set (GeMAPS) for voice research
and affective computing", IEEE Trans. Affective Computing 7(2), 2016; package opensmile 2.6, feature
set eGeMAPSv02, level LowLevelDescriptors. Weights: none. Licence of openSMILE: audEERING's research
licence: research, teaching and private use, not in a product.

Traps: jitter, shimmer and HNR move with noise, room and codec, so that they measure the channel as
much as the voice. Formants come from a linear prediction and are there for noise and pauses too:
compare them where there is a voice, and output with reference only: on vowels made with known
resonances F2 and F3 were off by up to a quarter, and F1 by hundreds of Hz. A gain moves loudness
and flux everywhere, and the rest in pauses, where floors are met. A recording below 0.1 s has no
frames: ``unheard`` says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from metrics.observers._base import Clip, Kind, Observation, Observer

#: What is heard -> what openSMILE calls it.
DESCRIPTORS = {
    "loudness": "Loudness_sma3",
    "alpha_ratio": "alphaRatio_sma3",
    "hammarberg": "hammarbergIndex_sma3",
    "slope_0_500": "slope0-500_sma3",
    "slope_500_1500": "slope500-1500_sma3",
    "spectral_flux": "spectralFlux_sma3",
    "f0": "F0semitoneFrom27.5Hz_sma3nz",
    "jitter": "jitterLocal_sma3nz",
    "shimmer": "shimmerLocaldB_sma3nz",
    "hnr": "HNRdBACF_sma3nz",
    "h1_h2": "logRelF0-H1-H2_sma3nz",
    "h1_a3": "logRelF0-H1-A3_sma3nz",
    "f1": "F1frequency_sma3nz",
    "f2": "F2frequency_sma3nz",
    "f3": "F3frequency_sma3nz",
}
_SHORTEST = 1600  # samples: 0.1 s


@dataclass(frozen=True)
class OpenSmile(Observer):
    """The published set, at 16 kHz."""

    name: ClassVar[str] = "opensmile"
    kind: ClassVar[Kind] = "prosody"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("opensmile",)
    extra: ClassVar[str] = "prosody"

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return the descriptors of each recording, by itself."""
        smile = self._loaded()
        return [_heard(smile, clip) for clip in batch]

    def close(self) -> None:
        """Let the extractor go."""
        object.__setattr__(self, "_smile", None)

    def _loaded(self) -> Any:
        known = vars(self).get("_smile")
        if known is None:
            import opensmile

            known = opensmile.Smile(
                feature_set=opensmile.FeatureSet.eGeMAPSv02,
                feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
            )
            object.__setattr__(self, "_smile", known)
        return known


def _heard(smile: Any, clip: Clip) -> Observation:
    if clip.audio.size < _SHORTEST:
        return {"unheard": "shorter than 0.1 s"}
    with warnings.catch_warnings():  # of its data frames
        warnings.simplefilter("ignore")
        frames = smile.process_signal(np.asarray(clip.audio, dtype=np.float32), 16000)
    heard = {key: frames[column].to_numpy(dtype=np.float32) for key, column in DESCRIPTORS.items()}
    return {**heard, "hop_seconds": 0.01}


load = OpenSmile
