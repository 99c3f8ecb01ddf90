"""How sure we are: intervals clustered by speaker, paired tests, and what could be seen at all.

Sources: cluster bootstrap: Liu and Peng, arXiv:1912.09508; Bisani and Ney, ICASSP 2004.
Approximate randomisation: Riezler and Maxwell 2005 (W05-0908), with the +1 of Phipson and Smyth
2010. Holm 1979.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics._base import Metric, Rows

TRIALS = 2000
OPTIMISTIC = 10  # with fewer clusters a percentile interval is too narrow
_POWER = 1.959964 + 0.841621  # two-sided 5 %, power 80 %


@dataclass(frozen=True)
class Interval:
    """95 % interval of a corpus value."""

    low: float
    high: float
    clusters: int


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
    group, count = _groups(clusters)
    if count < 2:
        return None
    values = _resampled(rows, group, count, metric, trials, seed)
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(low), float(high), count)


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
    group, count = _groups(clusters)
    if count < OPTIMISTIC:
        group, count = np.arange(len(a)), len(a)
    observed = abs(metric.value(a) - metric.value(b))
    slack = 1e-12 * max(1.0, observed)  # sums in another order differ in the last bits
    rng, n, hits = np.random.default_rng(seed), np.asarray(float(len(a))), 0
    moves = _sums(b - a, group, count)
    for block in _blocks(trials, count):
        swaps = rng.random((block, count)) < 0.5
        if metric.additive:
            moved = swaps.astype(np.float64) @ moves
            gap = metric.pool(a.sum(0) + moved, n) - metric.pool(b.sum(0) - moved, n)
        else:
            sides = (swap[group, None] for swap in swaps)
            pairs = ((np.where(s, b, a), np.where(s, a, b)) for s in sides)
            gap = np.array([metric.value(x) - metric.value(y) for x, y in pairs])
        hits += int(np.sum(np.abs(gap) >= observed - slack))
    return (hits + 1) / (trials + 1)


def detectable(
    a: Rows, b: Rows | None, clusters: Sequence[object], metric: Metric, *, seed: int = 0
) -> float | None:
    """Return the smallest true difference that this data would show in 4 of 5 repetitions.

    2.80 standard errors (two-sided 5 %, power 80 %) of the paired difference of `a` and `b`; of
    two independent runs like `a` where `b` is None. None below two clusters.
    """
    group, count = _groups(clusters)
    if count < 2:
        return None
    spread = _resampled(a, group, count, metric, TRIALS, seed)
    if b is None:
        return float(_POWER * np.sqrt(2) * spread.std())
    return float(_POWER * (spread - _resampled(b, group, count, metric, TRIALS, seed)).std())


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


def _blocks(trials: int, count: int) -> Iterator[int]:
    """Cut `trials` so that a block of trials x clusters stays within a few MB."""
    size = max(1, 500_000 // count)
    yield from (min(size, trials - at) for at in range(0, trials, size))


def _sums(rows: Rows, group: NDArray[np.intp], count: int) -> Rows:
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, group, rows)
    return sums


def _resampled(
    rows: Rows, group: NDArray[np.intp], count: int, metric: Metric, trials: int, seed: int
) -> NDArray[np.float64]:
    """Corpus values of `trials` resamples; the same seed draws the same clusters for any rows."""
    rng = np.random.default_rng(seed)
    if metric.additive:
        sizes, sums = np.bincount(group, minlength=count), _sums(rows, group, count)
        values = []
        for block in _blocks(trials, count):
            weights = rng.multinomial(count, np.full(count, 1 / count), size=block) * 1.0
            with np.errstate(divide="ignore", invalid="ignore"):
                values.append(metric.pool(weights @ sums, weights @ sizes))
        return np.concatenate(values)
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(group, minlength=count))[:-1])
    drawn = rng.integers(count, size=(min(trials, 500), count))
    return np.array([metric.value(rows[np.concatenate([members[c] for c in d])]) for d in drawn])
