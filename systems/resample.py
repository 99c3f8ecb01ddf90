"""Band limit: down to a lower sampling rate and back, everything below its half kept.

Source: libsoxr, very high quality recipe (LGPL-2.1), linear phase, pass band up to 0.91 of the
lower rate's half.
Misleads: it separates bandwidth from coding. A codec below `resample:rate=8000` loses more than the
band above 4 kHz; PESQ-WB hears the missing band, STOI (which stops at about 4.3 kHz) hardly does.
Bits: none; it is a filter, not a codec. It needs the whole signal's filter reach, so it is
not causal and claims no latency.
"""

from __future__ import annotations

import numpy as np
import soxr

from systems._base import Audio, Card, Codes
from systems.identity import Waveform


class Resample:
    """Down to ``rate`` and back up.

    Args:
        rate: Hz; what is left of the spectrum ends at half of it.
        sample_rate: Hz in and out. 48000 by default, so that any recording keeps its own band
            on the way in.

    Raises:
        ValueError: ``rate`` is not between 1000 and ``sample_rate``.
    """

    def __init__(self, rate: int = 8000, sample_rate: int = 48000) -> None:
        if not 1000 <= rate <= sample_rate:
            msg = f"rate={rate} is outside 1000 to {sample_rate} Hz (sample_rate)"
            raise ValueError(msg)
        self.rate = rate
        name = f"resample:rate={rate}"
        self.card = Card(
            name=name if sample_rate == 48000 else f"{name},sample_rate={sample_rate}",
            task="codec",
            sample_rate=sample_rate,
            scale="anchor",
            licence="LGPL-2.1 (libsoxr)",
            versions=(f"soxr=={soxr.__version__}", f"libsoxr=={soxr.__libsoxr_version__}"),
        )

    def encode(self, wav: Audio) -> Codes:
        """Filter (T,) samples; nothing is coded."""
        full = self.card.sample_rate
        tail = np.zeros(full // 10, np.float32)  # the filters' tail, and something to cut from
        low = soxr.resample(np.concatenate([wav, tail]), full, self.rate, quality="VHQ")
        back = soxr.resample(low, self.rate, full, quality="VHQ")[: wav.size]
        # A band-limited square overshoots; samples beyond full scale do not exist in a file.
        return Waveform((), (), wav.size, wav=np.clip(back, -1, 1).astype(np.float32))

    def decode(self, codes: Codes) -> Audio:
        """Return the filtered samples, shape ``(codes.samples,)``.

        Raises:
            ValueError: codes of another system, which carry no samples.
        """
        if not isinstance(codes, Waveform):
            msg = "resample can only decode what resample encoded: these codes carry no samples"
            raise ValueError(msg)
        return codes.wav.copy()


load = Resample
