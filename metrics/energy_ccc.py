"""Concordance of the energy contours (energy CCC): loud and soft in the same places.

Source: Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45,
1989; of energy as CoCoEmo, arXiv:2602.03420, reports it (Table 1). Energy in dB of full scale, 25
ms around every 5 ms, by the observer `tracker`; all frames, or with ``frames=voiced`` those in
which both are voiced.

Misleads: pauses and speech differ by 40 dB, so that the right pauses alone give a high value over
all frames. A gain counts against the output although the contour is the same.

Deviations: CoCoEmo states neither the energy's unit nor its frames, variance, average and
alignment; the choices here are named by the parameters, as in `f0_ccc`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._agreement import VARIANCES, Variance, ccc, ccc_of, moments, one_of
from metrics._base import Rows, loader
from metrics._contours import Prosodic, titled


@dataclass(frozen=True)
class EnergyCcc(Prosodic):
    """Concordance of the level in dB."""

    name: ClassVar[str] = "energy_ccc"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "Lin 1989; arXiv:2602.03420"
    revision: ClassVar[int] = 1
    variance: Variance = "population"
    average: Literal["utterance", "corpus"] = "utterance"
    frames: Literal["all", "voiced"] = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("variance", self.variance, VARIANCES)
        one_of("average", self.average, ("utterance", "corpus"))
        one_of("frames", self.frames, ("all", "voiced"))

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term with what departs from the usual."""
        notes = [self.align, self.variance, self.average, self.frames]
        usual = ["time", "population", "utterance", "all"]
        return titled("Energy CCC", *(n for n, u in zip(notes, usual, strict=True) if n != u))

    def statistic(self, heard: Any, heard_reference: Any) -> Rows:  # type: ignore[override]
        """Return ``[ccc]``, or the six moments for ``average=corpus``."""
        pitched = self.frames == "voiced"
        estimate, reference = self.contours(heard, heard_reference, pitched=pitched)
        value = ccc(estimate.energy, reference.energy, variance=self.variance)
        if self.average == "corpus":
            return moments(estimate.energy, reference.energy)
        return np.array([value])

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the mean of the utterances, or the concordance of all frames."""
        if self.average == "corpus":
            return ccc_of(totals, variance=self.variance)
        return super().pool(totals, n)


load = loader(EnergyCcc)
