"""Opus, by the reference library libopus: the classical codec to beat below 32 kbps.

Paper: Valin, Vos and Terriberry, "Definition of the Opus Audio Codec", RFC 6716 (2012); the
start-up delay that a decoder must drop is RFC 7845 (2016), section 4.2.

Symbols: pre-skip -> lead, samples at the encoder's rate.

Map:
    Sec. 4.2 (RFC 7845)  pre-skip, read from the encoder  -> lead_samples
    Sec. 5.1 (RFC 7845)  identification header            -> header

Licence: BSD-3-Clause (libopus), LGPL-2.1-or-later (FFmpeg's libraries), BSD-3-Clause (PyAV).
Traps:
    Bits are those of the packets themselves. An Ogg file adds 27 bytes and more per page and an RTP
    stream 12 bytes per packet; at 6 kbps, where a packet has 15 bytes, that decides a comparison.
    Constant bit rate by default, so that the rate is the one asked for, in whole bytes per packet:
    at 9 kbps and 20 ms it is 23 bytes, 9.2 kbps. libopus is usually run with ``vbr=true``, which
    saves in pauses what it spends on speech, and at 6 kbps is clearly better for fewer bits; a
    claim to beat Opus should beat both. Read the bitrate column.
    The rate of the input matters. libopus picks mode and bandwidth from the bit rate: 4 kHz at
    6 kbps, 8 kHz from about 10, and from about 14 all that the rate of its input can carry, even
    where a resampler left nothing. 16 kHz speech given as 48 kHz loses 0.3 PESQ-WB at 16 kbps
    that way; given as 24 kHz it loses nothing, so 24000 is the default. For a corpus with content
    above 12 kHz say ``sample_rate=48000``.
    The speech modes lag or lead by up to 0.08 ms, which is libopus' own residue; the transform
    mode (high rates) is exact.
    The last packet is coded whole however little of it is used, which a signal of a few frames
    feels in its bitrate. The decoded signal is 16 bit.
"""

from __future__ import annotations

import ctypes
import struct
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from systems._base import Audio, Card, Codes

FRAMES_MS = (10, 20, 40, 60)
RATES = (8000, 12000, 16000, 24000, 48000)


def lead_samples(extradata: bytes, sample_rate: int) -> int:
    """Sec. 4.2 (RFC 7845): samples of start-up delay to drop, at ``sample_rate``.

    The header has them at 48 kHz, little endian, in bytes 10 and 11.
    """
    return int.from_bytes(extradata[10:12], "little") * sample_rate // 48000


def header(sample_rate: int) -> bytes:
    """Sec. 5.1 (RFC 7845): identification header of a mono stream with nothing to skip.

    Nothing, because the skipping is done here and not left to the version of FFmpeg.
    """
    return b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, sample_rate, 0, 0)


class Opus:
    """Real Opus packets, through PyAV's libopus, aligned with the input to the sample.

    Args:
        kbps: 6 to 128, in kbit/s.
        vbr: let the rate follow the signal.
        frame_ms: packet length, 10, 20, 40 or 60 ms.
        sample_rate: Hz handed to the encoder, 8000 to 48000; see the table in ``docs/systems.md``.

    Raises:
        ValueError: a parameter outside these.
        ImportError: PyAV is not installed.
    """

    def __init__(
        self, kbps: float = 6, vbr: bool = False, frame_ms: int = 20, sample_rate: int = 24000
    ) -> None:
        import av

        if not 6 <= kbps <= 128:
            msg = f"kbps={kbps} is outside 6 to 128 kbit/s"
            raise ValueError(msg)
        if frame_ms not in FRAMES_MS:
            msg = f"frame_ms={frame_ms} is none of {', '.join(map(str, FRAMES_MS))} ms"
            raise ValueError(msg)
        if sample_rate not in RATES:
            msg = f"sample_rate={sample_rate} is none of {', '.join(map(str, RATES))} Hz"
            raise ValueError(msg)
        self._av: Any = av
        self.kbps, self.vbr, self.frame_ms = kbps, vbr, frame_ms
        self.frame = sample_rate * frame_ms // 1000
        self.rate = sample_rate
        self.lead = lead_samples(self._encoder().extradata, sample_rate)
        name = f"opus:kbps={kbps:g}"
        name += ",vbr=true" if vbr else ""
        name += f",frame_ms={frame_ms}" if frame_ms != 20 else ""
        name += f",sample_rate={sample_rate}" if sample_rate != 24000 else ""
        self.card = Card(
            name=name,
            task="codec",
            paper="RFC 6716",
            sample_rate=sample_rate,
            licence="BSD-3-Clause (libopus), LGPL-2.1-or-later (FFmpeg)",
            bitrates=(float(kbps),),
            frame_rate=1000 / frame_ms,
            latency_seconds=(self.frame + self.lead) / sample_rate,
            versions=(f"av=={version('av')}", *_libraries(av)),
        )

    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples as packets of one frame each, the last one filled with zeros."""
        count = -(-(wav.size + self.lead) // self.frame)
        pcm = np.zeros((1, count * self.frame), np.float32)
        pcm[0, : wav.size] = np.clip(wav, -1, 1)
        encoder, packets = self._encoder(), []
        for start in range(0, pcm.size, self.frame):
            piece = np.ascontiguousarray(pcm[:, start : start + self.frame])
            frame = self._av.AudioFrame.from_ndarray(piece, format="flt", layout="mono")
            frame.sample_rate, frame.pts = self.rate, start
            packets += [bytes(p) for p in encoder.encode(frame)]
        packets += [bytes(p) for p in encoder.encode(None)]
        return Codes((), (), wav.size, packets=tuple(packets[:count]))

    def decode(self, codes: Codes) -> Audio:
        """Decode, drop the start-up delay and cut to ``(codes.samples,)``."""
        decoder = self._av.CodecContext.create("libopus", "r")
        decoder.extradata = header(self.rate)
        decoder.sample_rate, decoder.layout = self.rate, "mono"
        decoder.open()
        pieces = [f for p in codes.packets for f in decoder.decode(self._av.Packet(p))]
        pcm = np.concatenate([_as_float(f.to_ndarray())[0] for f in pieces])
        rate = pieces[0].sample_rate
        if rate != self.rate:
            pcm = soxr.resample(pcm, rate, self.rate, quality="VHQ")
        return np.clip(pcm[self.lead : self.lead + codes.samples], -1, 1).astype(np.float32)

    def _encoder(self) -> Any:
        encoder = self._av.CodecContext.create("libopus", "w")
        encoder.sample_rate, encoder.layout, encoder.format = self.rate, "mono", "flt"
        encoder.bit_rate = round(self.kbps * 1000)
        encoder.options = {
            "application": "voip",
            "vbr": "on" if self.vbr else "off",
            "frame_duration": str(self.frame_ms),
        }
        encoder.open()
        return encoder


def _as_float(pcm: Any) -> Any:
    return pcm / np.float32(32768) if pcm.dtype == np.int16 else pcm


def _libraries(av: Any) -> tuple[str, ...]:
    """Name the libraries behind PyAV; libopus only where its wheel carries it as a file."""
    found = ["libavcodec==" + ".".join(map(str, av.library_versions["libavcodec"]))]
    package = Path(av.__file__).parent
    for folder in (package.parent / "av.libs", package / ".dylibs"):
        for path in folder.glob("libopus*"):
            say = ctypes.CDLL(str(path)).opus_get_version_string
            say.restype = ctypes.c_char_p
            found.append(say().decode().replace(" ", "=="))
    return tuple(found)


load = Opus
