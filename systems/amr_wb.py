"""AMR-WB (G.722.2), wideband telephony, by VisualOn's encoder and OpenCORE's decoder.

Paper: 3GPP TS 26.190 and 26.201; ITU-T G.722.2 (2003).

Licence: Apache-2.0 (vo-amrwbenc, a Debian package), Apache-2.0 (OpenCORE, in PyAV's wheel).
Traps:
    FFmpeg has the decoder alone, so the encoder is the system's library libvo-amrwbenc, called
    directly: `apt-get install libvo-amrwbenc0`.
    Bits are the frames' speech bits, one after another; the header byte of each frame in a file and
    the padding to bytes are left out, as TS 26.201 counts 6.60 to 23.85 kbps.
    Patents may need a licence where you are. No discontinuous transmission: pauses cost the same.
    The band is 50 to 7000 Hz, the band above 6.4 kHz is made up except at 23.85 kbps.
"""

from __future__ import annotations

import ctypes
from ctypes.util import find_library
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np

from systems._base import Audio, Card, Codes

#: kbit/s of a mode -> speech bits of its frame of 20 ms (TS 26.201, table 2), in order of modes.
BITS = {
    6.6: 132,
    8.85: 177,
    12.65: 253,
    14.25: 285,
    15.85: 317,
    18.25: 365,
    19.85: 397,
    23.05: 461,
    23.85: 477,
}
RATE, FRAME = 16000, 320
#: Samples by which the decoder lags the recording, read off speech at every mode.
LEAD = 95


class AmrWb:
    """Real AMR-WB frames of 20 ms.

    Args:
        kbps: 6.6, 8.85, 12.65, 14.25, 15.85, 18.25, 19.85, 23.05 or 23.85.

    Raises:
        ValueError: no such mode.
        ImportError: PyAV or libvo-amrwbenc is not installed.
    """

    def __init__(self, kbps: float = 12.65) -> None:
        import av

        if kbps not in BITS:
            msg = f"kbps={kbps:g} is none of {', '.join(map(str, BITS))} kbit/s"
            raise ValueError(msg)
        self._av: Any = av
        self._library = _library()
        self.mode, self.bits = list(BITS).index(kbps), BITS[kbps]
        self.card = Card(
            name=f"amr_wb:kbps={kbps:g}",
            task="codec",
            paper="ITU-T G.722.2",
            sample_rate=RATE,
            licence="Apache-2.0 (vo-amrwbenc, OpenCORE); patents",
            bitrates=tuple(BITS),
            frame_rate=RATE / FRAME,
            latency_seconds=(FRAME + LEAD) / RATE,
            versions=(f"av=={version('av')}", self._library._name),
        )

    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples; packet i ends with the last whole byte that frame i completes."""
        count = -(-(wav.size + LEAD) // FRAME)
        pcm = np.zeros(count * FRAME, np.int16)
        pcm[: wav.size] = np.clip(np.round(wav.astype(np.float64) * 32768), -32768, 32767)
        state, out, bits = ctypes.c_void_p(self._library.E_IF_init()), (ctypes.c_uint8 * 64)(), []
        try:
            for frame in pcm.reshape(count, FRAME):
                speech = np.ascontiguousarray(frame)
                where = ctypes.c_void_p(speech.ctypes.data)
                size = self._library.E_IF_encode(state, self.mode, where, out, 0)
                data = np.frombuffer(bytes(out[1:size]), np.uint8)  # after the header byte
                bits.append(np.unpackbits(data)[: self.bits])
        finally:
            self._library.E_IF_exit(state)
        stream = np.packbits(np.concatenate(bits)).tobytes()
        ends = [i * self.bits // 8 for i in range(count)] + [len(stream)]
        return Codes((), (), wav.size, packets=tuple(stream[a:b] for a, b in pairwise(ends)))

    def decode(self, codes: Codes) -> Audio:
        """Decode, drop the delay and cut to ``(codes.samples,)``."""
        stream = np.unpackbits(np.frombuffer(b"".join(codes.packets), np.uint8))
        frames = stream[: stream.size // self.bits * self.bits].reshape(-1, self.bits)
        decoder = self._av.CodecContext.create("libopencore_amrwb", "r")
        decoder.sample_rate, decoder.layout = RATE, "mono"
        header, pieces = bytes([self.mode << 3 | 4]), []
        for frame in frames:
            packet = self._av.Packet(header + np.packbits(frame).tobytes())
            pieces += [f.to_ndarray().reshape(-1) for f in decoder.decode(packet)]
        pcm = np.concatenate(pieces)[LEAD : LEAD + codes.samples]
        return (pcm / np.float32(32768)).astype(np.float32)


def _library() -> Any:
    """Return the encoder's library.

    Raises:
        ImportError: it is not installed.
    """
    name = find_library("vo-amrwbenc")
    if name is None:
        raise ImportError(name="libvo_amrwbenc")
    library = ctypes.CDLL(name)
    library.E_IF_init.restype = ctypes.c_void_p
    return library


load = AmrWb
