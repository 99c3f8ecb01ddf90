"""LC3, the codec of Bluetooth LE Audio, by Google's liblc3.

Paper: Bluetooth SIG, "Low Complexity Communication Codec" 1.0.1 (2024); its sibling LC3plus
(ETSI TS 103 634) and its high-resolution mode are not used here.

Licence: Apache-2.0 (liblc3 and its Python wrapper).
Traps:
    20 bytes are the least a frame can have, so 16 kbps is the floor at 10 ms: there is no LC3 at
    the rates of neural codecs, and a row of it stands beside them as what 16 kbps of 2020
    bought at 12.5 ms.
    A rate that is no whole number of bytes per frame is rounded down by the library; the card has
    the rate that is left.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from systems._base import Audio, Card, Codes

FRAMES_MS = (7.5, 10)
RATES = (8000, 16000, 24000, 32000, 48000)


class Lc3:
    """Real LC3 frames at a constant rate, aligned with the input to the sample.

    Args:
        kbps: 16 to 320 at 10 ms, in kbit/s.
        frame_ms: 7.5 or 10 ms.
        sample_rate: 8000, 16000, 24000, 32000 or 48000 Hz.

    Raises:
        ValueError: a parameter outside these.
        ImportError: lc3py is not installed.
    """

    def __init__(self, kbps: float = 16, frame_ms: float = 10, sample_rate: int = 24000) -> None:
        import lc3

        if frame_ms not in FRAMES_MS:
            msg = f"frame_ms={frame_ms} is none of {', '.join(map(str, FRAMES_MS))} ms"
            raise ValueError(msg)
        if sample_rate not in RATES:
            msg = f"sample_rate={sample_rate} is none of {', '.join(map(str, RATES))} Hz"
            raise ValueError(msg)
        self._lc3: Any = lc3
        self._size = (round(frame_ms * 1000), sample_rate)
        coder = lc3.Encoder(*self._size)
        least, most = (coder.get_frame_bytes(b) * 8 / frame_ms for b in (0, 2**31 - 1))
        if not least <= kbps <= most:
            msg = f"kbps={kbps} is outside {least:.4g} to {most:.4g} kbit/s at {frame_ms} ms"
            raise ValueError(msg)
        self.bytes = coder.get_frame_bytes(round(kbps * 1000))
        self.frame, self.lead = coder.get_frame_samples(), coder.get_delay_samples()
        name = f"lc3:kbps={kbps:g}"
        name += f",frame_ms={frame_ms}" if frame_ms != 10 else ""
        name += f",sample_rate={sample_rate}" if sample_rate != 24000 else ""
        self.card = Card(
            name=name,
            task="codec",
            paper="Bluetooth LC3 1.0.1",
            sample_rate=sample_rate,
            licence="Apache-2.0 (liblc3)",
            bitrates=(self.bytes * 8 / frame_ms,),
            frame_rate=1000 / frame_ms,
            latency_seconds=(self.frame + self.lead) / sample_rate,
            versions=(f"lc3py=={version('lc3py')}",),
        )

    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples as packets of one frame each, the last one filled with zeros."""
        count = -(-(wav.size + self.lead) // self.frame)
        pcm = np.zeros(count * self.frame, np.float32)
        pcm[: wav.size] = np.clip(wav, -1, 1)
        coder = self._lc3.Encoder(*self._size)
        frames = pcm.reshape(count, self.frame)
        return Codes(
            (), (), wav.size, packets=tuple(bytes(coder.encode(f, self.bytes)) for f in frames)
        )

    def decode(self, codes: Codes) -> Audio:
        """Decode, drop the delay and cut to ``(codes.samples,)``."""
        coder = self._lc3.Decoder(*self._size)
        pcm = np.concatenate([np.asarray(coder.decode(p), np.float32) for p in codes.packets])
        return np.clip(pcm[self.lead : self.lead + codes.samples], -1, 1)


load = Lc3
