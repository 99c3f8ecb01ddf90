"""Share of utterances in which an emotion model hears the emotion that most raters felt.

Source: the usual definition; consensus of the votes by Eq. (9) of CoCoEmo, arXiv:2602.03420.

Misleads: a vote of 5 to 4 counts as one of 9 to 0. Print chance, the majority class, and the value
of the rated recordings themselves beside it: the model is wrong about natural speech, too.

Deviations: tied votes by name. ``ties=any``: right if the heard emotion is one of them;
``ties=share``: right by one over their number; ``ties=exclude``: the utterance has no value. The
heard emotion is the likeliest of the labels offered to the raters, or with ``among=all`` of all
that the observer knows; of equal ones, the first by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._agreement import one_of
from metrics._base import Rows, Unscorable, loader
from metrics._soft_labels import SoftLabelled, dominant, posterior_of, probability


@dataclass(frozen=True)
class DominantEmotionAccuracy(SoftLabelled):
    """Accuracy in %; a missing output is wrong."""

    name: ClassVar[str] = "dominant_emotion_accuracy"
    title: ClassVar[str] = "Dominant emotion"
    unit: ClassVar[str] = "%"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "definition; arXiv:2602.03420 Eq. (9)"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 1
    worst: ClassVar[tuple[float, ...] | None] = (0.0,)
    ties: Literal["any", "share", "exclude"] = "any"
    among: Literal["rated", "all"] = "rated"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("ties", self.ties, ("any", "share", "exclude"))
        one_of("among", self.among, ("rated", "all"))

    def statistic(  # type: ignore[override]
        self, heard: Mapping[str, Any], emotion: Mapping[str, float], ratings: Mapping[str, int]
    ) -> Rows:
        """Return ``[1, 0 or, for ties=share, what is between]``."""
        shares = self.consensus(emotion, ratings)
        felt = dominant(shares)
        if len(felt) > 1 and self.ties == "exclude":
            msg = f"the votes tie between {' and '.join(felt)}"
            raise Unscorable(msg)
        posterior = posterior_of(heard)
        for label in felt:
            probability(posterior, label)
        among = sorted(posterior if self.among == "all" else set(shares) & set(posterior))
        likeliest = max(among, key=posterior.__getitem__)
        return np.array([(likeliest in felt) / (len(felt) if self.ties == "share" else 1)])

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the share of utterances, in %."""
        return 100 * super().pool(totals, n)


load = loader(DominantEmotionAccuracy)
