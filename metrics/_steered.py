"""By how much each emotion asked for became more probable than in the unsteered output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics._agreement import one_of
from metrics._base import Unscorable
from metrics._soft_labels import Policy, SoftLabelled, posterior_of, probability

_SAME = 1e-9  # shares and probabilities closer than this are equal
_AGAINST = ("reference", "prompt", "baseline")
Against = Literal["reference", "prompt", "baseline"]


class Change(NamedTuple):
    """What was asked of each active emotion, and what came of it."""

    labels: tuple[str, ...]
    shares: NDArray[np.float64]  # above 0
    increases: NDArray[np.float64]  # of probability, over the unsteered output


@dataclass(frozen=True)
class Steered(SoftLabelled):
    """A metric of steering. `against` names the recording that is the unsteered output.

    That is ``baseline``, the output of another run for the same utterance, or, in a manifest whose
    `emotion` is what the steered system was asked for, ``reference`` (its `audio`) or ``prompt``.
    Natural speech in its place would turn the metric into another one.
    """

    neutral: Policy = "drop"
    against: Against = "reference"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("against", self.against, _AGAINST)

    @property
    def needs(self) -> tuple[str, ...]:
        """The inputs; of the other recordings only the unsteered one."""
        others = {f"heard_{name}" for name in _AGAINST if name != self.against}
        return tuple(name for name in super().needs if name not in others)

    def change(
        self,
        heard: Mapping[str, Any],
        recordings: Mapping[str, Mapping[str, Any] | None],
        emotion: Mapping[str, float],
        ratings: Mapping[str, int],
        *,
        ordered: bool = False,
    ) -> Change:
        """Return shares and increases of the active emotions, those with a share above 0.

        Raises:
            Unscorable: fewer than two emotions are active, or all with one share where `ordered`,
                the observer does not know one, or a recording is silent; the blame is on the
                output where that is.
        """
        unsteered = recordings[self.against] or {}
        shares = {k: v for k, v in self.consensus(emotion, ratings).items() if v > 0}
        if len(shares) < 2:
            msg = f"only {', '.join(shares)} is asked for: needs two emotions or more"
            raise Unscorable(msg)
        if ordered and max(shares.values()) - min(shares.values()) < _SAME:
            msg = f"{', '.join(shares)} are asked for alike: there is no order"
            raise Unscorable(msg)
        if unsteered.get("silent"):
            msg = f"the unsteered output (the {self.against}) is silent"
            raise Unscorable(msg)
        before = posterior_of(unsteered)
        known = [probability(before, label) for label in shares]
        after = posterior_of(heard)
        gained = [probability(after, label) - p for label, p in zip(shares, known, strict=True)]
        return Change(tuple(shares), np.array(list(shares.values())), np.array(gained))
