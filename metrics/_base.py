"""What a metric is: parameters, one row of statistics per utterance, one value per corpus."""

from __future__ import annotations

import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import Self

Rows = NDArray[np.float64]

#: Largest difference of duration, in seconds, that trimming or zero padding the end of an output
#: may hide from a metric that compares sample by sample. Beyond it the output has failed.
FIT_SECONDS = 0.1

#: Everything a metric may ask for by naming it as a parameter of `statistic`. The three recordings
#: arrive at the metric's `sample_rate`, or at the reference's where that is None.
INPUTS = {
    "estimate": "system output, float64, full scale 1, shape (T,)",
    "reference": "recording it should match, float64, full scale 1, shape (T,)",
    "prompt": "recording whose voice it should have, float64, full scale 1, shape (T,)",
    "sample_rate": "rate of the recordings, Hz",
    "text": "what should be said",
    "language": "language of the text, BCP 47",
    "seconds": "duration of the output, s",
    "bits": "size of the code stream, bits",
    "streams": "integer code streams, tuple of arrays (frames_i,)",
    "alphabets": "number of symbols of each stream",
    "wall_seconds": "time the system took, s; None where the output came from a cache",
    "first_audible_seconds": "time until the first audible sample was out, s; None likewise",
    "heard": "what the metric's observer heard in the output",
    "heard_reference": "what it heard in the reference",
    "heard_prompt": "what it heard in the prompt",
    "heard_baseline": "what it heard in the output of an unsteered run",
    "heard_resynthesised": "what it heard in the prompt after a codec",
    "emotion": "what should be felt: label -> share",
    "ratings": "votes of the raters: label -> count",
    "delay": "samples by which this system's outputs lag, one estimate over the data set",
}


class Unscorable(ValueError):
    """This utterance has no value under this metric; the message says why.

    Raised for facts about the signal (silence, too short, no words). Never for a bug, a wrong
    shape, or a missing package: those must stop the run. ``Unscorable(reason, blame="estimate")``
    marks a fact about the output: it is then the system's failure and counts against its coverage.
    """

    def __init__(self, reason: str, *, blame: Literal["reference", "estimate"] = "reference"):
        super().__init__(reason)
        self.blame = blame


@dataclasses.dataclass(frozen=True)
class Metric(ABC):
    """Parameters of a metric are dataclass fields, and only those; they make its signature."""

    name: ClassVar[str]
    title: ClassVar[str]  # the field's standard term, for table heads: "PESQ-WB"
    unit: ClassVar[str]  # "" for a bare number
    better: ClassVar[Literal["higher", "lower", "neither"]]
    source: ClassVar[str]
    revision: ClassVar[int]  # raised whenever any fixture value changes
    requires: ClassVar[tuple[str, ...]] = ()  # distributions whose version changes the value
    extra: ClassVar[str] = ""  # the extra of speech-bench that brings `requires`
    sample_rate: ClassVar[int | None] = None  # Hz; None: the reference's
    aligned: ClassVar[bool] = True  # compares sample by sample: durations have to agree
    timed: ClassVar[bool] = False  # measures time, so it only ranks within one machine
    digits: ClassVar[int] = 3  # decimals in tables
    worst: ClassVar[tuple[float, ...] | None] = None  # row of a missing output, if there is a worst
    crashes: ClassVar[bool] = False  # native code that may take its process with it
    listens: ClassVar[str] = ""  # the field that names this metric's observer ("asr", "encoder")

    @abstractmethod
    def statistic(self, **inputs: Any) -> Rows:
        """Measure one utterance. Overrides name the INPUTS they need. Returns shape (k,)."""

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Reduce sums of rows, shape (..., k), over n utterances, shape (...), to values (...).

        By default the mean of column 0. A ratio of sums (WER, bitrate) overrides this; what no sum
        can give (a median, a perplexity) overrides `value` and is then resampled row by row.
        """
        return totals[..., 0] / n

    def value(self, rows: Rows) -> float:
        """Reduce rows, shape (n, k), to the corpus value."""
        return float(self.pool(rows.sum(axis=0), np.asarray(float(len(rows)))))

    def worst_row(self, **facts: Any) -> tuple[float, ...] | None:
        """Return the row of a missing output, given the utterance's facts (text, language)."""
        return self.worst

    def context(self, heard: Sequence[Mapping[str, Any]], speakers: Sequence[str | None]) -> str:
        """Return a line to read the value by, from what the output is compared with; or nothing.

        Args:
            heard: what the observer heard in these recordings, each once.
            speakers: who speaks in each.
        """
        return ""

    @property
    def beside(self) -> str:
        """The spec of a column that has to stand beside this one; empty if none has."""
        return ""

    @property
    def additive(self) -> bool:
        """True where sums of rows are enough for the corpus value."""
        return type(self).value is Metric.value

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the INPUTS that `statistic` takes."""
        return tuple(inspect.signature(self.statistic).parameters)

    def bound(self, observer: str) -> Self:
        """Return this metric with its observer's signature in its own."""
        made = dataclasses.replace(self)
        object.__setattr__(made, "_observer", observer)
        return made

    @property
    def spec(self) -> str:
        """Shortest ``name:key=value`` that builds this metric; a table's column key."""
        changed = []
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if value != f.default:
                name, _, rest = (
                    str(value).partition(":") if f.name == self.listens else (value, "", "")
                )
                nested = [f"{f.name}.{pair}" for pair in rest.split(",") if pair]
                plain = str(name).lower() if name is None or isinstance(name, bool) else name
                changed += [f"{f.name}={plain}", *nested]
        return ":".join([self.name, ",".join(changed)] if changed else [self.name])

    @property
    def signature(self) -> str:
        """Everything that can change the number, e.g. ``pesq|band:wb|fs:16000|pesq:0.0.4|r:1``."""
        parts = [self.name]
        heard_by = getattr(self, "_observer", "")
        for f in dataclasses.fields(self):
            known = heard_by if f.name == self.listens and heard_by else getattr(self, f.name)
            parts.append(f"{f.name}:{known}")
        if {"estimate", "reference", "prompt"} & set(self.needs):
            parts += [f"fs:{self.sample_rate or 'reference'}", f"soxr-vhq:{version('soxr')}"]
        if self.aligned and {"estimate", "reference"} <= set(self.needs):
            parts += [f"fit:{FIT_SECONDS}s", "level:none"]
        parts += [f"{package}:{version(package)}" for package in self.requires]
        return "|".join([*parts, f"r:{self.revision}"])


def loader(metric: type[Metric]) -> Callable[..., Metric]:
    """Return `metric` as the ``load`` of its module, typed for the plug-in loader."""
    return cast("Callable[..., Metric]", metric)
