"""Share of utterances in which steering raised the dominant emotion most (H-Rate).

Source: CoCoEmo, arXiv:2602.03420; release wsssy/CoCoEmo, dcc3191. Only utterances with two or more
active emotions (share above 0) count; the increase is that of the observer's probability over the
unsteered output: that of another run with ``against=baseline``, else the data set's reference or
(``against=prompt``) its prompt.

Misleads: chance is one half with two active emotions, a third with three: put the share of each
beside it. A hit needs no audible emotion, only the largest increase, which may be below 0.

Deviations: the release defines it twice. ``ties=any`` (cocoemo/evaluation/mixed_metrics.py): any of
the emotions with the largest share may be any of those with the largest increase, within 1e-8 plus
a millionth. ``ties=manifest`` (scripts/evaluate.py): the one emotion that a manifest calls dominant
has to have the largest increase, exactly; a data set here has no such column, so that it is the
first of those with the largest share, in the data set's order. Where nothing ties both agree. Under
both, the release counts an output that raised all emotions alike as a hit, so that a system that
does not steer at all has 100 %: here that is a miss. The release knows angry, happy, sad and
surprise only (``emotions=angry+happy+sad+surprised``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._agreement import one_of
from metrics._base import Rows, loader
from metrics._steered import Steered


@dataclass(frozen=True)
class EmotionHitRate(Steered):
    """H-Rate in %; a missing output is a miss."""

    name: ClassVar[str] = "emotion_hit_rate"
    title: ClassVar[str] = "H-Rate"
    unit: ClassVar[str] = "%"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "arXiv:2602.03420"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 1
    worst: ClassVar[tuple[float, ...] | None] = (0.0,)
    ties: Literal["any", "manifest"] = "any"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("ties", self.ties, ("any", "manifest"))

    def statistic(  # type: ignore[override]
        self,
        heard: Mapping[str, Any],
        emotion: Mapping[str, float],
        ratings: Mapping[str, int],
        heard_reference: Mapping[str, Any] | None = None,
        heard_prompt: Mapping[str, Any] | None = None,
        heard_baseline: Mapping[str, Any] | None = None,
    ) -> Rows:
        """Return ``[1 or 0]``; only the recording that `against` names is looked at."""
        unsteered = {
            "reference": heard_reference,
            "prompt": heard_prompt,
            "baseline": heard_baseline,
        }
        _, shares, increases = self.change(heard, unsteered, emotion, ratings)
        asked = np.isclose(shares, shares.max(), atol=1e-8, rtol=1e-6)
        rose = np.isclose(increases, increases.max(), atol=1e-8, rtol=1e-6)
        if self.ties == "manifest":
            asked = np.arange(len(shares)) == np.argmax(asked)
            rose = increases == increases.max()
        return np.array([float((asked & rose).any() and not np.isclose(np.ptp(increases), 0))])

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the share of utterances, in %."""
        return 100 * super().pool(totals, n)


load = loader(EmotionHitRate)
