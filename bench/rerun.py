"""Time two runs' systems again, in alternation and in one sitting: speed and memory for a gate.

Both work in processes of their own, which are started afresh in every round, so that the luck of
one start (memory layout, a busy neighbour) is drawn again. Within a round the two take turns on
every utterance, and who goes first alternates. An utterance's time is the median over rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from bench.cache import Cache
from bench.compare import Pair
from bench.datasets._base import Dataset
from bench.generate import attempt, rate_of
from bench.isolate import ChildFailed, Isolated
from bench.run import Cell
from bench.totals import total
from metrics._base import Metric, Rows
from metrics.rtf import Rtf


@dataclass(frozen=True)
class PeakMemory(Metric):
    """Most memory that a process held; one row for each round."""

    name: ClassVar[str] = "peak_memory"
    title: ClassVar[str] = "Peak memory"
    unit: ClassVar[str] = "MB"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    source: ClassVar[str] = "definition: resident set, high-water mark"
    revision: ClassVar[int] = 1
    timed: ClassVar[bool] = True
    digits: ClassVar[int] = 1

    def statistic(self, peak: int) -> Rows:  # type: ignore[override]
        """Return ``[MB]`` of a number of bytes."""
        return np.array([peak / 1e6])


def rerun(
    specs: Sequence[str],
    pythons: Sequence[str],
    dataset: Dataset,
    cache: Cache,
    *,
    rounds: int = 5,
    seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> list[Pair]:
    """Return the real-time factors and, where the platform tells it, the peaks of memory.

    Args:
        specs: systems of the base and of the new run.
        pythons: an interpreter for each; its own installation of this package is what runs.
        dataset: what both render.
        cache: where intervals are kept.
        rounds: new processes for each.
        seed: of the systems.
        progress: called after each utterance of each round.

    Raises:
        Unavailable: a system cannot be loaded by its interpreter.
    """
    walls: list[dict[str, list[float]]] = [{}, {}]
    lasted: list[dict[str, float]] = [{}, {}]
    broken: list[dict[str, str]] = [{}, {}]
    peaks: list[list[int]] = [[], []]
    for turn in range(rounds):
        systems = [Isolated(s, p, own=True) for s, p in zip(specs, pythons, strict=True)]
        for system in systems:
            _warm_up(system, dataset, seed)
        for at, utterance in enumerate(dataset.utterances):
            for side in (0, 1) if (at + turn) % 2 == 0 else (1, 0):
                try:
                    wav, _, wall, _ = attempt(systems[side], utterance, seed)
                except (ChildFailed, ValueError) as failure:
                    broken[side][utterance.id] = str(failure)
                    continue
                walls[side].setdefault(utterance.id, []).append(wall)
                lasted[side][utterance.id] = wav.size / rate_of(systems[side], utterance)
            progress()
        for side, system in enumerate(systems):
            if peak := system.peak_memory():
                peaks[side].append(peak)
            system.close()
    speakers = {u.id: u.speaker for u in dataset.utterances}
    timed = [
        {u: _factor(u, walls[side], lasted[side], broken[side]) for u in speakers}
        for side in (0, 1)
    ]
    pairs = [_pair(Rtf(), timed, speakers, cache)]
    if all(len(p) == rounds for p in peaks):
        memory = PeakMemory()
        rows = [
            {
                f"round {i + 1}": Cell("scored", tuple(memory.statistic(p)))
                for i, p in enumerate(found)
            }
            for found in peaks
        ]
        pairs.append(_pair(memory, rows, dict.fromkeys(rows[0]), cache))
    return pairs


def _warm_up(system: Isolated, dataset: Dataset, seed: int) -> None:
    try:
        attempt(system, dataset.utterances[0], seed)
    except (ChildFailed, ValueError):
        return  # it is met again when timed


def _factor(
    identity: str,
    walls: Mapping[str, list[float]],
    lasted: Mapping[str, float],
    broken: Mapping[str, str],
) -> Cell:
    if identity in broken:
        return Cell("failed", reason=broken[identity])
    if not lasted[identity]:
        return Cell("failed", reason="the output has no samples")
    return Cell("scored", (float(np.median(walls[identity])), lasted[identity]))


def _pair(
    metric: Metric,
    cells: Sequence[Mapping[str, Cell]],
    speakers: Mapping[str, str | None],
    cache: Cache,
) -> Pair:
    base, new = (total(metric, found, speakers, "exclude", cache) for found in cells)
    return Pair(base, new, speakers, sitting=True, metric=metric)
