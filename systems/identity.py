"""The input itself: the ceiling of every table, and the check that scoring is aligned.

Source: none; y[t] = x[t].
Misleads: a metric that does not give `identity` its best value is measuring the resampler, the
file format or itself. No codec can be above it in a metric that compares with the same recording;
one that is (a no-reference quality model) heard noise removed.
Bits: none. It transmits no code, so its `Codes` has neither streams nor packets, which is how a
reader tells "emits no codes" from "emits zero bits".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from systems._base import Audio, Card, Codes


@dataclass(frozen=True, eq=False)
class Waveform(Codes):
    """What passes through a system that is no codec: the samples, and no code."""

    wav: Audio = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)


class Identity:
    """Gives back what it got, at any rate."""

    def __init__(self) -> None:
        self.card = Card(
            name="identity", task="codec", sample_rate=0, scale="anchor", latency_seconds=0.0
        )

    def encode(self, wav: Audio) -> Codes:
        """Keep a copy of (T,) samples."""
        return Waveform((), (), wav.size, wav=np.array(wav, np.float32))

    def decode(self, codes: Codes) -> Audio:
        """Return the kept samples, shape ``(codes.samples,)``.

        Raises:
            ValueError: codes of another system, which carry no samples.
        """
        if not isinstance(codes, Waveform):
            msg = "identity can only decode what identity encoded: these codes carry no samples"
            raise ValueError(msg)
        return codes.wav.copy()


load = Identity
