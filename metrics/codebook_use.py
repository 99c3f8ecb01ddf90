"""Codebook use: share of all symbols that occur at least once over the corpus.

Source: definition; sum over streams of the symbols seen, over the sum of the alphabets.

Misleads: grows with the size of the corpus, so it compares only over one data set; one
occurrence counts like a thousand (see `codebook_perplexity`). Resampled corpora hold fewer distinct
utterances: an interval by bootstrap lies low.

Deviations: none. A row is a set, 48 symbols to a number: 1 kB for six codebooks of 1024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from metrics._base import Metric, Rows, loader
from metrics._codes import Streams, checked_streams

PACK = 48  # symbols per number: whole bytes, and exact in a float64


def symbols_seen(streams: Streams, alphabets: Sequence[int] | None) -> Rows:
    """Return the number of symbols, then the set of those that occur, 48 to a number.

    Raises:
        ValueError: as `metrics._codes.checked_streams`.
        Unscorable: as `metrics._codes.checked_streams`.
    """
    seen = []
    for symbols, size in checked_streams(streams, alphabets):
        here = np.zeros(size, dtype=np.float64)
        here[symbols] = 1
        seen.append(here)
    bits = np.concatenate(seen)
    packed = np.pad(bits, (0, -bits.size % PACK)).reshape(-1, PACK) @ 2.0 ** np.arange(PACK)
    return np.concatenate([[bits.size], packed])


@dataclass(frozen=True)
class CodebookUse(Metric):
    """Share of symbols used, over all streams, in per cent."""

    name: ClassVar[str] = "codebook_use"
    title: ClassVar[str] = "Codebook use"
    unit: ClassVar[str] = "%"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "neither"
    source: ClassVar[str] = "definition"
    revision: ClassVar[int] = 1
    digits: ClassVar[int] = 1

    def statistic(  # type: ignore[override]
        self, streams: Streams, alphabets: Sequence[int] | None
    ) -> Rows:
        """Return the set of symbols seen, packed."""
        return symbols_seen(streams, alphabets)

    def value(self, rows: Rows) -> float:
        """Return the size of the union of the sets over the number of symbols, per cent."""
        union = np.bitwise_or.reduce(rows[:, 1:].astype(np.int64), axis=0)
        used = np.unpackbits(union.view(np.uint8)).sum()
        return float(100 * used / rows[0, 0])


load = loader(CodebookUse)
