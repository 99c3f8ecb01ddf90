"""Build one table from many runs, and refuse what cannot be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from bench import plugins
from bench.run import Run, Score, Unlike
from bench.stats import OPTIMISTIC, Pair, detectable, detectables, holm, paired_ps

ALPHA = 0.05
#: Kinds of systems, in the order of their blocks; each is ranked among itself, anchors are not.
BLOCKS = {
    "paper": "paper scale",
    "unknown": "unknown scale",
    "reduced": "reduced",
    "anchor": "anchors",
}
MIXED = "all scales"


@dataclass(frozen=True)
class Column:
    """What one column measures; the signature says under which conditions."""

    metric: str
    title: str
    signature: str
    unit: str
    better: str
    digits: int
    detectable: float | None  # smallest difference the data would show (power 80 %)


@dataclass(frozen=True)
class Row:
    """One run: its scores in column order (None: not measured), and its place."""

    run: str
    system: str
    scale: str
    weights: str
    scores: tuple[Score | None, ...]
    rank: int | None  # None: not ranked, for the reason in `note`
    note: str
    tied: bool  # not told apart from the leader of its block
    best: tuple[bool, ...] = ()  # by column: best of the block's ranked rows (2 or more), or tied
    block: str = "paper"  # a key of BLOCKS, or MIXED
    timing: Mapping[str, float] = field(default_factory=dict)  # load, warm-up, RTF percentiles


@dataclass(frozen=True)
class Leaderboard:
    """Rows by block, from best to worst in the column `sort`; unranked ones stand by value."""

    dataset: str
    dataset_digest: str
    licence: str
    notes: str
    utterances: int
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sort: str
    policy: str
    min_coverage: float
    machine: str

    @property
    def blocks(self) -> dict[str, tuple[Row, ...]]:
        """Rows by what a reader calls their block, in order."""
        names = dict.fromkeys(r.block for r in self.rows)
        return {BLOCKS.get(b, b): tuple(r for r in self.rows if r.block == b) for b in names}

    @property
    def complete(self) -> bool:
        """True where every system, anchors apart, reaches the minimum coverage in every column."""
        return not any(lacking(r, self.min_coverage) for r in self.rows if r.scale != "anchor")


def build(
    runs: Sequence[Run],
    *,
    sort: str | None = None,
    min_coverage: float = 1.0,
    mix_scales: bool = False,
) -> Leaderboard:
    """Rank runs by one column, by default the first that has a better and a worse.

    Args:
        runs: whole runs; the same one twice counts once.
        sort: spec or name of the column to rank by.
        min_coverage: a row below it in any column is not ranked.
        mix_scales: rank weights of the paper's scale, reduced ones and unknown ones together.

    Raises:
        Unlike: data sets, signatures, policies or (for timings) machines differ.
        ValueError: there is no run.
        UnknownName: there is no column `sort`.
    """
    if not runs:
        msg = "no runs to put on a board"
        raise ValueError(msg)
    runs = list({r.id: r for r in runs}.values())
    _same("data sets", runs, lambda r: f"{r.dataset} ({r.dataset_digest})")
    names = list(dict.fromkeys(s.metric for r in runs for s in r.scores))
    scores = {r.id: tuple(_score(r, name) for name in names) for r in runs}
    for name in names:
        having = [r for r in runs if _score(r, name)]
        _same(f"signatures of {name}", having, partial(_field, name, "signature"))
        _same(f"policies for missing outputs of {name}", having, partial(_field, name, "policy"))
        if _score(having[0], name).timed:
            timed = [r for r in having if _score(r, name).value is not None]
            _same(f"machines behind {name}", timed, _machine)
    key = _sort_key(names, [s for row in scores.values() for s in row if s], sort)
    runs = sorted(runs, key=lambda r: _order(r, names, key))
    blocks = {
        block: [r for r in runs if _block(r, mix_scales=mix_scales) == block]
        for block in (MIXED, *BLOCKS)
    }
    ordered = [r for some in blocks.values() for r in some]
    rows = [
        row
        for block, some in blocks.items()
        if some and names
        for row in _rank(block, some, scores, names.index(key), min_coverage)
    ]
    columns = tuple(_column(name, i, ordered, scores) for i, name in enumerate(names))
    first = next((s for s in scores[runs[0].id] if s), None)
    return Leaderboard(
        dataset=runs[0].dataset,
        dataset_digest=runs[0].dataset_digest,
        licence=runs[0].licence,
        notes=runs[0].notes,
        utterances=len(runs[0].outputs),
        columns=columns,
        rows=tuple(rows),
        sort=key,
        policy=first.policy if first else "exclude",
        min_coverage=min_coverage,
        machine=_machine(runs[0]),
    )


def lacking(row: Row, min_coverage: float) -> list[str]:
    """Return the columns in which the row's coverage is below the minimum."""
    return [
        f"{s.title} {s.coverage:.0%}"
        for s in row.scores
        if s and s.coverage is not None and s.coverage < min_coverage
    ]


def as_json(board: Leaderboard) -> dict[str, Any]:
    """Return the board as the JSON document that ``--format json`` prints."""
    return {
        "dataset": board.dataset,
        "dataset_digest": board.dataset_digest,
        "licence": board.licence,
        "notes": board.notes,
        "machine": board.machine,
        "utterances": board.utterances,
        "sort": board.sort,
        "on_missing": board.policy,
        "min_coverage": board.min_coverage,
        "columns": [
            {
                "metric": c.metric,
                "title": c.title,
                "signature": c.signature,
                "unit": c.unit,
                "better": c.better,
                "detectable": c.detectable,
            }
            for c in board.columns
        ],
        "rows": [
            {
                "run": r.run,
                "system": r.system,
                "scale": r.scale,
                "block": r.block,
                "weights": r.weights,
                "rank": r.rank,
                "tied_with_best": r.tied,
                "best": [c.metric for c, best in zip(board.columns, r.best, strict=True) if best],
                "note": r.note,
                "timing": dict(r.timing),
                "values": {s.metric: _value(s) for s in r.scores if s},
            }
            for r in board.rows
        ],
    }


def _value(score: Score) -> dict[str, Any]:
    kept = ("value", "low", "high", "n", "clusters", "coverage")
    states = {k: v for k, v in score.states.items() if k != "scored"}
    return {k: getattr(score, k) for k in kept} | {"states": states}


def _score(run: Run, metric: str) -> Any:
    return next((s for s in run.scores if s.metric == metric), None)


def _field(metric: str, field: str, run: Run) -> str:
    return str(getattr(_score(run, metric), field))


def _machine(run: Run) -> str:
    facts = run.host
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['threads']} threads, {facts['device']}"


def _same(what: str, runs: Iterable[Run], of: Callable[[Run], str]) -> None:
    found: dict[str, list[str]] = {}
    for run in runs:
        found.setdefault(of(run), []).append(f"{run.card.name} ({run.id})")
    if len(found) > 1:
        sides = "; ".join(f"{value}: {', '.join(names)}" for value, names in found.items())
        msg = f"cannot compare runs with different {what}: {sides}"
        raise Unlike(msg)


def _sort_key(names: list[str], scores: list[Score], sort: str | None) -> str:
    if sort is None:
        judged = (s.metric for s in scores if s.better != "neither")
        return next(judged, names[0] if names else "")
    for name in names:
        if sort in {name, name.partition(":")[0]}:
            return name
    msg = (
        f"no column {sort!r} to sort by{plugins.nearest(sort, names)} There are: {', '.join(names)}"
    )
    raise plugins.UnknownName(msg)


def _order(run: Run, names: list[str], key: str) -> tuple:
    score = _score(run, key) if names else None
    if score is None or score.value is None:
        return (1, 0.0, run.card.name)
    return (0, -score.value if score.better == "higher" else score.value, run.card.name)


def _block(run: Run, *, mix_scales: bool) -> str:
    return MIXED if mix_scales and run.card.scale != "anchor" else run.card.scale


def _rank(block: str, runs: list[Run], scores: dict, at: int, min_coverage: float) -> list[Row]:
    notes = {r.id: _why_not(r, scores[r.id], scores[r.id][at], min_coverage) for r in runs}
    placed = [r for r in runs if not notes[r.id]]
    first = [_first(placed, column, scores) for column in range(len(scores[runs[0].id]))]
    ties = first[at] if len(first[at]) > 1 else set()
    places = {r.id: n for n, r in enumerate(placed, 1)}
    return [
        Row(
            run=r.id,
            system=r.card.name,
            scale=r.card.scale,
            weights=r.card.weights,
            scores=scores[r.id],
            rank=places.get(r.id),
            note=notes[r.id],
            tied=r.id in ties,
            best=tuple(r.id in ids for ids in first),
            block=block,
            timing=r.timing,
        )
        for r in runs
    ]


def _why_not(run: Run, scores: tuple, key: Score | None, min_coverage: float) -> str:
    if run.card.scale == "anchor":
        return "anchor"
    row = Row(run.id, "", "", "", scores, None, "", tied=False)
    if low := lacking(row, min_coverage):
        return f"coverage below {min_coverage:.0%}: {', '.join(low)}"
    return "no value to rank by" if key is None or key.value is None else ""


def _first(placed: list[Run], at: int, scores: dict) -> set[str]:
    """Ids of a column's best and of those that the paired test does not tell from it.

    Holm over all comparisons with the best. Empty where neither direction is better, or where there
    is nothing to compare with.
    """
    having = [(r, s) for r in placed if (s := scores[r.id][at]) and s.value is not None]
    if len(having) < 2 or having[0][1].better == "neither":
        return set()
    sign = -1 if having[0][1].better == "higher" else 1
    (leader, best), *others = sorted(having, key=lambda pair: sign * pair[1].value)
    p = paired_ps(*_pairs(leader, best, [s for _, s in others]))
    return {leader.id} | {o.id for (o, _), q in zip(others, holm(p), strict=True) if q >= ALPHA}


def _pairs(run: Run, first: Score, others: Sequence[Score]) -> tuple[list[Pair], list, Any]:
    """Return one score paired with each of the others, the speakers, and the metric."""
    a, filled = first.columns.rows, first.columns.filled
    ids = first.columns.ids
    sides = (s.columns.on(ids) for s in others)
    pairs = [Pair(a, b, filled & there) for b, there in sides]
    return pairs, [run.speakers.get(i) for i in ids], plugins.load("metrics", first.metric)


def _column(name: str, at: int, runs: list[Run], scores: dict) -> Column:
    having = [(r, s) for r in runs if (s := scores[r.id][at])]
    _run, score = having[0]
    return Column(
        metric=name,
        title=score.title,
        signature=score.signature,
        unit=score.unit,
        better=score.better,
        digits=score.digits,
        detectable=_detectable(having),
    )


def _detectable(having: list[tuple[Run, Score]]) -> float | None:
    """Median over the pairs (first row, other row); of two runs like the first if it is alone."""
    valued = [(r, s) for r, s in having if s.value is not None]
    if not valued or valued[0][1].better == "neither":
        return None
    rivals = [(r, s) for r, s in valued if r.card.scale != "anchor"]
    (run, first), *others = rivals if len(rivals) > 1 else valued
    pairs, speakers, metric = _pairs(run, first, [s for _, s in others] or [first])
    if others:
        sizes = detectables(pairs, speakers, metric)
    else:
        there = np.flatnonzero(pairs[0].shared)
        sizes = [detectable(pairs[0].a[there], None, [speakers[i] for i in there], metric)]
    known = [s for s in sizes if s is not None and np.isfinite(s)]
    return float(np.median(known)) if known else None


def few_clusters(board: Leaderboard) -> int | None:
    """Return the number of speakers if it is too small for the intervals to be trusted."""
    counted = [s.clusters for r in board.rows for s in r.scores if s and s.value is not None]
    return min(counted) if counted and min(counted) < OPTIMISTIC else None
