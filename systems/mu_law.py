"""G.711-style mu-law companding: the floor every neural codec must clear.

Paper: ITU-T G.711 (11/88).

Symbols: mu = 255; x sample in [-1, 1]; y companded sample in [-1, 1].

Map:
    Eq. (compress)  F(x) = sgn(x) ln(1 + mu |x|) / ln(1 + mu)  -> compress
    Eq. (expand)    F^-1(y) = sgn(y) ((1 + mu)^|y| - 1) / mu   -> expand

Misleads: 8 bits at 8 kHz are 64 kbps and near transparent within telephone band; 4 bits sound like
noise and still follow the waveform, so SI-SDR flatters it beside any parametric codec.
Deviations: on the card.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from systems._base import Audio, Card, Codes

MU = 255


def compress(x: NDArray[np.float64], mu: int) -> NDArray[np.float64]:
    """Eq. (compress): map x to y, same shape."""
    return np.sign(x) * np.log1p(mu * np.abs(x)) / np.log1p(mu)


def expand(y: NDArray[np.float64], mu: int) -> NDArray[np.float64]:
    """Eq. (expand): map y to x, same shape; the inverse of `compress`."""
    return np.sign(y) * np.expm1(np.abs(y) * np.log1p(mu)) / mu


class MuLaw:
    """One code per sample, ``bits`` bits each.

    Args:
        bits: per sample, 1 to 16.
        sample_rate: Hz; G.711 runs at 8000.

    Raises:
        ValueError: ``bits`` is outside 1 to 16.
    """

    def __init__(self, bits: int = 8, sample_rate: int = 8000) -> None:
        if not 1 <= bits <= 16:
            msg = f"bits={bits} is outside 1 to 16"
            raise ValueError(msg)
        self.levels = 2**bits
        name = f"mu_law:bits={bits}"
        self.card = Card(
            name=name if sample_rate == 8000 else f"{name},sample_rate={sample_rate}",
            task="codec",
            paper="ITU-T G.711 (11/88)",
            sample_rate=sample_rate,
            scale="anchor",
            deviations=(
                "continuous law instead of 14 segments",
                "cell centres are decoded, so digital silence comes back as half a cell",
            ),
            bitrates=(bits * sample_rate / 1000,),
            frame_rate=float(sample_rate),
            latency_seconds=0.0,
        )

    def encode(self, wav: Audio) -> Codes:
        """Quantise (T,) samples to one stream of T codes."""
        y = compress(np.clip(wav.astype(np.float64), -1, 1), MU)
        code = np.minimum((y + 1) / 2 * self.levels, self.levels - 1).astype(np.int64)
        return Codes(streams=(code,), alphabets=(self.levels,), samples=wav.size)

    def decode(self, codes: Codes) -> Audio:
        """Return the cell centres, shape ``(codes.samples,)``."""
        y = (codes.streams[0] + 0.5) / self.levels * 2 - 1
        return expand(y, MU).astype(np.float32)


load = MuLaw
