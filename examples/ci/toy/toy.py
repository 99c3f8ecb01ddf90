"""A toy codec: uniform quantisation. What a project of your own would have in its place."""

import numpy as np

from systems._base import Card, Codes

BITS = 8


class Toy:
    """Quantises every sample to `BITS` bits."""

    def __init__(self) -> None:
        self.card = Card(name="toy", task="codec", sample_rate=16000, scale="unknown")

    def encode(self, wav):
        """Return one code for each sample."""
        steps = 2**BITS
        codes = np.clip(np.round((wav + 1) / 2 * steps), 0, steps - 1).astype(np.int64)
        return Codes((codes,), (steps,), wav.size)

    def decode(self, codes):
        """Return the samples."""
        (levels,) = codes.streams
        return (levels / 2 ** (BITS - 1) - 1).astype(np.float32)


load = Toy
