"""Rank correlation (rho) of the emotions asked for with what steering made more probable.

Source: CoCoEmo, arXiv:2602.03420; release wsssy/CoCoEmo, dcc3191. For each utterance Spearman's
rho between the shares of the active emotions (share above 0) and the increase of the observer's
probability of each over the unsteered output; mid-ranks; mean over utterances. The unsteered output
is that of another run with ``against=baseline``, else the data set's reference or, with
``against=prompt``, its prompt.

Misleads: with two active emotions, the usual case, rho is 1 or -1: its mean is then only the share
of right orders. Increases of a thousandth count as those of a half. An emotion that the unsteered
output already has cannot rise, and is ranked low.

Deviations: the release knows angry, happy, sad and surprise only
(``emotions=angry+happy+sad+surprised``). It ranks values within 1e-6 of each other as equal, here
values are rounded to nine decimals. It skips what is undefined without a word: here equal shares
and fewer than two active emotions leave the utterance without a value, and an output that raised
all emotions alike has failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._agreement import spearman
from metrics._base import Rows, loader
from metrics._steered import Steered


@dataclass(frozen=True)
class EmotionSpearman(Steered):
    """Rho, mean over utterances; at worst the opposite order."""

    name: ClassVar[str] = "emotion_spearman"
    title: ClassVar[str] = "Emotion rho"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "arXiv:2602.03420"
    revision: ClassVar[int] = 1
    worst: ClassVar[tuple[float, ...] | None] = (-1.0,)

    def statistic(  # type: ignore[override]
        self,
        heard: Mapping[str, Any],
        emotion: Mapping[str, float],
        ratings: Mapping[str, int],
        heard_reference: Mapping[str, Any] | None = None,
        heard_prompt: Mapping[str, Any] | None = None,
        heard_baseline: Mapping[str, Any] | None = None,
    ) -> Rows:
        """Return ``[rho]``; only the recording that `against` names is looked at."""
        unsteered = {
            "reference": heard_reference,
            "prompt": heard_prompt,
            "baseline": heard_baseline,
        }
        change = self.change(heard, unsteered, emotion, ratings, ordered=True)
        return np.array([spearman(np.round(change.increases, 9), np.round(change.shares, 9))])


load = loader(EmotionSpearman)
