"""A metric over runs, by date and commit, with what makes neighbours incomparable as breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench import plugins
from bench.run import Run, Score


@dataclass(frozen=True)
class Point:
    """One run's value of a metric."""

    date: str  # ISO 8601, UTC; empty for a record that is older than dates
    commit: str
    run: str
    score: Score
    breaks: str = ""  # why it cannot be compared with the point before; empty: it can


@dataclass(frozen=True)
class Series:
    """One metric of one system, oldest first."""

    system: str
    metric: str
    points: tuple[Point, ...]


def history(runs: Sequence[Run], metric: str | None = None) -> Iterator[Series]:
    """Yield a series for each system and metric.

    Args:
        runs: in any order.
        metric: spec or name; None: all.

    Raises:
        UnknownName: no run has the metric.
    """
    ordered = sorted(runs, key=lambda r: (r.made.get("date", ""), r.id))
    names = list(dict.fromkeys(s.metric for r in ordered for s in r.scores))
    wanted = [n for n in names if metric is None or metric in {n, n.partition(":")[0]}]
    if metric and not wanted:
        hint = plugins.nearest(metric, names)
        msg = f"no run has {metric!r}{hint} There are: {', '.join(names)}"
        raise plugins.UnknownName(msg)
    for system in dict.fromkeys(r.card.name for r in ordered):
        for name in wanted:
            found = [(r, s) for r in ordered if r.card.name == system and (s := r.score(name))]
            found = [(r, s) for r, s in found if s.metric == name]
            if found:
                yield Series(system, name, tuple(_points(found)))


def _points(found: Sequence[tuple[Run, Score]]) -> Iterator[Point]:
    before: tuple[Run, Score] | None = None
    for run, score in found:
        point = Point(run.made.get("date", ""), run.made.get("commit", ""), run.id, score)
        yield replace(point, breaks=_breaks(before, (run, score)) if before else "")
        before = run, score


def _breaks(before: tuple[Run, Score], after: tuple[Run, Score]) -> str:
    (old, was), (new, now) = before, after
    said = []
    if old.dataset_digest != new.dataset_digest:
        said.append(f"other data: {new.dataset} ({new.dataset_digest})")
    if was.signature != now.signature:
        said.append(_changed(was.signature, now.signature))
    if was.policy != now.policy:
        said.append(f"missing outputs: {was.policy} to {now.policy}")
    if now.timed and old.host.get("fingerprint") != new.host.get("fingerprint"):
        said.append("another machine")
    return "; ".join(said)


def _changed(was: str, now: str) -> str:
    """Return the parts of the signature that changed, the metric's revision by its name."""
    old, new = (dict(p.partition(":")[::2] for p in s.split("|")[1:]) for s in (was, now))
    keys = [k for k in dict.fromkeys([*old, *new]) if old.get(k) != new.get(k)]
    named = {"r": "revision"}
    return ", ".join(f"{named.get(k, k)} {old.get(k, '-')} to {new.get(k, '-')}" for k in keys)
