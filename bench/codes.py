"""The `.codes` file: what a codec would transmit, in a file that says who can decode it.

Layout, little endian (docs/codes.md has it byte by byte): `HEADER`, the text, a `STREAM` for each
stream, a `PACKET` for each packet, the payload, a CRC-32 of all before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import audio
from systems._base import Card, Codes

MAGIC = b"\x89CODES\r\n"
VERSION = 1
#: Magic, version, streams, packets, bytes of the whole file, samples, sample rate, bytes of text.
HEADER = struct.Struct("<8sHHIQQII")
STREAM = struct.Struct("<IQ")  # alphabet, codes
PACKET = struct.Struct("<I")  # bytes
CHECKSUM = struct.Struct("<I")
#: So many codes are one number in base `alphabet`: where that is a power of two this is plain
#: packing, and elsewhere it wastes less than 1/32 bit per code.
GROUP = 32
ALPHABETS = range(2, 2**32)
#: Parameters that say where something lies on a machine, and not what it is.
PLACES = ("weights", "device")


class Unreadable(ValueError):
    """Not a `.codes` file, a damaged one, or one that this system cannot decode."""


@dataclass(frozen=True)
class Saved:
    """What a `.codes` file holds."""

    codes: Codes
    system: str  # name on the card: the spec that rebuilds the codec
    weights: str  # as on the card
    versions: tuple[str, ...]  # of what encoded it
    sample_rate: int  # Hz


def pack(saved: Saved) -> bytes:
    """Return the bytes of a file.

    Raises:
        ValueError: the system sends no codes, or a code is outside its alphabet.
    """
    codes = saved.codes
    if not codes.streams and not codes.packets:
        msg = f"{saved.system} sends no codes: there is nothing to write"
        raise ValueError(msg)
    for stream, alphabet in zip(codes.streams, codes.alphabets, strict=True):
        if alphabet not in ALPHABETS or ((stream < 0) | (stream >= alphabet)).any():
            msg = f"{saved.system} sent codes outside an alphabet of {alphabet}"
            raise ValueError(msg)
    text = "\n".join((saved.system, saved.weights, ", ".join(saved.versions))).encode()
    pairs = list(zip(codes.streams, codes.alphabets, strict=True))
    parts = [text, *(STREAM.pack(a, s.size) for s, a in pairs)]
    parts += [PACKET.pack(len(p)) for p in codes.packets]
    bits = "".join(piece for s, a in pairs for piece in _bits(s, a))
    parts += [np.packbits(np.frombuffer(bits.encode(), np.uint8) - ord("0")).tobytes()]
    parts += codes.packets
    body = b"".join(parts)
    size = HEADER.size + len(body) + CHECKSUM.size
    counts = (len(codes.streams), len(codes.packets), size, codes.samples)
    whole = HEADER.pack(MAGIC, VERSION, *counts, saved.sample_rate, len(text)) + body
    return whole + CHECKSUM.pack(zlib.crc32(whole))


def unpack(data: bytes) -> Saved:
    """Return what a file's bytes say.

    Raises:
        Unreadable: other data, another version, truncated or damaged.
    """
    if data[: len(MAGIC)] != MAGIC:
        msg = "not a .codes file"
        raise Unreadable(msg)
    if len(data) < HEADER.size:
        msg = f"truncated: {len(data)} bytes, the header alone has {HEADER.size}"
        raise Unreadable(msg)
    _, version, streams, packets, size, samples, rate, text = HEADER.unpack_from(data)
    if version != VERSION:
        msg = f"version {version} of the format; this reads version {VERSION}"
        raise Unreadable(msg)
    if len(data) != size:
        what = "truncated" if len(data) < size else "too long"
        msg = f"{what}: {len(data)} bytes, its header says {size}"
        raise Unreadable(msg)
    if zlib.crc32(data[: -CHECKSUM.size]) != CHECKSUM.unpack(data[-CHECKSUM.size :])[0]:
        msg = "damaged: its checksum does not fit its bytes"
        raise Unreadable(msg)
    try:
        at = HEADER.size + text
        system, weights, versions = data[HEADER.size : at].decode().split("\n")
        tables = [STREAM.unpack_from(data, at + i * STREAM.size) for i in range(streams)]
        at += streams * STREAM.size
        lengths = [PACKET.unpack_from(data, at + i * PACKET.size)[0] for i in range(packets)]
        at += packets * PACKET.size
        end = size - CHECKSUM.size - sum(lengths)
        found, ends = _streams(data[at:end], tables), np.cumsum([end, *lengths]).tolist()
    except (struct.error, ValueError) as error:
        msg = f"damaged: {error}"
        raise Unreadable(msg) from None
    pieces = tuple(data[a:b] for a, b in pairwise(ends))
    codes = Codes(found, tuple(a for a, _ in tables), samples, packets=pieces)
    return Saved(codes, system, weights, tuple(filter(None, versions.split(", "))), rate)


def write(path: Path, codes: Codes, card: Card, sample_rate: int) -> Saved:
    """Write a file in one step and return what it says.

    Raises:
        ValueError: the system sends no codes.
    """
    saved = Saved(codes, card.name, card.weights, card.versions, sample_rate)
    data = pack(saved)
    with audio.whole(path) as draft:
        draft.write_bytes(data)
    return saved


def read(path: Path) -> Saved:
    """Return what a file holds.

    Raises:
        Unreadable: see `unpack`; the message names the file.
        FileNotFoundError: no such file.
    """
    try:
        return unpack(path.read_bytes())
    except Unreadable as fault:
        msg = f"{path}: {fault}"
        raise Unreadable(msg) from None


def check(saved: Saved, card: Card) -> None:
    """Refuse a system that is not the one which encoded a file.

    Raises:
        Unreadable: another system, other parameters or other weights.
    """
    for what, made, ours in (
        ("system", _what(saved.system), _what(card.name)),
        ("weights", saved.weights, card.weights),
    ):
        if made != ours:
            msg = f"encoded with {what} {made}; {card.name} has {ours}: it cannot decode this"
            raise Unreadable(msg)


def encode(system: Any, recording: Path, path: Path) -> Saved:
    """Code a recording with a system into a file.

    Raises:
        Unusable: the recording cannot be read, or is not one finite channel.
        ValueError: the system is no codec, or sends no codes.
    """
    if system.card.task != "codec":
        msg = f"{system.card.name} is no codec"
        raise ValueError(msg)
    try:
        wav, found = audio.read(recording)
    except audio.Unusable as fault:
        msg = f"{recording} {fault}"
        raise audio.Unusable(msg) from None
    rate = system.card.sample_rate or found
    codes = system.encode(audio.resample(wav.astype(np.float32), found, rate))
    return write(path, codes, system.card, rate)


def decode(system: Any, saved: Saved, path: Path) -> None:
    """Write the recording that a file's codes stand for: float32 WAV, or 24-bit FLAC.

    Raises:
        Unreadable: the file is of another system or of other weights.
        ValueError: the recording's name ends in neither.
    """
    import soundfile

    form = {".wav": ("WAV", "FLOAT"), ".flac": ("FLAC", "PCM_24")}.get(path.suffix.lower())
    if form is None:
        msg = f"{path}: the recording's name has to end in .wav or .flac"
        raise ValueError(msg)
    check(saved, system.card)
    wav = system.decode(saved.codes)
    with audio.whole(path) as draft:
        soundfile.write(draft, wav, saved.sample_rate, format=form[0], subtype=form[1])


def about(saved: Saved, path: Path) -> str:
    """Return one line: bitrate, duration, size of the payload's parts and of the file."""
    codes, seconds = saved.codes, saved.codes.samples / saved.sample_rate
    parts = f"{len(codes.packets)} packets" if codes.packets else f"{len(codes.streams)} streams"
    return (
        f"{path}: {saved.system}, {codes.bits / seconds / 1000:.2f} kbps ({codes.bits:.0f} bits in "
        f"{parts} for {seconds:.2f} s); file {path.stat().st_size} bytes"
    )


def _what(name: str) -> str:
    """Return a spec without the parameters that say where weights lie."""
    head, _, rest = name.partition(":")
    kept = [p for p in rest.split(",") if p.partition("=")[0] not in PLACES]
    return ":".join(filter(None, (head, ",".join(kept))))


def _bits(stream: NDArray[np.int64], alphabet: int) -> Iterator[str]:
    """Yield the binary digits of each group of codes."""
    symbols = stream.tolist()
    for start in range(0, len(symbols), GROUP):
        group, value = symbols[start : start + GROUP], 0
        for symbol in group:
            value = value * alphabet + symbol
        if width := _width(alphabet, len(group)):
            yield format(value, f"0{width}b")


def _width(alphabet: int, count: int) -> int:
    return int((alphabet**count - 1).bit_length())


def _streams(payload: bytes, tables: list[tuple[int, int]]) -> tuple[NDArray[np.int64], ...]:
    """Return the streams that a payload holds.

    Raises:
        ValueError: its length is not that of the streams, or a number is none of an alphabet.
    """
    if bad := [t for t in tables if t[0] not in ALPHABETS or t[1] > 8 * len(payload)]:
        msg = f"{bad[0][1]} codes of an alphabet of {bad[0][0]} in {len(payload)} bytes of payload"
        raise ValueError(msg)
    groups = [[min(GROUP, n - i) for i in range(0, n, GROUP)] for a, n in tables]
    widths = [[_width(a, n) for n in g] for (a, _), g in zip(tables, groups, strict=True)]
    if len(payload) != -(-sum(map(sum, widths)) // 8):
        msg = f"{len(payload)} bytes of payload are not those of its streams"
        raise ValueError(msg)
    digits = (np.unpackbits(np.frombuffer(payload, np.uint8)) + ord("0")).tobytes().decode()
    at, found = 0, []
    for (alphabet, _), counts, sizes in zip(tables, groups, widths, strict=True):
        symbols: list[int] = []
        for count, width in zip(counts, sizes, strict=True):
            value = int(digits[at : at + width] or "0", 2)
            at += width
            if value >= alphabet**count:
                msg = f"a number outside an alphabet of {alphabet}"
                raise ValueError(msg)
            group = []
            for _ in range(count):
                value, symbol = divmod(value, alphabet)
                group.append(symbol)
            symbols += group[::-1]
        found.append(np.array(symbols, np.int64))
    return tuple(found)
