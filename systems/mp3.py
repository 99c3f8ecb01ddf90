"""MP3 by LAME, through PyAV: what 1993 could do, at rates where nobody uses it for speech.

Paper: ISO/IEC 11172-3 (1993) and 13818-3 (1998, lower sampling rates), layer III.

Licence: LGPL-2.0-or-later (LAME), LGPL-2.1-or-later (FFmpeg's libraries), BSD-3-Clause (PyAV).
Traps:
    Bits are all bytes of all frames: an MP3 frame carries its own header and needs no container.
    The bit reservoir is off, so that a frame is what it says and the rate is constant.
    16 kHz (MPEG-2) goes from 8 to 160 kbps; the standard's rates are the only ones there are.
    The start-up delay is LAME's and the decoder's together, checked with an impulse and dropped.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from systems._base import Audio, Card, Codes

RATES = (16000, 22050, 24000)  # of MPEG-2, whose frames have 576 samples
KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
FRAME = 576
LEAD = 576 + 529  # samples: LAME's delay, and that of any decoder of layer III (528 and one)


class Mp3:
    """Real MP3 frames at a constant rate, aligned with the input to the sample.

    Args:
        kbps: one of `KBPS`.
        sample_rate: 16000, 22050 or 24000 Hz.

    Raises:
        ValueError: a parameter outside these.
        ImportError: PyAV is not installed.
    """

    def __init__(self, kbps: int = 24, sample_rate: int = 16000) -> None:
        import av

        if kbps not in KBPS:
            msg = f"kbps={kbps} is none of {', '.join(map(str, KBPS))} kbit/s"
            raise ValueError(msg)
        if sample_rate not in RATES:
            msg = f"sample_rate={sample_rate} is none of {', '.join(map(str, RATES))} Hz"
            raise ValueError(msg)
        self._av: Any = av
        self.kbps, self.rate = kbps, sample_rate
        name = f"mp3:kbps={kbps}"
        self.card = Card(
            name=name if sample_rate == 16000 else f"{name},sample_rate={sample_rate}",
            task="codec",
            paper="ISO/IEC 13818-3",
            sample_rate=sample_rate,
            licence="LGPL-2.0-or-later (LAME), LGPL-2.1-or-later (FFmpeg)",
            bitrates=(float(kbps),),
            frame_rate=sample_rate / FRAME,
            latency_seconds=(FRAME + LEAD) / sample_rate,
            versions=(f"av=={version('av')}",),
        )

    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples as packets of one frame each, the last ones filled with zeros."""
        count = -(-(wav.size + LEAD) // FRAME)
        pcm = np.zeros((1, (count + 2) * FRAME), np.float32)
        pcm[0, : wav.size] = np.clip(wav, -1, 1)
        encoder = self._av.CodecContext.create("libmp3lame", "w")
        encoder.sample_rate, encoder.layout, encoder.format = self.rate, "mono", "fltp"
        encoder.bit_rate, encoder.options = self.kbps * 1000, {"reservoir": "0"}
        packets = []
        for start in range(0, pcm.size, FRAME):
            piece = np.ascontiguousarray(pcm[:, start : start + FRAME])
            frame = self._av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = self.rate, start
            packets += [bytes(p) for p in encoder.encode(frame)]
        packets += [bytes(p) for p in encoder.encode(None)]
        return Codes((), (), wav.size, packets=tuple(packets[:count]))

    def decode(self, codes: Codes) -> Audio:
        """Decode, drop the start-up delay and cut to ``(codes.samples,)``."""
        decoder = self._av.CodecContext.create("mp3float", "r")
        pieces = [f for p in codes.packets for f in decoder.decode(self._av.Packet(p))]
        pcm = np.concatenate([f.to_ndarray()[0] for f in pieces])
        pcm = pcm[LEAD : LEAD + codes.samples]
        return np.clip(np.pad(pcm, (0, codes.samples - pcm.size)), -1, 1).astype(np.float32)


load = Mp3
