"""Root-mean-square error of F0 where both are voiced.

Source: the usual definition; F0 by the observer `tracker`, frames 5 ms apart. In Hz, or in cents
(1200 log2 of the ratio), in which the same interval weighs as much for a low voice as for a high
one.

Misleads: one octave error of the tracker outweighs a hundred good frames. Frames where only one is
voiced do not count (see `voicing_error`): an output with few voiced frames can look good.

Deviations: the mean over utterances of each one's error; ``average=corpus`` is the root over all
frames, which is larger. Lengths that differ by more than `slack` have no value, unless
``align=stretch``. Published figures seldom name tracker, unit and average; they cannot be put
beside these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._agreement import Vector, one_of
from metrics._base import Rows, loader
from metrics._contours import Prosodic, titled


def f0_errors(
    estimate: Vector, reference: Vector, *, scale: Literal["hz", "cents"] = "hz"
) -> Vector:
    """Return the error of each frame in Hz or cents (best 0).

    Args:
        estimate: F0 in Hz, above 0, shape ``(n,)``.
        reference: F0 in Hz, above 0, shape ``(n,)``.
        scale: "hz" or "cents".

    Raises:
        ValueError: the shapes differ, a frame is unvoiced, or another `scale`.
    """
    one_of("scale", scale, ("hz", "cents"))
    if estimate.shape != reference.shape:
        msg = f"need contours of one length, got {estimate.shape} and {reference.shape}"
        raise ValueError(msg)
    if not (np.all(estimate > 0) and np.all(reference > 0)):
        msg = "F0 must be above 0 in every frame; were unvoiced frames left in?"
        raise ValueError(msg)
    return 1200 * np.log2(estimate / reference) if scale == "cents" else estimate - reference


@dataclass(frozen=True)
class F0Rmse(Prosodic):
    """RMSE of F0."""

    name: ClassVar[str] = "f0_rmse"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "definition"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 1
    scale: Literal["hz", "cents"] = "hz"
    average: Literal["utterance", "corpus"] = "utterance"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("scale", self.scale, ("hz", "cents"))
        one_of("average", self.average, ("utterance", "corpus"))

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Hz or cents."""
        return "Hz" if self.scale == "hz" else "cents"

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term with what departs from the usual."""
        align = self.align if self.align != "time" else ""
        average = self.average if self.average != "utterance" else ""
        return titled("F0 RMSE", align, average)

    def statistic(self, heard: Any, heard_reference: Any) -> Rows:  # type: ignore[override]
        """Return ``[rmse]``, or ``[sum of squares, frames]`` for ``average=corpus``."""
        estimate, reference = self.contours(heard, heard_reference, pitched=True)
        errors = f0_errors(estimate.f0, reference.f0, scale=self.scale)
        squares = float(errors @ errors)
        if self.average == "corpus":
            return np.array([squares, errors.size], dtype=np.float64)
        return np.array([np.sqrt(squares / errors.size)])

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the mean of the utterances, or the root over all frames."""
        if self.average == "corpus":
            return np.sqrt(totals[..., 0] / totals[..., 1])
        return super().pool(totals, n)


load = loader(F0Rmse)
