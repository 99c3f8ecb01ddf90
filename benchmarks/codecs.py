"""How fast the codecs of the three papers are on one core, whole recordings and packet by packet.

    python benchmarks/codecs.py

One thread. `encode` and `decode`: seconds for one second of audio, 20 s at once, median of five.
Packets: one hop of samples into `encoder().push`, one frame of codes into `decoder().push`, after
a second of warm-up; the median and the 99th percentile of the milliseconds that one takes, beside
those that a hop lasts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from bench import plugins

SYSTEMS = ("vocodec:kbps=6", "vocodec:kbps=6,enhance=true", "ibpcodec:kbps=3", "eulerodec:kbps=6")
SECONDS = 20


def clock(work: Callable[..., object], *given: object) -> float:
    """Return the seconds that it takes."""
    start = time.perf_counter()
    work(*given)
    return time.perf_counter() - start


def shown(times: Sequence[float], hop: float) -> str:
    """Return median and 99th percentile beside the hop, in ms."""
    ms = 1000 * np.asarray(times)
    return f"{np.median(ms):.2f}, {np.percentile(ms, 99):.2f} of {1000 * hop:g}"


def row(spec: str) -> list[str]:
    """Return the cells of one system."""
    codec = plugins.load("systems", spec)
    rate, frames = codec.card.sample_rate, codec.card.frame_rate
    wav = np.random.default_rng(0).standard_normal(SECONDS * rate).astype(np.float32) * 0.1
    codes = codec.encode(wav)
    cells = [
        f"{statistics.median(clock(work, given) for _ in range(5)) / SECONDS:.3f}"
        for work, given in ((codec.encode, wav), (codec.decode, codes))
    ]
    if not hasattr(codec, "encoder"):
        return [f"`{spec}`", *cells, "-", "-"]
    hop, warm = round(rate / frames), round(frames)
    sender, receiver, both = codec.encoder(), codec.decoder(), np.stack(codes.streams, 1)
    into = [clock(sender.push, wav[i : i + hop]) for i in range(0, wav.size, hop)]
    out = [clock(receiver.push, both[i : i + 1]) for i in range(len(both))]
    return [f"`{spec}`", *cells, *(shown(times[warm:], hop / rate) for times in (into, out))]


def main() -> None:
    """Print a table of Markdown."""
    torch.set_num_threads(1)
    print("| system | encode | decode | packet in (ms) | packet out (ms) |")
    print("|---|---|---|---|---|")
    for spec in SYSTEMS:
        print(f"| {' | '.join(row(spec))} |")


if __name__ == "__main__":
    main()
