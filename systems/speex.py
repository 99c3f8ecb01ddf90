"""Speex, wideband, by its reference library: the CELP codec before Opus.

Paper: J.-M. Valin, "Speex: a free codec for free speech" (2006); the manual of libspeex 1.2.

Licence: BSD-3-Clause (libspeex, a Debian package).
Traps:
    PyAV has a decoder alone, so both sides are the system's libspeex, called directly:
    `apt-get install libspeex1`.
    A frame comes out 34 ms late: its own 20 ms and the look-ahead that the library reports.
    Constant rate by `quality`; each packet is one frame, filled to whole bytes by the terminator of
    the format, which counts. Its makers have recommended Opus since 2012.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from typing import Any

import numpy as np

from systems._base import Audio, Card, Codes

RATE, FRAME = 16000, 320
# Numbers of requests and of the wideband mode in speex.h.
SET_QUALITY, GET_BITRATE, GET_LOOKAHEAD, WIDEBAND = 4, 19, 39, 1


class Bits(ctypes.Structure):
    """SpeexBits of speex_bits.h: a buffer that the library fills and empties."""

    _fields_ = (
        ("chars", ctypes.c_void_p),
        *((n, ctypes.c_int) for n in ("count", "byte", "bit", "owner", "overflow", "size", "one")),
        ("two", ctypes.c_void_p),
    )


class Speex:
    """Real Speex frames of 20 ms at a constant rate.

    Args:
        quality: 0 to 10, 4 to 42 kbps.

    Raises:
        ValueError: another quality.
        ImportError: libspeex is not installed.
    """

    def __init__(self, quality: int = 4) -> None:
        if quality not in range(11):
            msg = f"quality={quality} is outside 0 to 10"
            raise ValueError(msg)
        self.quality, self._speex = quality, _library()
        with self._side("encoder") as (state, _):
            bitrate = self._ask("encoder", state, GET_BITRATE)
            self.lead = self._ask("encoder", state, GET_LOOKAHEAD)
        with self._side("decoder") as (state, _):
            self.lead += self._ask("decoder", state, GET_LOOKAHEAD)
        self.lead += FRAME  # which the library does not report: the encoder is one frame behind
        self.card = Card(
            name=f"speex:quality={quality}",
            task="codec",
            paper="Speex",
            sample_rate=RATE,
            licence="BSD-3-Clause (libspeex)",
            bitrates=(8 * -(-bitrate * FRAME // RATE // 8) * RATE / FRAME / 1000,),
            frame_rate=RATE / FRAME,
            latency_seconds=self.lead / RATE,
            versions=(self._speex._name,),
        )

    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples as packets of one frame each, the last one filled with zeros."""
        count = -(-(wav.size + self.lead) // FRAME)
        pcm = np.zeros(count * FRAME, np.int16)
        pcm[: wav.size] = np.clip(np.round(wav.astype(np.float64) * 32768), -32768, 32767)
        packets, out = [], ctypes.create_string_buffer(256)
        with self._side("encoder") as (state, bits):
            for frame in pcm.reshape(count, FRAME):
                speech = frame.copy()  # the library may write to it
                self._speex.speex_bits_reset(bits)
                self._speex.speex_encode_int(state, ctypes.c_void_p(speech.ctypes.data), bits)
                packets.append(out.raw[: self._speex.speex_bits_write(bits, out, 256)])
        return Codes((), (), wav.size, packets=tuple(packets))

    def decode(self, codes: Codes) -> Audio:
        """Decode, drop the delay and cut to ``(codes.samples,)``."""
        pcm = np.zeros((len(codes.packets), FRAME), np.int16)
        with self._side("decoder") as (state, bits):
            for out, packet in zip(pcm, codes.packets, strict=True):
                self._speex.speex_bits_read_from(bits, packet, len(packet))
                self._speex.speex_decode_int(state, bits, ctypes.c_void_p(out.ctypes.data))
        wav = pcm.reshape(-1)[self.lead : self.lead + codes.samples]
        return (wav / np.float32(32768)).astype(np.float32)

    @contextmanager
    def _side(self, side: str) -> Iterator[tuple[ctypes.c_void_p, Any]]:
        mode = ctypes.c_void_p(self._speex.speex_lib_get_mode(WIDEBAND))
        state = ctypes.c_void_p(getattr(self._speex, f"speex_{side}_init")(mode))
        bits = Bits()
        self._speex.speex_bits_init(ctypes.byref(bits))
        if side == "encoder":
            self._ask(side, state, SET_QUALITY, self.quality)
        try:
            yield state, ctypes.byref(bits)
        finally:
            self._speex.speex_bits_destroy(ctypes.byref(bits))
            getattr(self._speex, f"speex_{side}_destroy")(state)

    def _ask(self, side: str, state: ctypes.c_void_p, request: int, value: int = 0) -> int:
        held = ctypes.c_int(value)
        getattr(self._speex, f"speex_{side}_ctl")(state, request, ctypes.byref(held))
        return held.value


def _library() -> Any:
    """Return libspeex.

    Raises:
        ImportError: it is not installed.
    """
    name = find_library("speex")
    if name is None:
        raise ImportError(name="libspeex")
    library = ctypes.CDLL(name)
    for f in ("speex_lib_get_mode", "speex_encoder_init", "speex_decoder_init"):
        getattr(library, f).restype = ctypes.c_void_p
    return library


load = Speex
