"""Listening tests: what systems got, how sure that is, who is screened out, what predicts it.

A file has one rating a line: ``listener,item,system,score`` and, with several tests in it,
``test``.

Intervals: the two-way ("pigeonhole") bootstrap of Owen, Annals of Applied Statistics 1(2), 2007:
listeners and items are drawn apart, with replacement, and a rating counts as often as its listener
times its item was drawn. Both are a sample: other listeners and other sentences would have given
another mean. Its variance is never too small for large panels, and up to three times too large
where neither listeners nor items differ.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench import plugins
from bench.run import Run, Unlike
from metrics._agreement import pearson, spearman
from metrics._base import Unscorable

#: Least and largest score of each test; ABX: 1 chosen, 0 not, 0.5 no preference.
SCALES = {
    "mos": (1.0, 5.0),
    "dmos": (1.0, 5.0),
    "smos": (1.0, 5.0),
    "cmos": (-3.0, 3.0),
    "mushra": (0.0, 100.0),
    "abx": (0.0, 1.0),
}
COLUMNS = ("listener", "item", "system", "score")
SCREENS = ("none", "bs1534")
TRIALS = 2000
OPTIMISTIC = 10  # with fewer listeners or items a percentile interval is too narrow
LEAST = 3  # points of a correlation
UNDECIDED = {"", "tie", "none", "="}


class TooFew(ValueError):
    """Too little is left to say anything."""


@dataclass(frozen=True)
class Rating:
    """One judgement of one listener."""

    listener: str
    item: str
    system: str
    score: float


@dataclass(frozen=True)
class Mean:
    """What one system got."""

    system: str
    mean: float
    low: float | None  # None: fewer than two listeners or two items
    high: float | None
    ratings: int
    listeners: int
    items: int


@dataclass(frozen=True)
class Correlation:
    """A metric beside the listeners, over systems or over recordings."""

    level: Literal["system", "item"]
    n: int
    pearson: float | None
    spearman: float | None
    reason: str = ""  # why there is none


@dataclass(frozen=True)
class Listening:
    """One test of a file, screened and summed up; the best system first."""

    test: str
    systems: tuple[Mean, ...]
    listeners: int
    items: int
    screened: Mapping[str, str]  # listener -> why
    against: tuple[Correlation, ...] = ()
    metric: str = ""  # signature of what is correlated
    unmatched: tuple[str, ...] = field(default=())  # systems without a run


def read(path: Path, test: str | None = None) -> dict[str, list[Rating]]:
    """Return the ratings of each test in a file, or of one test.

    In an ABX test `system` may also name both systems, ``a|b``, and `score` the chosen one (empty
    or "tie" for none): the line then counts for both.

    Args:
        path: CSV with a header line.
        test: the test all ratings belong to, where there is no such column; else the one wanted.

    Raises:
        ValueError: a column is missing, a line is no rating of its test, or one is there twice.
        FileNotFoundError: no such file.
    """
    found: dict[str, list[Rating]] = {}
    seen: dict[tuple[str, str, str, str], int] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        _check_columns(path, reader.fieldnames or [], test)
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            kind = (row.get("test") or test or "").strip().lower()
            if kind not in SCALES:
                msg = f"{where}: unknown test {kind!r}{plugins.nearest(kind, SCALES)}"
                msg += f" Known: {', '.join(SCALES)}"
                raise ValueError(msg)
            if test and kind != test:
                continue
            for rating in _ratings(where, kind, row):
                key = (kind, rating.listener, rating.item, rating.system)
                if key in seen:
                    msg = f"{where} repeats line {seen[key]}: {', '.join(key[1:])}"
                    msg += "; give a repeated item a name of its own"
                    raise ValueError(msg)
                seen[key] = reader.line_num
                found.setdefault(kind, []).append(rating)
    if not found:
        msg = f"{path} has no ratings" + (f" of {test}" if test else "")
        raise ValueError(msg)
    return found


def summarise(
    test: str,
    ratings: Sequence[Rating],
    *,
    screen: str = "none",
    reference: str = "reference",
    runs: Mapping[str, Run] | None = None,
    metric: str = "",
    trials: int = TRIALS,
    seed: int = 0,
) -> Listening:
    """Return means with intervals, after screening, and how a metric agrees with them.

    Args:
        test: its name, a key of `SCALES`.
        ratings: of this test.
        screen: "none" or "bs1534".
        reference: name of the hidden reference among the systems.
        runs: by the name of their folder; a run belongs to the rated system that is called like its
            folder, its card (``opus:kbps=6``) or its plug-in (``opus``), whichever is there first.
        metric: spec or name of the metric in those runs.
        trials: resamples.
        seed: of the resampling.

    Raises:
        ValueError: an unknown screening rule, or one of another test; no such reference; no run
            of any system; a run without the metric.
        TooFew: the screening leaves nobody.
        Unlike: the runs were measured with different signatures.
    """
    out = screened(test, ratings, screen, reference)
    kept = [r for r in ratings if r.listener not in out]
    if not kept:
        msg = f"{screen} leaves none of {len(out)} listeners"
        raise TooFew(msg)
    matched = _matched(kept, runs) if runs else {}
    correlations, signature = _against(kept, matched, metric) if runs else ((), "")
    systems = {r.system for r in kept}
    return Listening(
        test=test,
        systems=tuple(sorted(means(kept, trials=trials, seed=seed), key=lambda m: -m.mean)),
        listeners=len({r.listener for r in kept}),
        items=len({r.item for r in kept}),
        screened=out,
        against=correlations,
        metric=signature,
        unmatched=tuple(sorted(systems - set(matched))) if runs else (),
    )


def means(ratings: Sequence[Rating], *, trials: int = TRIALS, seed: int = 0) -> list[Mean]:
    """Return the mean of each system with its 95 % interval over listeners and items.

    All systems are resampled with the same draws.
    """
    listener, listeners = _numbered([r.listener for r in ratings])
    item, items = _numbered([r.item for r in ratings])
    system, _ = _numbered([r.system for r in ratings])
    score = np.array([r.score for r in ratings])
    names = list(dict.fromkeys(r.system for r in ratings))
    drawn = np.full((trials, len(names)), np.nan)
    if min(listeners, items) >= 2:
        rng, block = np.random.default_rng(seed), max(1, 2_000_000 // len(ratings))
        for at in range(0, trials, block):
            size = min(block, trials - at)
            weight = _drawn(rng, listeners, size)[:, listener] * _drawn(rng, items, size)[:, item]
            for k in range(len(names)):
                mine = weight[:, system == k]
                with np.errstate(invalid="ignore"):
                    drawn[at : at + size, k] = mine @ score[system == k] / mine.sum(axis=1)
    found = []
    for k, name in enumerate(names):
        own = [r for r in ratings if r.system == name]
        heard, said = len({r.listener for r in own}), len({r.item for r in own})
        values = drawn[np.isfinite(drawn[:, k]), k]
        ends: Any = (None, None)
        if values.size and min(heard, said) >= 2:
            ends = (float(v) for v in np.percentile(values, [2.5, 97.5]))
        low, high = ends
        mean = float(np.mean([r.score for r in own]))
        found.append(Mean(name, mean, low, high, len(own), heard, said))
    return found


def screened(test: str, ratings: Sequence[Rating], rule: str, reference: str) -> dict[str, str]:
    """Return who is screened out, and why.

    ``bs1534``: ITU-R BS.1534-3 (2015), post-screening of MUSHRA: a listener who rates the hidden
    reference below 90 for more than 15 % of the items. Its second rule, on the mid anchor, is not
    applied. One who never heard the hidden reference is out, too.

    Raises:
        ValueError: an unknown rule, a test it is not for, or no system of this name.
    """
    if rule not in SCREENS:
        msg = f"no screening rule {rule!r}; there are {', '.join(SCREENS)}"
        raise ValueError(msg)
    if rule == "none":
        return {}
    if test != "mushra":
        msg = f"bs1534 screens mushra, this is {test}; --test mushra takes that one alone"
        raise ValueError(msg)
    systems = {r.system for r in ratings}
    if reference not in systems:
        msg = f"no system {reference!r} in the ratings{plugins.nearest(reference, systems)}"
        msg += f" The hidden reference is one of {', '.join(sorted(systems))}"
        raise ValueError(msg)
    heard: dict[str, list[float]] = {r.listener: [] for r in ratings}
    for rating in (r for r in ratings if r.system == reference):
        heard[rating.listener].append(rating.score)
    out = {}
    for listener, hidden in heard.items():
        missed = sum(score < 90 for score in hidden)
        if not hidden:
            out[listener] = "rated no hidden reference"
        elif missed > 0.15 * len(hidden):
            out[listener] = f"{missed} of {len(hidden)} hidden references below 90"
    return out


def lines(heard: Listening) -> Iterator[str]:
    """Yield a table of one test for a terminal, and what holds for its numbers."""
    width = max(len("system"), *(len(m.system) for m in heard.systems))
    yield f"{heard.test.upper()}: {heard.listeners} listeners, {heard.items} items"
    yield f"{'system':{width}}  {'mean':>7}  {'95 % interval':>18}  {'ratings':>7}"
    for m in heard.systems:
        known = m.low is not None and m.high is not None
        ends = f"[{m.low:.2f}, {m.high:.2f}]" if known else "-"
        yield f"{m.system:{width}}  {m.mean:7.2f}  {ends:>18}  {m.ratings:7}"
    few = [f"{n} {what}" for n, what in ((heard.listeners, "listeners"), (heard.items, "items"))]
    some = [f for f, n in zip(few, (heard.listeners, heard.items), strict=True) if n < OPTIMISTIC]
    yield f"intervals: two-way (pigeonhole) bootstrap over listeners and items, {TRIALS} draws" + (
        f"; optimistic, with only {' and '.join(some)}" if some else ""
    )
    for listener, why in heard.screened.items():
        yield f"screened out: {listener}: {why}"
    for found in heard.against:
        known = found.pearson is not None and found.spearman is not None
        said = f"Pearson {found.pearson:.3f}, Spearman {found.spearman:.3f}" if known else "none"
        why = f": {found.reason}" if found.reason else f" (n = {found.n})"
        yield f"against the metric, by {found.level}: {said}{why}"
    if heard.metric:
        yield f"metric: {heard.metric}"
    if heard.unmatched:
        yield f"without a run: {', '.join(heard.unmatched)}"


# -- the file ------------------------------------------------------------------------------------


def _check_columns(path: Path, there: Sequence[str], test: str | None) -> None:
    for column in COLUMNS:
        if column not in there:
            msg = f"{path} has no column {column!r}{plugins.nearest(column, there)}"
            msg += f" Wanted: {', '.join(COLUMNS)}, and test for several tests"
            raise ValueError(msg)
    if "test" not in there and not test:
        msg = f"{path} has no column 'test'; say which it is: --test {'|'.join(SCALES)}"
        raise ValueError(msg)


def _ratings(where: str, test: str, row: Mapping[str, str]) -> list[Rating]:
    listener, item, system, text = ((row[c] or "").strip() for c in COLUMNS)
    if not (listener and item and system):
        msg = f"{where}: listener, item and system must not be empty"
        raise ValueError(msg)
    if test == "abx" and "|" in system:
        pair = [name.strip() for name in system.split("|")]
        if len(set(pair)) != 2 or text not in {*pair, *UNDECIDED}:
            msg = f"{where}: wanted one of two systems, or nothing, got {text!r} for {system!r}"
            raise ValueError(msg)
        tie = text in UNDECIDED
        return [Rating(listener, item, s, 0.5 if tie else float(s == text)) for s in pair]
    low, high = SCALES[test]
    try:
        score = float(text)
    except ValueError:
        score = float("nan")
    if not low <= score <= high or (test == "abx" and score not in (0, 0.5, 1)):
        scale = "0, 0.5 or 1" if test == "abx" else f"a number from {low:g} to {high:g}"
        msg = f"{where}: a score of {test} is {scale}, got {text!r}"
        raise ValueError(msg)
    return [Rating(listener, item, system, score)]


# -- resampling ----------------------------------------------------------------------------------


def _numbered(names: Sequence[str]) -> tuple[np.ndarray, int]:
    numbers: dict[str, int] = {}
    coded = np.array([numbers.setdefault(name, len(numbers)) for name in names])
    return coded, len(numbers)


def _drawn(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Return how often each of `count` is drawn, shape ``(size, count)``."""
    return rng.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64)


# -- beside a metric -----------------------------------------------------------------------------


def _matched(ratings: Sequence[Rating], runs: Mapping[str, Run]) -> dict[str, Run]:
    """Return the run of each rated system that has one."""
    systems = {r.system for r in ratings}
    found: dict[str, Run] = {}
    for folder, run in runs.items():
        called = (folder, run.card.name, run.card.name.partition(":")[0])
        name = next((name for name in called if name in systems), None)
        if name in found:
            msg = f"two runs for the system {name!r}; call it by its parameters, {run.card.name!r}"
            raise ValueError(msg)
        if name:
            found[name] = run
    if not found:
        there = sorted({run.card.name for run in runs.values()})
        msg = f"no run is called like a rated system: runs {', '.join(there)}; rated "
        msg += ", ".join(sorted(systems))
        raise ValueError(msg)
    return found


def _against(
    ratings: Sequence[Rating], runs: Mapping[str, Run], metric: str
) -> tuple[tuple[Correlation, ...], str]:
    """Correlate over systems, on the rated recordings that have a value, and over those."""
    heard: dict[tuple[str, str], list[float]] = {}
    for r in ratings:
        heard.setdefault((r.system, r.item), []).append(r.score)
    signatures, by_system, by_item = set(), [], []
    for system, run in runs.items():
        score = run.score(metric)
        if score is None:
            has = ", ".join(s.metric for s in run.scores)
            msg = f"the run of {system!r} has no metric {metric!r}; it has {has}"
            raise ValueError(msg)
        signatures.add(score.signature)
        plugin = plugins.load("metrics", score.metric)
        points = [
            (np.array([cell.row]), float(np.mean(heard[system, i])))
            for i, cell in score.cells.items()
            if cell.state == "scored" and (system, i) in heard
        ]
        if points:
            rows = np.concatenate([row for row, _ in points])
            by_system.append((plugin.value(rows), float(np.mean([s for _, s in points]))))
            by_item += [(plugin.value(row), said) for row, said in points]
    if len(signatures) > 1:
        msg = f"the runs were measured differently: {' and '.join(sorted(signatures))}"
        raise Unlike(msg)
    levels = (_correlation("system", by_system), _correlation("item", by_item))
    return levels, signatures.pop()


def _correlation(
    level: Literal["system", "item"], points: Sequence[tuple[float, float]]
) -> Correlation:
    if len(points) < LEAST:
        said = f"{len(points)} {level}s have both; needs {LEAST}"
        return Correlation(level, len(points), None, None, said)
    x, y = np.array(points).T
    try:
        return Correlation(level, len(points), pearson(x, y), spearman(x, y))
    except Unscorable:
        said = "the metric or the listeners give all the same value"
        return Correlation(level, len(points), None, None, said)
