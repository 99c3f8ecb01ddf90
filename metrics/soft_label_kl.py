"""Kullback-Leibler divergence of what an emotion model hears from what raters felt.

Source: the definition, sum p log(p / q) in nats, p the consensus of the votes by Eq. (9) of
CoCoEmo, arXiv:2602.03420, and q the model's posterior.

Misleads: as `soft_label_jsd`; besides, it is ruled by the labels that the model all but excludes,
and so by `epsilon`: values of another epsilon are another metric.

Deviations: CoCoEmo does not use it. q becomes (q + epsilon) / (1 + k epsilon) over k labels, which
bounds the value near log(1 / epsilon): 6.9 for the usual 0.001. Labels and `rest` as in
`soft_label_jsd`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._agreement import kl, one_of
from metrics._base import Rows, loader
from metrics._soft_labels import SoftLabelled, posterior_of, side_by_side


@dataclass(frozen=True)
class SoftLabelKl(SoftLabelled):
    """KL divergence in nats, mean over utterances."""

    name: ClassVar[str] = "soft_label_kl"
    title: ClassVar[str] = "Soft-label KL"
    unit: ClassVar[str] = "nat"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "definition; arXiv:2602.03420 Eq. (9)"
    revision: ClassVar[int] = 1
    rest: Literal["renormalise", "bin"] = "renormalise"
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("rest", self.rest, ("renormalise", "bin"))
        one_of("neutral of a divergence", self.neutral, ("keep", "renormalise"))  # must sum to 1
        if not self.epsilon > 0:
            msg = f"epsilon must be above 0, got {self.epsilon}"
            raise ValueError(msg)

    def statistic(  # type: ignore[override]
        self, heard: Mapping[str, Any], emotion: Mapping[str, float], ratings: Mapping[str, int]
    ) -> Rows:
        """Return ``[divergence]``."""
        shares = self.consensus(emotion, ratings)
        sides = side_by_side(shares, posterior_of(heard), rest=self.rest)
        return np.array([kl(*sides, epsilon=self.epsilon)])


load = loader(SoftLabelKl)
