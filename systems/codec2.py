"""Codec 2, by its reference library: parametric speech at 0.7 to 3.2 kbps.

Paper: D. Rowe, Codec 2 (libcodec2, https://github.com/drowe67/codec2); there is no standard, the
library is the definition.

Licence: LGPL-2.1 (libcodec2), BSD (pycodec2).
Traps:
    No phase is sent, so waveform measures (SI-SDR, and STOI to a part) call it far worse than it
    sounds; and 8 kHz is all it has, which PESQ-WB counts against it.
    Bits are the frames', one after another without padding: 52 bits at mode 1300 and 28 at 700C are
    no whole bytes, and the usual file tools round each frame up. Here only the last byte is filled.
    libcodec2 draws the phases of unvoiced sound from one generator for the whole process, which
    nothing resets: the same bits decode differently each time. Here every recording is decoded by
    a library loaded afresh, so that equal codes give equal samples.
    The delay of analysis and interpolation is not documented (`LEAD`), and with no phase sent
    no waveform can show it: it was read off the algorithm and checked on envelopes and STOI.
"""

from __future__ import annotations

import _ctypes
import ctypes
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systems._base import Audio, Card, Codes

#: Name of a mode -> (what pycodec2 calls it, number of the mode in the library's interface).
MODES = {
    "3200": (3200, 0),
    "2400": (2400, 1),
    "1600": (1600, 2),
    "1400": (1400, 3),
    "1300": (1300, 4),
    "1200": (1200, 5),
    "700C": (700, 8),
}
RATE = 8000
#: Samples by which the decoder lags the recording: the analysis window reaches 160 samples past its
#: centre, and 700C plays each frame one 80-sample step later. STOI of speech is highest there.
LEAD = {mode: 240 if mode == "700C" else 160 for mode in MODES}


class Codec2:
    """Real Codec 2 frames, 20 or 40 ms each.

    Args:
        mode: 3200, 2400, 1600, 1400, 1300, 1200 or 700C, its rate in bit/s.

    Raises:
        ValueError: no such mode.
        ImportError: pycodec2 is not installed, or without libcodec2 beside it.
    """

    def __init__(self, mode: int | str = 3200) -> None:
        import pycodec2

        self.mode = "700C" if str(mode).upper() in {"700", "700C"} else str(mode)
        if self.mode not in MODES:
            msg = f"mode={mode} is none of {', '.join(MODES)}"
            raise ValueError(msg)
        self._pycodec2: Any = pycodec2
        self._library = _library(Path(pycodec2.__file__).parent)
        coder = self._coder()
        self.frame, self.frame_bits = coder.samples_per_frame(), coder.bits_per_frame()
        self.lead = LEAD[self.mode]
        self.card = Card(
            name=f"codec2:mode={self.mode}",
            task="codec",
            paper="Codec 2",
            sample_rate=RATE,
            licence="LGPL-2.1 (libcodec2), BSD (pycodec2)",
            bitrates=(self.frame_bits * RATE / self.frame / 1000,),
            frame_rate=RATE / self.frame,
            latency_seconds=(self.frame + self.lead) / RATE,
            versions=(f"pycodec2=={version('pycodec2')}",),
        )

    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples; packet i ends with the last whole byte that frame i completes."""
        count = -(-(wav.size + self.lead) // self.frame)
        pcm = np.zeros(count * self.frame, np.int16)
        pcm[: wav.size] = np.clip(np.round(wav.astype(np.float64) * 32768), -32768, 32767)
        coder = self._coder()
        bits = [
            np.unpackbits(np.frombuffer(coder.encode(frame), np.uint8))[: self.frame_bits]
            for frame in pcm.reshape(count, self.frame)
        ]
        stream = np.packbits(np.concatenate(bits)).tobytes()
        ends = [i * self.frame_bits // 8 for i in range(count)] + [len(stream)]
        return Codes(
            (),
            (),
            wav.size,
            packets=tuple(stream[a:b] for a, b in pairwise(ends)),
        )

    def decode(self, codes: Codes) -> Audio:
        """Decode, drop the delay and cut to ``(codes.samples,)``."""
        stream = np.unpackbits(np.frombuffer(b"".join(codes.packets), np.uint8))
        frames = stream[: stream.size // self.frame_bits * self.frame_bits]
        pcm = self._synthesise(frames.reshape(-1, self.frame_bits))
        wav = pcm[self.lead : self.lead + codes.samples] / np.float32(32768)
        return wav.astype(np.float32)

    def _coder(self) -> Any:
        return self._pycodec2.Codec2(MODES[self.mode][0])

    def _synthesise(self, frames: NDArray[np.uint8]) -> NDArray[np.int16]:
        pcm = np.zeros((len(frames), self.frame), np.int16)
        with _afresh(self._library) as library:
            state = ctypes.c_void_p(library.codec2_create(MODES[self.mode][1]))
            for out, bits in zip(pcm, frames, strict=True):
                data = np.packbits(bits).tobytes()
                library.codec2_decode(state, ctypes.c_void_p(out.ctypes.data), data)
            library.codec2_destroy(state)
        return pcm.reshape(-1)


def _library(package: Path) -> Path:
    """Find the libcodec2 that pycodec2's wheel carries.

    Raises:
        ImportError: it was built against a system library; a wheel is needed.
    """
    for folder in (package.parent / "pycodec2.libs", package / ".dylibs"):
        for path in sorted(folder.glob("libcodec2*")):
            return path
    msg = "pycodec2 carries no libcodec2 here; its wheels for Linux and macOS do"
    raise ImportError(msg, name="pycodec2")


@contextmanager
def _afresh(path: Path) -> Iterator[Any]:
    """Load a copy of a library, whose static variables are as on the first day."""
    with TemporaryDirectory() as folder:
        library = ctypes.CDLL(str(shutil.copy(path, folder)))
        library.codec2_create.restype = ctypes.c_void_p
        try:
            yield library
        finally:
            _ctypes.dlclose(library._handle)


load = Codec2
