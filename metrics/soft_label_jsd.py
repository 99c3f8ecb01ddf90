"""Jensen-Shannon divergence between what raters felt and what an emotion model hears.

Source: Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Inf. Theory 37, 1991,
in bits; consensus of the votes by Eq. (9) of CoCoEmo, arXiv:2602.03420.

Misleads: it measures the emotion model as much as the system; print it for the recordings that were
rated, too. Models are over-confident where raters spread their votes, and few raters make the
consensus look surer than it is (`raters` asks for more).

Deviations: CoCoEmo does not use it. The labels are those offered to the raters, or `emotions`,
under the names of `metrics._soft_labels.ALIASES`. What the model gives to other labels is divided
out (``rest=renormalise``), or with ``rest=bin`` counts as a label that nobody chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._agreement import jsd, one_of
from metrics._base import Rows, loader
from metrics._soft_labels import SoftLabelled, posterior_of, side_by_side


@dataclass(frozen=True)
class SoftLabelJsd(SoftLabelled):
    """JSD in bits, mean over utterances; 1 where nothing is shared."""

    name: ClassVar[str] = "soft_label_jsd"
    title: ClassVar[str] = "Soft-label JSD"
    unit: ClassVar[str] = "bit"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "Lin 1991; arXiv:2602.03420 Eq. (9)"
    revision: ClassVar[int] = 1
    worst: ClassVar[tuple[float, ...] | None] = (1.0,)
    rest: Literal["renormalise", "bin"] = "renormalise"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("rest", self.rest, ("renormalise", "bin"))
        one_of("neutral of a divergence", self.neutral, ("keep", "renormalise"))  # must sum to 1

    def statistic(  # type: ignore[override]
        self, heard: Mapping[str, Any], emotion: Mapping[str, float], ratings: Mapping[str, int]
    ) -> Rows:
        """Return ``[divergence]``."""
        shares = self.consensus(emotion, ratings)
        return np.array([jsd(*side_by_side(shares, posterior_of(heard), rest=self.rest))])


load = loader(SoftLabelJsd)
