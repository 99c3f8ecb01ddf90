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

from metrics._agreement import one_of
from metrics._base import Rows, loader
from metrics._contours import Concordance, titled


@dataclass(frozen=True)
class EnergyCcc(Concordance):
    """Concordance of the level in dB."""

    name: ClassVar[str] = "energy_ccc"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "Lin 1989; arXiv:2602.03420"
    revision: ClassVar[int] = 1
    frames: Literal["all", "voiced"] = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("frames", self.frames, ("all", "voiced"))

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term with what departs from the usual."""
        return titled("Energy CCC", *self.notes, "voiced" if self.frames == "voiced" else "")

    def statistic(self, heard: Any, heard_reference: Any) -> Rows:  # type: ignore[override]
        """Return ``[ccc]``, or the six moments for ``average=corpus``."""
        pitched = self.frames == "voiced"
        estimate, reference = self.contours(heard, heard_reference, pitched=pitched)
        return self.row(estimate.energy, reference.energy)


load = loader(EnergyCcc)
