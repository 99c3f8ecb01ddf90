"""Concordance of the F0 contours (F0 CCC): the same melody, in height and range.

Source: Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45,
1989; of F0 as CoCoEmo, arXiv:2602.03420, reports it (Table 1). Over the frames, 5 ms apart, in
which both are voiced; F0 in Hz by the observer `tracker`.

Misleads: frames where only one is voiced do not count (see `voicing_error`); octave errors of the
tracker do, heavily. A natural second reading of a sentence has another melody: a low value is no
fault of a system that was not asked to copy. Values of another tracker, average or variance are
other metrics.

Deviations: CoCoEmo states neither tracker, variance, average nor alignment. Here: population
variance, as Lin; ``variance=sample`` is torchmetrics's (0.840 for 0.816 on the six pairs of the
test). The mean over utterances; ``average=corpus`` takes all frames as one contour, in which
differences between speakers count too, and comes out higher. Lengths that differ by more than
`slack` have no value, unless ``align=stretch``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from metrics._base import Rows, loader
from metrics._contours import Concordance, titled


@dataclass(frozen=True)
class F0Ccc(Concordance):
    """Concordance of F0 in Hz where both are voiced."""

    name: ClassVar[str] = "f0_ccc"
    unit: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    source: ClassVar[str] = "Lin 1989; arXiv:2602.03420"
    revision: ClassVar[int] = 1

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term with what departs from the usual."""
        return titled("F0 CCC", *self.notes)

    def statistic(self, heard: Any, heard_reference: Any) -> Rows:  # type: ignore[override]
        """Return ``[ccc]``, or the six moments for ``average=corpus``."""
        estimate, reference = self.contours(heard, heard_reference, pitched=True)
        return self.row(estimate.f0, reference.f0)


load = loader(F0Ccc)
