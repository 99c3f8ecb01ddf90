"""How sure we are: intervals clustered by speaker, paired tests, and what could be seen at all.

Sources: cluster bootstrap: Liu and Peng, arXiv:1912.09508; Bisani and Ney, ICASSP 2004.
Approximate randomisation: Riezler and Maxwell 2005 (W05-0908), with the +1 of Phipson and Smyth
2010. Holm 1979.
Beyond `UNITS` clusters, clusters are put together by turns into so many groups, which are drawn or
change sides as one: groups of independent clusters are independent, and swaps of whole groups are
some of the swaps that the null hypothesis allows, so both stay valid, at a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from metrics._base import Metric, Rows

TRIALS = 2000
UNITS = 10_000  # of more clusters than this, some are put together
OPTIMISTIC = 10  # with fewer clusters a percentile interval is too narrow
_SPREAD_TRIALS = 500  # the standard deviation of 500 resamples is known to 3 %
_POWER = 1.959964 + 0.841621  # two-sided 5 %, power 80 %


@dataclass(frozen=True)
class Interval:
    """95 % interval of a corpus value."""

    low: float
    high: float


def interval(
    rows: Rows, clusters: Sequence[object], metric: Metric, *, trials: int = TRIALS, seed: int = 0
) -> Interval | None:
    """Return the percentile-bootstrap interval over whole clusters; None below two of them.

    Args:
        rows: statistics, shape ``(n, k)``.
        clusters: the speaker of each row (None: the row stands alone), length n.
        metric: gives the corpus value of resampled rows.
        trials: resamples.
        seed: of the resampling only.
    """
    group, count = _units(clusters)
    if count < 2:
        return None
    values = _resampled(rows, group, count, metric, trials, seed)
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(low), float(high))


def paired_p(
    a: Rows, b: Rows, clusters: Sequence[object], metric: Metric, *, trials: int = TRIALS, seed=0
) -> float:
    """Return the two-sided p-value that systems a and b do not differ, on the same utterances.

    Whole clusters change sides together, so that one speaker's utterances are not taken for
    independent evidence; with fewer than `OPTIMISTIC` clusters utterances change sides, since so
    few swaps could never reach 5 %. A system against its copy gives 1.

    Raises:
        ValueError: the two do not have the same utterances.
    """
    if a.shape != b.shape:
        msg = f"need the same utterances on both sides, got {a.shape} and {b.shape}"
        raise ValueError(msg)
    pair = Pair(a, b, np.ones(len(a), bool))
    return paired_ps([pair], clusters, metric, trials=trials, seed=seed)[0]


@dataclass(frozen=True)
class Pair:
    """Two systems on the same utterances: rows of shape ``(n, k)``, and which both have."""

    a: Rows
    b: Rows
    shared: NDArray[np.bool_]  # (n,)


def paired_ps(
    pairs: Sequence[Pair],
    clusters: Sequence[object],
    metric: Metric,
    *,
    trials: int = TRIALS,
    seed: int = 0,
) -> list[float]:
    """Return `paired_p` of each pair; all are swapped at once. 1 where nothing is shared."""
    found = [1.0] * len(pairs)
    group, count = _units(clusters)
    spread = [_distinct(group[p.shared]) for p in pairs]
    by_cluster = [i for i, p in enumerate(pairs) if p.shared.any() and spread[i] >= OPTIMISTIC]
    by_row = [i for i, p in enumerate(pairs) if p.shared.any() and spread[i] < OPTIMISTIC]
    rows = _units([None] * len(group))
    for which, (units, size) in ((by_cluster, (group, count)), (by_row, rows)):
        hits = _hits([pairs[i] for i in which], units, size, metric, trials, seed)
        for i, n in zip(which, hits, strict=True):
            found[i] = (n + 1) / (trials + 1)
    return found


def _hits(
    pairs: Sequence[Pair],
    group: NDArray[np.intp],
    count: int,
    metric: Metric,
    trials: int,
    seed: int,
) -> list[int]:
    """Count the swaps whose difference is at least the observed one, for each pair."""
    sides = [(p.a[p.shared], p.b[p.shared]) for p in pairs]
    observed = [abs(metric.value(a) - metric.value(b)) for a, b in sides]
    slack = [1e-12 * max(1.0, x) for x in observed]  # sums in another order differ in the last bits
    least = np.array(observed) - slack
    rng, hits = np.random.default_rng(seed), np.zeros(len(pairs), int)
    if not pairs:
        return []
    if metric.additive:
        each = zip(pairs, sides, strict=True)
        moves = [_sums(b - a, group[p.shared], count) for p, (a, b) in each]
        stacked, width = np.hstack(moves), moves[0].shape[1]
        a_sums, b_sums = (np.array([side[i].sum(0) for side in sides]) for i in (0, 1))
        n = np.array([float(len(a)) for a, _ in sides])
    for block in _blocks(trials, count):
        swaps = rng.integers(2, size=(block, count), dtype=np.uint8)
        if metric.additive:
            moved = (swaps.astype(np.float64) @ stacked).reshape(block, len(pairs), width)
            gaps = metric.pool(a_sums + moved, n) - metric.pool(b_sums - moved, n)
            hits += (np.abs(gaps) >= least).sum(0)
            continue
        for i, (pair, (a, b)) in enumerate(zip(pairs, sides, strict=True)):
            for swap in swaps[:, group[pair.shared], None]:
                x, y = np.where(swap, b, a), np.where(swap, a, b)
                hits[i] += abs(metric.value(x) - metric.value(y)) >= least[i]
    return hits.tolist()


def detectable(
    a: Rows, b: Rows | None, clusters: Sequence[object], metric: Metric, *, seed: int = 0
) -> float | None:
    """Return the smallest true difference that this data would show in 4 of 5 repetitions.

    2.80 standard errors (two-sided 5 %, power 80 %) of the paired difference of `a` and `b`; of
    two independent runs like `a` where `b` is None. None below two clusters.
    """
    if b is not None:
        pair = Pair(a, b, np.ones(len(a), bool))
        return detectables([pair], clusters, metric, seed=seed)[0]
    group, count = _units(clusters)
    if count < 2:
        return None
    spread = _resampled(a, group, count, metric, _SPREAD_TRIALS, seed)
    return float(_POWER * np.sqrt(2) * spread.std())


def detectables(
    pairs: Sequence[Pair], clusters: Sequence[object], metric: Metric, *, seed: int = 0
) -> list[float | None]:
    """Return `detectable` of each pair; all are resampled at once."""
    group, count = _units(clusters)
    found: list[float | None] = [None] * len(pairs)
    able = [i for i, p in enumerate(pairs) if _distinct(group[p.shared]) > 1]
    for i in able if not metric.additive else ():
        p = pairs[i]
        some, size = _groups(group[p.shared].tolist())
        sides = (p.a[p.shared], p.b[p.shared])
        a, b = (_resampled(x, some, size, metric, _SPREAD_TRIALS, seed) for x in sides)
        found[i] = float(_POWER * (a - b).std())
    if not able or not metric.additive:
        return found
    k = pairs[0].a.shape[1]
    parts = []
    for p in (pairs[i] for i in able):
        columns = np.hstack([p.a, p.b, np.ones((len(group), 1))])[p.shared]
        parts.append(_sums(columns, group[p.shared], count))
    stacked, gaps = np.hstack(parts), []
    for weights in _weights(count, _SPREAD_TRIALS, seed):
        drawn = (weights @ stacked).reshape(len(weights), len(able), 2 * k + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (metric.pool(drawn[..., x : x + k], drawn[..., -1]) for x in (0, k))
        gaps.append(a - b)
    spread = np.concatenate(gaps).std(0)
    for i, value in zip(able, spread.tolist(), strict=True):
        found[i] = _POWER * value
    return found


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm-adjusted p-values, in the order given."""
    order = np.argsort(p)
    adjusted, running = [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = running
    return adjusted


def _groups(clusters: Sequence[object]) -> tuple[NDArray[np.intp], int]:
    numbers: dict[object, int] = {}
    keys = (("row", i) if c is None else ("cluster", c) for i, c in enumerate(clusters))
    group = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp)
    return group, len(numbers)


def _units(clusters: Sequence[object]) -> tuple[NDArray[np.intp], int]:
    group, count = _groups(clusters)
    return (group % UNITS, UNITS) if count > UNITS else (group, count)


def _distinct(group: NDArray[np.intp]) -> int:
    return int(np.count_nonzero(np.bincount(group)))


def _blocks(trials: int, count: int) -> Iterator[int]:
    """Cut `trials` so that a block of trials x clusters stays within 32 MB."""
    size = max(1, 4_000_000 // count)
    yield from (min(size, trials - at) for at in range(0, trials, size))


def _sums(rows: Rows, group: NDArray[np.intp], count: int) -> Rows:
    """Sums of rows by cluster, shape ``(count, k)``."""
    sums = [np.bincount(group, weights=column, minlength=count) for column in rows.T]
    return np.stack(sums, axis=1) if sums else np.zeros((count, 0))


@lru_cache(maxsize=2)
def _draws(count: int, trials: int, seed: int) -> NDArray[np.uint8]:
    """How often each cluster is drawn in each resample; 256 times or more does not happen."""
    rng = np.random.default_rng(seed)
    found = np.empty((trials, count), np.uint8)
    for row in found:
        row[:] = np.bincount(rng.integers(count, size=count, dtype=np.int32), minlength=count)
    return found


def _weights(count: int, trials: int, seed: int) -> Iterator[NDArray[np.float64]]:
    draws, at = _draws(count, trials, seed), 0
    for block in _blocks(trials, count):
        yield draws[at : at + block].astype(np.float64)
        at += block


def _resampled(
    rows: Rows, group: NDArray[np.intp], count: int, metric: Metric, trials: int, seed: int
) -> NDArray[np.float64]:
    """Corpus values of `trials` resamples; the same seed draws the same clusters for any rows."""
    if metric.additive:
        sums = _sums(np.hstack([rows, np.ones((len(rows), 1))]), group, count)
        values = []
        for weights in _weights(count, trials, seed):
            drawn = weights @ sums
            with np.errstate(divide="ignore", invalid="ignore"):
                values.append(metric.pool(drawn[:, :-1], drawn[:, -1]))
        return np.concatenate(values)
    rng = np.random.default_rng(seed)
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(group, minlength=count))[:-1])
    picks = rng.integers(count, size=(min(trials, 500), count))
    return np.array([metric.value(rows[np.concatenate([members[c] for c in d])]) for d in picks])
