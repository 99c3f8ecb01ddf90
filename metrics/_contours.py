"""Contours of an output and of its reference, frame beside frame, for the metrics of prosody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics._agreement import VARIANCES, Variance, Vector, ccc, ccc_of, moments, one_of
from metrics._base import FIT_SECONDS, Metric, Rows, Unscorable

#: Least time for which both have to be voiced, s.
VOICED_SECONDS = 0.1


@dataclass(frozen=True)
class Contour:
    """What was heard, frame by frame."""

    f0: Vector  # Hz, 0 where unvoiced
    energy: Vector  # dB

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Where there is a pitch."""
        return self.f0 > 0


@dataclass(frozen=True)
class Prosodic(Metric):
    """A metric that compares contours; `align` and `slack` say which frames belong together.

    ``align=time``: frame k of one with frame k of the other, what is longer cut at its end; an
    output that is longer or shorter than its reference by more than `slack` seconds has failed.
    ``align=stretch``: the output's frames are taken evenly so that there are as many as of the
    reference, whatever its duration.
    """

    listens: ClassVar[str] = "tracker"
    tracker: str = "pitch"
    align: Literal["time", "stretch"] = "time"
    slack: float = FIT_SECONDS

    def __post_init__(self) -> None:
        one_of("align", self.align, ("time", "stretch"))
        if not self.slack >= 0:
            msg = f"slack must be 0 or more, in seconds, got {self.slack}"
            raise ValueError(msg)

    def contours(
        self, heard: Mapping[str, Any], heard_reference: Mapping[str, Any], *, pitched: bool
    ) -> tuple[Contour, Contour]:
        """Return output and reference over the same frames.

        Args:
            heard: a prosody observer's observation of the output.
            heard_reference: its observation of the reference.
            pitched: only where there is a pitch in both.

        Raises:
            ValueError: the two were heard at different hops.
            Unscorable: one is silent, has no pitch for 0.1 s (`pitched`), or the output is too
                long or too short; the reference is blamed first.
        """
        hop, reference = _contour(heard_reference, "reference")
        if pitched:
            _refuse_voiceless(reference.voiced, hop, "the reference", "reference")
        other, estimate = _contour(heard, "estimate")
        if other != hop:
            msg = f"output and reference were heard at unlike hops, {other} and {hop} s"
            raise ValueError(msg)
        estimate, reference = self._together(estimate, reference, hop)
        if not pitched:
            return estimate, reference
        both = estimate.voiced & reference.voiced
        _refuse_voiceless(both, hop, "output and reference together", "estimate")
        return _of(estimate, both), _of(reference, both)

    def _together(
        self, estimate: Contour, reference: Contour, hop: float
    ) -> tuple[Contour, Contour]:
        have, want = estimate.f0.size, reference.f0.size
        if self.align == "stretch":
            places = np.linspace(0, have - 1, want).round().astype(np.intp)
            return _of(estimate, places), reference
        if abs(have - want) * hop > self.slack + hop / 2:
            than = "longer" if have > want else "shorter"
            msg = f"the output is {abs(have - want) * hop:.2f} s {than} than the reference"
            raise Unscorable(msg, blame="estimate")
        common = slice(min(have, want))
        return _of(estimate, common), _of(reference, common)


@dataclass(frozen=True)
class Concordance(Prosodic):
    """A concordance of contours: the mean over utterances, or that of all frames as one contour."""

    variance: Variance = "population"
    average: Literal["utterance", "corpus"] = "utterance"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("variance", self.variance, VARIANCES)
        one_of("average", self.average, ("utterance", "corpus"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What departs from the usual, for the title."""
        pairs = ((self.align, "time"), (self.variance, "population"), (self.average, "utterance"))
        return tuple(chosen for chosen, usual in pairs if chosen != usual)

    def row(self, estimate: Vector, reference: Vector) -> Rows:
        """Return ``[ccc]``, or the six moments for ``average=corpus``.

        Raises:
            Unscorable: one side is constant.
        """
        value = ccc(estimate, reference, variance=self.variance)
        return moments(estimate, reference) if self.average == "corpus" else np.array([value])

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the mean of the utterances, or the concordance of all frames."""
        if self.average == "corpus":
            return ccc_of(totals, variance=self.variance)
        return super().pool(totals, n)


def titled(title: str, *notes: str) -> str:
    """Return a column's title with the notes that are not empty in brackets."""
    said = [note for note in notes if note]
    return title + (f" ({', '.join(said)})" if said else "")


def _of(contour: Contour, where: Any) -> Contour:
    return Contour(contour.f0[where], contour.energy[where])


def _contour(
    heard: Mapping[str, Any], blame: Literal["estimate", "reference"]
) -> tuple[float, Contour]:
    if heard.get("silent"):
        msg = f"the {blame} is silent"
        raise Unscorable(msg, blame=blame)
    return heard["hop_seconds"], Contour(np.asarray(heard["f0"]), np.asarray(heard["energy"]))


def _refuse_voiceless(
    voiced: NDArray[np.bool_], hop: float, who: str, blame: Literal["estimate", "reference"]
) -> None:
    seconds = np.count_nonzero(voiced) * hop
    if seconds < VOICED_SECONDS - hop / 2:
        msg = f"only {seconds:.3f} s of {who} are voiced, less than {VOICED_SECONDS} s"
        raise Unscorable(msg, blame=blame)
