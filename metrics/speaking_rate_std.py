"""Spread of the speaking rate over utterances (speaking-rate STD), syllables per second.

Source: CoCoEmo, arXiv:2602.03420, Table 1 (0.691 and 0.518 for its two ways of conditioning). The
rate of an output is what the observer `counter` hears: nuclei over the time from the first to the
last sound.

Misleads: no better side. A system that hurries and drags at random has a high value, as has one
that follows the emotion; a monotonous one has a low value, as has one whose texts are alike. The
observer's own error (one syllable in thirteen) is in it. Compare it with that of the references
(``of=reference``).

Deviations: the paper says neither how it counts syllables, nor whether pauses belong to the time,
nor whether its deviation is that of the population (divided by n, the default here) or of a sample
(by n - 1, ``variance=sample``), nor whether all emotions go together; here all utterances do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from metrics._agreement import VARIANCES, Variance, one_of
from metrics._base import Metric, Rows, Unscorable, loader


@dataclass(frozen=True)
class SpeakingRateStd(Metric):
    """Standard deviation of the rates, from their sum and the sum of their squares."""

    name: ClassVar[str] = "speaking_rate_std"
    unit: ClassVar[str] = "syllables/s"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "neither"
    source: ClassVar[str] = "arXiv:2602.03420"
    revision: ClassVar[int] = 1
    listens: ClassVar[str] = "counter"
    counter: str = "speaking_rate"
    variance: Variance = "population"
    of: Literal["output", "reference"] = "output"

    def __post_init__(self) -> None:
        one_of("variance", self.variance, VARIANCES)
        one_of("of", self.of, ("output", "reference"))

    @property
    def title(self) -> str:  # type: ignore[override]
        """The paper's term, with what departs from the usual."""
        notes = ["sample"] * (self.variance == "sample") + ["reference"] * (self.of == "reference")
        return "Speaking-rate STD" + (f" ({', '.join(notes)})" if notes else "")

    @property
    def needs(self) -> tuple[str, ...]:
        """What is heard in the output, or in the reference."""
        return ("heard",) if self.of == "output" else ("heard_reference",)

    def statistic(  # type: ignore[override]
        self,
        heard: Mapping[str, Any] | None = None,
        heard_reference: Mapping[str, Any] | None = None,
    ) -> Rows:
        """Return ``[rate, rate squared]``.

        Raises:
            Unscorable: nothing is heard that could be a syllable.
        """
        known = (heard if self.of == "output" else heard_reference) or {}
        if not known.get("nuclei"):
            who: Literal["estimate", "reference"] = (
                "estimate" if self.of == "output" else "reference"
            )
            msg = f"no syllable is heard in the {who}"
            raise Unscorable(msg, blame=who)
        rate = float(known["rate"])
        return np.array([rate, rate**2])

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the deviation; NaN where a sample of one has none."""
        mean = totals[..., 0] / n
        spread = np.maximum(totals[..., 1] / n - mean**2, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sqrt(spread * (n / (n - 1) if self.variance == "sample" else 1.0))


load = loader(SpeakingRateStd)
