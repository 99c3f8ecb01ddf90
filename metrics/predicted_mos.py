"""Predicted MOS: what a network thinks listeners would answer, without a reference.

Source: the docstring of each predictor in `metrics/observers`, named by `predictor`: ``distillmos``
(arXiv:2502.05356), ``nisqa`` (arXiv:2104.09494), ``utmos`` (arXiv:2204.02152), ``scoreq``
(arXiv:2410.06675), ``audiobox`` (arXiv:2502.05139), ``squim`` (arXiv:2304.01448). `scale` is one
of its answers, the first by default: NISQA has mos, noi, dis, col, loud; Audiobox ce, cu, pc, pq;
SQUIM, which predicts metrics and not opinions, pesq, stoi, si_sdr; the others mos. Mean over
utterances. DNSMOS is a metric of its own, `dnsmos`.

Misleads: each predictor knows what it was taught: telephony and noise (NISQA), synthesis up to
2020 (UTMOS); what it says of a neural codec is a guess. One voice of the demo data, made of
diphones (Festival's kal), gets 4.6 from NISQA, 2.4 from NISQA-TTS and 2.3 from DistillMOS. All can
be trained against: a system that had one in its loss is not measured by it. None knows the words or
whose voice it is, some hear the level, and a predictor of 16 kHz hears nothing above 8 kHz.
Different predictors, or scales, cannot be compared; each is a column of its own.

Deviations: recordings are resampled by this suite (soxr VHQ) to the predictor's rate and go through
alone; below 0.25 s there is no value. DistillMOS stays within 1 and 5 by construction, Audiobox
goes from 1 to 10, and the other regressions may leave 1 to 5 by a little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._base import Metric, Rows, Unscorable, loader

#: Predictor -> its scales, the first by default, and their titles.
_TITLES = {
    "distillmos": {"mos": "DistillMOS"},
    "nisqa": {
        "mos": "NISQA",
        "noi": "NISQA NOI",
        "dis": "NISQA DIS",
        "col": "NISQA COL",
        "loud": "NISQA LOUD",
    },
    "utmos": {"mos": "UTMOS"},
    "scoreq": {"mos": "SCOREQ"},
    "audiobox": {
        "ce": "Audiobox CE",
        "cu": "Audiobox CU",
        "pc": "Audiobox PC",
        "pq": "Audiobox PQ",
    },
    "squim": {"pesq": "SQUIM PESQ", "stoi": "SQUIM STOI", "si_sdr": "SQUIM SI-SDR"},
}
_UNITS = {"stoi": "", "si_sdr": "dB", "pesq": "1 to 4.6"}


@dataclass(frozen=True)
class PredictedMos(Metric):
    """One scale of one predictor; a missing output counts as 1, where that is the bottom."""

    name: ClassVar[str] = "predicted_mos"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "the predictor's own"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 2
    listens: ClassVar[str] = "predictor"
    predictor: str = "distillmos"
    scale: str = ""

    def __post_init__(self) -> None:
        known = _TITLES.get(self._name)
        if known and self.scale and self.scale not in known:
            msg = f"{self._name} has the scales {', '.join(known)}, got {self.scale!r}"
            raise ValueError(msg)
        if "nisqa_" in self.predictor and self.scale not in {"", "mos"}:
            msg = f"only nisqa:model=nisqa has the scale {self.scale!r}"
            raise ValueError(msg)

        if known and self.scale == next(iter(known)):
            object.__setattr__(self, "scale", "")  # said or not, it is the same column

    @property
    def signature(self) -> str:
        """As of every metric, with the scale that is meant where none is said."""
        return super().signature.replace("|scale:|", f"|scale:{self._scale}|")

    @property
    def title(self) -> str:  # type: ignore[override]
        """The predictor's usual name, with the scale."""
        if self.predictor.endswith("model=nisqa_tts"):
            return "NISQA-TTS"
        other = {self._scale: f"{self._name} {self._scale}"}
        return _TITLES.get(self._name, other)[self._scale]

    @property
    def unit(self) -> str:  # type: ignore[override]
        """The range of the scale."""
        return _UNITS.get(self._scale, "1 to 10" if self._name == "audiobox" else "1 to 5")

    @property
    def worst(self) -> tuple[float, ...] | None:  # type: ignore[override]
        """The bottom of the scale; SQUIM's STOI and SI-SDR have none."""
        return None if self._scale in {"stoi", "si_sdr"} else (1.0,)

    def statistic(self, heard: Mapping[str, Any]) -> Rows:  # type: ignore[override]
        """Return ``[predicted opinion]``.

        Raises:
            Unscorable: the output is silent or too short for the predictor.
        """
        if heard.get("silent") or "unheard" in heard:
            msg = f"the output is {heard.get('unheard', 'silent')}"
            raise Unscorable(msg, blame="estimate")
        return np.array([float(heard[self._scale])])

    @property
    def _name(self) -> str:
        return self.predictor.partition(":")[0]

    @property
    def _scale(self) -> str:
        return self.scale or next(iter(_TITLES.get(self._name, {"mos": ""})))


load = loader(PredictedMos)
