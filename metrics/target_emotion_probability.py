"""Target emotion probability (TEP): how likely an emotion model finds the emotions asked for.

Source: CoCoEmo, arXiv:2602.03420, as its release computes it: the mean of emotion2vec's probability
over the emotions whose share in the soft label is above 0.

Misleads: says nothing about proportions, since every emotion asked for weighs the same. The mean of
k probabilities that sum to at most 1 cannot pass 1/k: items with more active emotions score lower.
Over-acting is rewarded.

Deviations: the release knows angry, happy, sad and surprise only
(``emotions=angry+happy+sad+surprised``); here all labels but neutral count, unless `emotions` or
`neutral` say otherwise. "unknown" and "other" stay in the denominator, as there. An emotion that
the observer does not know leaves the utterance without a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._base import Rows, loader
from metrics._soft_labels import Policy, SoftLabelled, posterior_of, probability


@dataclass(frozen=True)
class TargetEmotionProbability(SoftLabelled):
    """TEP, mean over utterances; nothing of the emotions at worst."""

    name: ClassVar[str] = "target_emotion_probability"
    title: ClassVar[str] = "TEP"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "arXiv:2602.03420"
    revision: ClassVar[int] = 1
    worst: ClassVar[tuple[float, ...] | None] = (0.0,)
    neutral: Policy = "drop"

    def statistic(  # type: ignore[override]
        self, heard: Mapping[str, Any], emotion: Mapping[str, float], ratings: Mapping[str, int]
    ) -> Rows:
        """Return ``[mean probability of the emotions asked for]``."""
        shares = self.consensus(emotion, ratings)
        posterior = posterior_of(heard)
        asked = [probability(posterior, label) for label, share in shares.items() if share]
        return np.array([np.mean(asked)])


load = loader(TargetEmotionProbability)
