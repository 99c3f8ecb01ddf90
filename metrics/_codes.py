"""What every metric of code streams does first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics._base import Unscorable

Streams = Sequence[NDArray[np.integer]] | None


def checked_streams(
    streams: Streams, alphabets: Sequence[int] | None
) -> list[tuple[NDArray[np.integer], int]]:
    """Return pairs of symbols, shape ``(frames_i,)``, and size of their alphabet.

    Raises:
        ValueError: as many alphabets as streams are needed; a symbol lies outside its alphabet.
        Unscorable: the system emits no codes, or not one symbol for this utterance.
    """
    if streams is None or alphabets is None or not len(streams):
        msg = "the system emits no codes"
        raise Unscorable(msg)
    if len(streams) != len(alphabets):
        msg = (
            f"need one alphabet per stream, got {len(streams)} streams, {len(alphabets)} alphabets"
        )
        raise ValueError(msg)
    pairs = [(np.asarray(s).ravel(), int(a)) for s, a in zip(streams, alphabets, strict=True)]
    for number, (symbols, size) in enumerate(pairs):
        if symbols.size and not 0 <= symbols.min() <= symbols.max() < size:
            msg = f"stream {number} has symbols {symbols.min()} to {symbols.max()} of {size}"
            raise ValueError(msg)
    if not any(symbols.size for symbols, _ in pairs):
        msg = "no symbol was emitted"
        raise Unscorable(msg, blame="estimate")
    return pairs
