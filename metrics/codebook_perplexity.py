"""Codebook perplexity: how many symbols a stream uses, if it used them all alike.

Source: definition; 2^H with H the entropy in bits of the symbols' histogram over the corpus, not a
mean of utterances' perplexities, which short utterances hold low. ``relative=True`` gives it in per
cent of the alphabet, as EuleroDec's effective perplexity.

Misleads: a histogram of few symbols is biased low (by about (alphabet - 1) / (2 n) nats for n
symbols); a high value is not a good codec, only codes without waste.

Deviations: one stream per column (``stream=0``, ``stream=1``, ...). A row is that stream's
histogram, 8 kB for 1024 symbols; sums of rows are enough. Above 8192 symbols a row would be too
large and the stream is `Unscorable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from metrics._base import Metric, Rows, Unscorable, loader
from metrics._codes import Streams, checked_streams

LARGEST = 8192  # symbols


def perplexity(counts: Rows) -> Rows:
    """Return 2 to the entropy of histograms, shape ``(..., k)`` to ``(...)``."""
    share = counts / counts.sum(axis=-1, keepdims=True)
    return np.asarray(np.exp(-(share * np.log(np.where(share > 0, share, 1))).sum(axis=-1)))


@dataclass(frozen=True)
class CodebookPerplexity(Metric):
    """Perplexity of one stream's histogram over the corpus."""

    name: ClassVar[str] = "codebook_perplexity"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "neither"
    source: ClassVar[str] = "definition"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 1
    stream: int = 0
    relative: bool = False

    def __post_init__(self) -> None:
        if self.stream < 0:
            msg = f"stream must be 0 or more, got {self.stream}"
            raise ValueError(msg)

    @property
    def title(self) -> str:  # type: ignore[override]
        """The standard term, with the stream."""
        return f"Perplexity, stream {self.stream}"

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Symbols, or per cent of the alphabet."""
        return "%" if self.relative else "symbols"

    def statistic(  # type: ignore[override]
        self, streams: Streams, alphabets: Sequence[int] | None
    ) -> Rows:
        """Return the histogram of the stream.

        Raises:
            ValueError: as `metrics._codes.checked_streams`.
            Unscorable: no codes, no such stream, nothing in it, or more than 8192 symbols.
        """
        pairs = checked_streams(streams, alphabets)
        if self.stream >= len(pairs):
            msg = f"no stream {self.stream}: the system has {len(pairs)}"
            raise Unscorable(msg)
        symbols, size = pairs[self.stream]
        if size > LARGEST:
            msg = f"stream {self.stream} has {size} symbols, counted up to {LARGEST}"
            raise Unscorable(msg)
        if not symbols.size:
            msg = f"no symbol was emitted in stream {self.stream}"
            raise Unscorable(msg, blame="estimate")
        return np.bincount(symbols, minlength=size).astype(np.float64)

    def pool(self, totals: Rows, n: Rows) -> Rows:
        """Return the perplexity of summed histograms, in symbols or per cent."""
        value = perplexity(totals)
        return 100 * value / totals.shape[-1] if self.relative else value


load = loader(CodebookPerplexity)
