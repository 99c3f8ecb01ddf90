"""Concordance of one voice descriptor (formant, jitter, tilt ...) between output and reference.

Source: Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45,
1989, of the contours that the observer `tracker` gives, openSMILE's eGeMAPS v02 by default
(descriptors as IPACue-TTS, ICASSP 2026, uses them). `descriptor` is one of loudness, alpha_ratio,
hammarberg, slope_0_500, slope_500_1500, spectral_flux, f0 (semitones), jitter, shimmer, hnr, h1_h2,
h1_a3, f1, f2, f3. Over the frames in which both are voiced, or all with ``frames=all``.

Misleads: descriptors of the glottis (jitter, shimmer, HNR) are noisy even between two takes of one
speaker, and follow the channel: a value near 0 need not be heard. Concordance asks for the same
values at the same times; a voice with the right mean and the wrong course has none. For speech of
another timing choose ``align=stretch``, which is rough.

Deviations: no paper states a protocol for these; frames, alignment and variance are named by the
parameters, as in `f0_ccc`. Mean over utterances of each one's concordance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._agreement import VARIANCES, Variance, ccc, one_of
from metrics._base import Rows, Unscorable, loader
from metrics._contours import Prosodic, titled

_TITLES = {
    "loudness": "Loudness",
    "alpha_ratio": "Alpha ratio",
    "hammarberg": "Hammarberg",
    "slope_0_500": "Slope 0-500 Hz",
    "slope_500_1500": "Slope 500-1500 Hz",
    "spectral_flux": "Spectral flux",
    "f0": "F0 (semitones)",
    "jitter": "Jitter",
    "shimmer": "Shimmer",
    "hnr": "HNR",
    "h1_h2": "H1-H2",
    "h1_a3": "H1-A3",
    "f1": "F1",
    "f2": "F2",
    "f3": "F3",
}


@dataclass(frozen=True)
class DescriptorCcc(Prosodic):
    """Concordance of one descriptor; the pitch of the same observer says what is voiced."""

    name: ClassVar[str] = "descriptor_ccc"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "Lin 1989; Eyben et al. 2016"
    revision: ClassVar[int] = 1
    tracker: str = "opensmile"
    descriptor: str = "f1"
    variance: Variance = "population"
    frames: Literal["voiced", "all"] = "voiced"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("descriptor", self.descriptor, tuple(_TITLES))
        one_of("variance", self.variance, VARIANCES)
        one_of("frames", self.frames, ("voiced", "all"))

    @property
    def title(self) -> str:  # type: ignore[override]
        """The descriptor with what departs from the usual."""
        notes = [self.align, self.variance, self.frames]
        usual = ["time", "population", "voiced"]
        chosen = (n for n, u in zip(notes, usual, strict=True) if n != u)
        return titled(f"{_TITLES[self.descriptor]} CCC", *chosen)

    def statistic(  # type: ignore[override]
        self, heard: Mapping[str, Any], heard_reference: Mapping[str, Any]
    ) -> Rows:
        """Return ``[ccc]``."""
        reference = self._contour(heard_reference, "reference")
        estimate = self._contour(heard, "estimate")
        ours, theirs = self.contours(estimate, reference, pitched=self.frames == "voiced")
        return np.array([ccc(ours.energy, theirs.energy, variance=self.variance)])

    def _contour(
        self, heard: Mapping[str, Any], blame: Literal["estimate", "reference"]
    ) -> Mapping[str, Any]:
        """Return the observation with the descriptor where a contour has its level."""
        if "unheard" in heard:
            msg = f"the {blame} is {heard['unheard']}"
            raise Unscorable(msg, blame=blame)
        return heard if heard.get("silent") else {**heard, "energy": heard[self.descriptor]}


load = loader(DescriptorCcc)
