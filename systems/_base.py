"""What a system is: a card, and one of two interfaces. NumPy at the boundary, torch inside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]  # mono, in [-1, 1], shape (T,), at the card's sample rate

#: Keys of `Card.paper`; `bench card` measures each of them beside the published value.
FIGURES = (
    "parameters",
    "macs_per_second",
    "macs_send",
    "macs_receive",
    "latency_seconds",
    "frame_rate",
    "bitrates",
    "sample_rate",
)


@dataclass(frozen=True)
class Card:
    """What a reader must know before believing a number of this system.

    Everything here is a cause of the output: two runs whose cards are equal, on the same data with
    the same seed, are the same run.
    """

    name: str  # the spec that rebuilds it: "opus:kbps=6"
    task: Literal["codec", "tts"]
    sample_rate: int  # Hz, of what goes in and of what comes out; 0: as the input
    paper: str = ""  # "arXiv:2601.13055v1"; empty when there is none
    weights: str = "none"  # "sha256:<hex>", "random:seed=0", "none" (no parameters)
    scale: Literal["paper", "reduced", "anchor", "unknown"] = "paper"  # reduced: less trained too
    licence: str = ""  # of the weights or the wrapped library
    deviations: tuple[str, ...] = ()  # where this code knowingly departs from the paper
    bitrates: tuple[float, ...] = ()  # kbps (1000 bit/s) it can be run at
    frame_rate: float | None = None  # code frames per second
    latency_seconds: float | None = None  # buffering plus look-ahead, without processing time
    versions: tuple[str, ...] = ()  # "package==1.2" of whatever produces the samples
    code: str = ""  # digest of the source that made it; the loader fills it in
    paper_figures: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)  # FIGURES


@dataclass(frozen=True)
class Codes:
    """What a codec would transmit.

    Either integer streams, whose bits are counted from their alphabets, or the packets of a real
    bitstream, whose bits are counted from their bytes.
    """

    streams: tuple[NDArray[np.int64], ...]  # each of shape (frames_i,)
    alphabets: tuple[int, ...]  # symbols run from 0 to alphabet - 1
    samples: int  # length of the signal they stand for
    packets: tuple[bytes, ...] = ()  # a real bitstream, instead of streams

    @property
    def bits(self) -> float:
        """Size in bits: fixed-length coding of the streams plus the packets' bytes."""
        coded = sum(
            s.size * math.log2(a) for s, a in zip(self.streams, self.alphabets, strict=True)
        )
        return coded + 8 * sum(map(len, self.packets))


@dataclass(frozen=True)
class Request:
    """One thing to say."""

    text: str | Iterable[str]  # an iterable yields words as they become known
    language: str = "en"
    prompt: Audio | None = None  # the voice to imitate
    prompt_text: str | None = None
    style_prompt: Audio | None = None
    emotion: Mapping[str, float] = field(default_factory=dict)  # label -> share
    controls: Mapping[str, float] = field(default_factory=dict)  # steering strengths, by name
    seed: int = 0


@runtime_checkable
class Codec(Protocol):
    """Audio to codes and back. `decode` returns exactly ``codes.samples`` samples."""

    card: Card

    def encode(self, wav: Audio) -> Codes:
        """Code one recording at the card's rate, shape ``(T,)``; T may be 1."""
        ...

    def decode(self, codes: Codes) -> Audio:
        """Return float32 audio, shape ``(codes.samples,)``."""
        ...


@runtime_checkable
class Synthesizer(Protocol):
    """Text to audio, in packets."""

    card: Card

    def synthesize(self, request: Request) -> Iterator[Audio]:
        """Yield packets of float32 audio at the card's rate; one packet if it cannot stream."""
        ...
