"""What a system costs, measured on the system itself: the figures behind ``bench card``.

Nothing here reads a declaration, so a card that promises what its code does not hold is found out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from systems._base import FIGURES, Audio, Codec, Codes

ANY_RATE = 16000  # Hz, at which a system that takes any rate is measured
LISTEN_SECONDS = 1.0  # length of the recordings of the latency probe
PROBES = 48  # at most so many places where the input is changed
AUDIBLE = 1e-6  # of the peak: less than this is rounding, or the far tail of a filter


def measure(system: Any, *, seconds: float = 10.0) -> dict[str, Any]:
    """Measure parameters, MACs, latency, frame rate and bitrate of one system.

    Args:
        system: a codec or a synthesizer. One made of torch keeps its network in ``net``.
        seconds: length of the noise that is coded. Rates are those of all but its first 40 %, so
            that what a codec adds once per recording is not counted.

    Returns:
        ``parameters``: elements of ``system.net.parameters()``, or None without a network.
        ``macs_send``, ``macs_receive``, ``macs_per_second``: multiply-accumulates per second of
        audio in `encode`, `decode` and both, see `count_macs`; None without a network.
        ``latency_seconds``: see `latency`.
        ``frame_rate``: frames per second of the longest stream, or packets per second; None when no
        codes are sent.
        ``bitrates``: kbps. The card's, with the one that this system is set to replaced by
        what was measured; empty when no codes are sent.
        ``sample_rate``, ``scale``: from the card. ``paper``: the published figures, None where
        there is none. A synthesizer has None for all that needs codes.

    Raises:
        ValueError: ``seconds`` is below 1, too short for a rate.
    """
    if seconds < 1:
        msg = f"seconds={seconds} is too short to measure a rate; give at least 1"
        raise ValueError(msg)
    card = system.card
    net = getattr(system, "net", None)
    send = receive = delay = frame_rate = None
    bitrates: tuple[float, ...] = card.bitrates
    if card.task == "codec":
        rate = card.sample_rate or ANY_RATE
        wav = noise(round(seconds * rate), 0.1)
        head = round(0.4 * wav.size)  # leaves 6 of 10 s, whole in frames of 7.5, 20, 40 and 60 ms
        part, full = system.encode(wav[:head]), system.encode(wav)
        span = (wav.size - head) / rate
        frame_rate = (_frames(full) - _frames(part)) / span or None
        kbps = (full.bits - part.bits) / span / 1000
        bitrates = _with(card.bitrates, kbps) if full.streams or full.packets else ()
        delay = latency(system, rate=rate, hop=round(rate / (frame_rate or 100)))
        if net is not None:
            send = count_macs(lambda: system.encode(wav)) / seconds
            receive = count_macs(lambda: system.decode(full)) / seconds
    return {
        "parameters": None if net is None else sum(p.numel() for p in net.parameters()),
        "macs_per_second": None if send is None or receive is None else send + receive,
        "macs_send": send,
        "macs_receive": receive,
        "latency_seconds": delay,
        "frame_rate": frame_rate,
        "bitrates": bitrates,
        "sample_rate": card.sample_rate,
        "scale": card.scale,
        "paper": {key: card.paper_figures.get(key) for key in FIGURES},
    }


def count_macs(work: Callable[[], object]) -> float:
    """Multiply-accumulates of what ``work`` runs in torch: half of its counted FLOPs.

    Counted are convolutions, matrix products (a search through a codebook by product is one) and
    attention. Not counted: Fourier transforms, element-wise operations, normalisation, look-ups,
    recurrent layers where torch runs them as one fused operation, and everything outside torch.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 2


def latency(codec: Codec, *, rate: int, hop: int) -> float | None:
    """Seconds from a sample's start until the codec can play it: buffering and look-ahead.

    The input is changed from sample n on; the first output sample m that differs needed input n.
    The worst n - m over the places n within a hop, plus the one sample that n itself lasts, is what
    has to arrive before m can be played; 0 where no output comes before its cause. A codec of hop H
    without look-ahead has H / rate. A codec that is not causal gets its reach.

    What is not seen: a dependence that stays below a millionth of the peak or that quantisation
    swallows (a jump from silence to noise and one from noise to louder noise are tried, so that
    little is); and waiting that the signal does not need, as for the rest of a packet of
    several frames, or for the 4 ms with which Opus holds its faster mode back. A codec in service
    can be slower than this, never faster.

    Args:
        codec: at ``rate``.
        rate: Hz.
        hop: samples within which the worst place is looked for.

    Returns:
        None when the reach exceeds the probe's half second, or the output ignores the input.
    """
    half = round(rate * LISTEN_SECONDS / 2)
    loud = noise(2 * half, 1.0)
    starts = [np.zeros_like(loud), noise(2 * half, 0.01, seed=1)]
    heard = [codec.decode(codec.encode(wav)) for wav in starts]

    def first(n: int) -> int | None:
        found: list[int] = []
        for wav, before in zip(starts, heard, strict=True):
            after = codec.decode(codec.encode(np.concatenate([wav[:n], loud[n:]])))
            moved = np.abs(after - before) > AUDIBLE * max(np.abs(after).max(), AUDIBLE)
            found += [int(np.argmax(moved))] if moved.any() else []
        return min(found, default=None)

    start = half - min(hop, half // 2)
    worst = _worst(first, start, half)
    if worst is None or worst > 0.9 * start:
        return None
    return (worst + 1) / rate if worst > 0 else 0.0


def noise(samples: int, peak: float, seed: int = 0) -> Audio:
    """Uniform noise, shape ``(samples,)``, the same for the same seed."""
    wav: NDArray[np.float64] = np.random.default_rng(seed).uniform(-peak, peak, samples)
    return wav.astype(np.float32)


def _worst(first: Callable[[int], int | None], low: int, high: int) -> int | None:
    """Largest n - first(n) for n in [low, high], by branch and bound: `first` never falls."""
    at_low, at_high = first(low), first(high)
    if at_low is None or at_high is None:
        return None
    worst = max(low - at_low, high - at_high)
    spans = [(at_low - high, low, high, at_low)]
    for _ in range(PROBES):
        if not spans or -spans[0][0] - 1 <= worst:
            break
        _, low, high, at_low = heapq.heappop(spans)
        middle = (low + high) // 2
        if middle == low or (at_middle := first(middle)) is None:
            continue
        worst = max(worst, middle - at_middle)
        heapq.heappush(spans, (at_low - middle, low, middle, at_low))
        heapq.heappush(spans, (at_middle - high, middle, high, at_middle))
    return worst


def _frames(codes: Codes) -> int:
    return len(codes.packets) or max((s.size for s in codes.streams), default=0)


def _with(declared: tuple[float, ...], measured: float) -> tuple[float, ...]:
    """Put the measured rate in the place of the declared one that is nearest to it."""
    near = min(declared, key=lambda rate: abs(rate - measured), default=measured)
    return tuple(measured if rate == near else rate for rate in declared) or (measured,)
