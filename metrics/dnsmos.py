"""DNSMOS: the mean opinion that a network predicts listeners would have, without a reference.

Source: Reddy, Gopal and Cutler, arXiv:2110.01763 (P.835: ``scale=ovrl``, ``sig``, ``bak``) and
arXiv:2010.15258 (``scale=p808``); networks and polynomials of speechmos, mean over windows, mean
over utterances. Range: 1 to 5 by construction of the scale; the published polynomials map the
networks' 5 to 3.93 (ovrl), 4.01 (sig) and 4.36 (bak), so good speech lies near 3.3, not near 5.

Misleads: trained on noisy speech and noise suppressors: it rewards a clean background more than a
natural voice, and knows neither words nor speakers: fluent babble in a wrong voice scores high.
Depends on level: 20 dB down took 0.3 off one utterance's OVRL, 6 dB up 0.45. A clip below 9.01 s is
repeated until it is long enough, and loses by the joints: OVRL 3.07 for 9 s of speech, 2.61 for
1.15 s pieces of it (measured). Eight-bit mu-law was not told from the original by OVRL (2.99 and
2.96 on 20 utterances), but by P.808 (3.13 and 3.67).

Deviations: none from speechmos, to 1e-5, windows that it drops included; a sample above full scale,
which it refuses, is heard as it is. Resampled to 16 kHz (soxr VHQ), level untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._base import Metric, Rows, Unscorable, loader

_TITLES = {
    "ovrl": "DNSMOS OVRL",
    "sig": "DNSMOS SIG",
    "bak": "DNSMOS BAK",
    "p808": "DNSMOS P.808",
}


@dataclass(frozen=True)
class Dnsmos(Metric):
    """One of the four scales; a missing output counts as 1, the bottom of the scale."""

    name: ClassVar[str] = "dnsmos"
    unit: ClassVar[str] = "1 to 5"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "arXiv:2110.01763"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 2
    worst: ClassVar[tuple[float, ...] | None] = (1.0,)
    listens: ClassVar[str] = "predictor"
    scale: Literal["ovrl", "sig", "bak", "p808"] = "ovrl"
    predictor: str = "dnsmos"

    def __post_init__(self) -> None:
        if self.scale not in _TITLES:
            msg = f"scale is one of {', '.join(_TITLES)}, got {self.scale!r}"
            raise ValueError(msg)

    @property
    def title(self) -> str:  # type: ignore[override]
        """The scale's usual name."""
        return _TITLES[self.scale]

    def statistic(self, heard: Mapping[str, Any]) -> Rows:  # type: ignore[override]
        """Return ``[predicted opinion]``."""
        if heard.get("silent"):
            msg = "the output is silent"
            raise Unscorable(msg, blame="estimate")
        return np.array([float(heard[self.scale])])


load = loader(Dnsmos)
