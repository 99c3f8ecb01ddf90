"""Share of frames that are voiced in one of the two and not in the other.

Source: voicing decision error of Nakatani, Amano, Irino, Ishizuka and Kondo, Speech Communication
50, 2008; frames 5 ms apart, voicing by the observer `tracker`.

Misleads: a shift in time counts at every border, and long pauses, in which both agree, bring the
share down.

Deviations: from counts over the corpus, every frame alike, never a mean of shares. Lengths that
differ by more than `slack` have no value, unless ``align=stretch``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._base import Rows, loader
from metrics._contours import Prosodic, titled


@dataclass(frozen=True)
class VoicingError(Prosodic):
    """Voicing errors over frames."""

    name: ClassVar[str] = "voicing_error"
    unit: ClassVar[str] = "%"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "Nakatani et al. 2008"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 2

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term with what departs from the usual."""
        return titled("Voicing error", self.align if self.align != "time" else "")

    def statistic(self, heard: Any, heard_reference: Any) -> Rows:  # type: ignore[override]
        """Return ``[frames of unlike voicing, frames]``."""
        estimate, reference = self.contours(heard, heard_reference, pitched=False)
        unlike = np.count_nonzero(estimate.voiced != reference.voiced)
        return np.array([unlike, reference.f0.size], dtype=np.float64)

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the share of all frames, in %."""
        return 100 * totals[..., 0] / totals[..., 1]


load = loader(VoicingError)
