"""Digital silence of the right length: what a metric gives to a system that says nothing.

Source: none; y[t] = 0.
Misleads: where `silence` is above a codec, the metric rewards caution (a log-spectral distance does
on loud, wrong output). PESQ, STOI and SI-SDR are not defined on it and must say so, not score it.
Bits: none; it transmits the length only.
"""

from __future__ import annotations

import numpy as np

from systems._base import Audio, Card, Codes


class Silence:
    """Zeros, at any rate."""

    def __init__(self) -> None:
        self.card = Card(name="silence", task="codec", sample_rate=0, scale="anchor")

    def encode(self, wav: Audio) -> Codes:
        """Note how many samples came."""
        return Codes((), (), wav.size)

    def decode(self, codes: Codes) -> Audio:
        """Return zeros, shape ``(codes.samples,)``."""
        return np.zeros(codes.samples, np.float32)


load = Silence
