"""From the cells of a metric to its corpus value and coverage; from the shards of a run to all."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bench import plugins
from bench.cache import Cache, digest
from bench.cells import STATES, Cell, Cells
from bench.run import Run, Score, Unlike
from bench.stats import TRIALS, interval
from metrics._base import Metric

_REVISION = 2  # raised when intervals are drawn in another way


def total(
    metric: Metric,
    cells: Mapping[str, Cell],
    speakers: Mapping[str, str | None],
    policy: str,
    cache: Cache,
) -> Score:
    """Return the score of one metric over all utterances.

    Args:
        metric: what was measured.
        cells: by utterance id, in the data set's order; under ``worst`` those that failed or are
            missing have the row that counts for them, if the metric has one.
        speakers: the cluster of each utterance.
        policy: what a failed or missing output does to the value: exclude, worst or fail.
        cache: where intervals are kept, since resampling 10,000 rows takes a second.
    """
    found = Cells.of(cells)
    counted = found.states == STATES.index("scored")
    if policy == "worst":
        counted |= found.filled & (found.states != STATES.index("unscorable"))
    ids = [found.ids[i] for i in np.flatnonzero(counted).tolist()]
    table = found.rows[counted]
    ends = _interval(metric, table, [speakers[i] for i in ids], cache) if ids else []
    states = found.counts()
    possible = len(found) - states["unscorable"]
    return Score(
        metric=metric.spec,
        signature=metric.signature,
        title=metric.title,
        unit=metric.unit,
        better=metric.better,
        digits=metric.digits,
        timed=metric.timed,
        value=metric.value(table) if ids else None,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        n=len(ids),
        clusters=len({i if speakers[i] is None else ("speaker", speakers[i]) for i in ids}),
        coverage=states["scored"] / possible if possible else None,
        states=states,
        policy=policy,
        cells=found,
    )


def join(runs: Iterable[Run], cache: Cache) -> list[Run]:
    """Put the shards of a run together; runs that are whole stay as they are.

    Raises:
        Unlike: a shard is missing or there twice, or its metrics are not those of the others.
    """
    whole: list[Run] = []
    parts: dict[tuple, list[Run]] = {}
    for run in runs:
        if run.shard:
            made_by = (run.card.name, run.card.weights, run.card.code, run.seed)
            parts.setdefault((*made_by, run.dataset), []).append(run)
        else:
            whole.append(run)
    return whole + [_joined(sorted(p, key=_place), cache) for p in parts.values()]


def _place(run: Run) -> int:
    return int(run.shard.partition("/")[0])


def _joined(runs: Sequence[Run], cache: Cache) -> Run:
    first = runs[0]
    count = int(first.shard.partition("/")[2])
    found = [r.shard for r in runs]
    if found != [f"{i}/{count}" for i in range(1, count + 1)]:
        msg = f"{first.card.name}: needs each of {count} shards once, there are {', '.join(found)}"
        raise Unlike(msg)
    if len({tuple(s.signature for s in r.scores) for r in runs}) > 1:
        msg = f"{first.card.name}: its shards were measured with different metrics"
        raise Unlike(msg)
    speakers = {i: s for r in runs for i, s in r.speakers.items()}
    scores = []
    for parts in zip(*(r.scores for r in runs), strict=True):
        metric = plugins.load("metrics", parts[0].metric)
        cells = {i: c for part in parts for i, c in part.cells.items()}
        scores.append(total(metric, cells, speakers, parts[0].policy, cache))
    return dataclasses.replace(
        first,
        shard="",
        dataset_digest=added(r.dataset_digest for r in runs),
        outputs=tuple(o for r in runs for o in r.outputs),
        speakers=speakers,
        scores=tuple(scores),
    )


def added(digests: Iterable[str]) -> str:
    """Return the sum of digests of 16 hex digits: that of a data set from those of its parts."""
    return f"{sum(int(d[:16], 16) for d in digests) % 2**64:016x}"


def _interval(metric: Metric, rows: np.ndarray, speakers: list, cache: Cache) -> list[float]:
    content = hashlib.blake2b(np.ascontiguousarray(rows).tobytes(), digest_size=16).hexdigest()
    key = digest("interval", _REVISION, metric.signature, content, rows.shape, speakers, TRIALS)
    if stored := cache.get("scores", [key]):
        return stored[key]
    found = interval(rows, speakers, metric)
    ends = [found.low, found.high] if found else []
    cache.put("scores", key, ends)
    return ends
