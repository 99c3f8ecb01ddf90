"""Regression verdicts between two runs of the same data: better, worse, equivalent, cannot tell.

The difference of a metric is new less base over the utterances that both have. Two questions are
asked of it, each at level alpha:

*Non-inferiority* (what lets a change pass): the lower bound of the difference, counted so that up
is good, lies above minus the tolerance. The bound is the difference less t standard errors, the
standard error from a bootstrap of whole speakers, enlarged by sqrt(k / (k - 1)), and t Student's
with k - 1 degrees of freedom, k the number of speakers: a percentile interval of few clusters is
too narrow. All gated metrics have to pass, so no correction is due (intersection-union test).

*Regression* (what stops a change): the paired randomisation test of `bench.stats` (below ten
speakers, Student's from the same standard error: so few swaps reach no level), Holm over the gated
metrics. A difference that is significant but lies within the tolerance is no regression.

What answers neither is `cannot tell`, and that is not a pass unless the gate file says so.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.stats import t as student

from bench import plugins
from bench.run import Run, Score, Unlike
from bench.stats import OPTIMISTIC, TRIALS, _groups, _resampled, holm, paired_p
from metrics._base import Metric, Rows

#: Differences that a listener or a reader would not mind, in the metric's unit.
TOLERANCES = {
    "pesq": 0.05,
    "stoi": 0.005,
    "estoi": 0.01,
    "si_sdr": 0.3,
    "mcd": 0.1,
    "lsd": 0.1,
    "dnsmos": 0.05,
    "predicted_mos": 0.05,
    "wer": 0.5,
    "cer": 0.3,
    "speaker_similarity": 0.01,
    "f0_ccc": 0.02,
    "energy_ccc": 0.02,
}
RELATIVE = 0.02  # of the base's value, for any other metric
RELATIVE_TIMED = 0.1  # of the base's value, for times and memory of one sitting
MIN_N = {"peak_memory": 5}  # one value for each round, not for each utterance
WORST = 5  # utterances named for each metric

Verdict = Literal["better", "worse", "equivalent", "cannot tell", "not gated"]


@dataclass(frozen=True)
class Rule:
    """What one metric has to keep; the fields are the keys of a gate file."""

    tolerance: float | None = None  # None: `TOLERANCES`, else `RELATIVE` of the base's value
    alpha: float = 0.05
    min_coverage: float | None = None  # None: the base's own
    min_n: int | None = None  # utterances that both scored, None: 30; fewer can fail, never pass
    better: Literal["higher", "lower"] | None = None  # for a metric where neither is
    cannot_tell: Literal["stop", "pass"] = "stop"


@dataclass(frozen=True)
class Pair:
    """One metric of both runs."""

    base: Score
    new: Score | None
    speakers: Mapping[str, str | None]
    sitting: bool = False  # both timed in one sitting, in alternation
    metric: Metric | None = None  # pools the rows; None: the plug-in of the score's spec


@dataclass(frozen=True)
class Row:
    """One metric of both runs."""

    metric: str
    title: str
    unit: str
    better: str
    digits: int
    signature: str
    base: float | None
    new: float | None
    coverage: tuple[float | None, float | None]  # base, new
    difference: float | None = None  # new less base, over the shared utterances
    low: float | None = None  # two-sided interval at 1 - 2 alpha: each end is the one-sided bound
    high: float | None = None
    p: float | None = None  # two-sided, paired randomisation, Holm over the gated metrics
    n: int = 0  # shared utterances
    clusters: int = 0
    tolerance: float | None = None
    verdict: Verdict = "cannot tell"
    reason: str = ""
    passes: bool = False
    worst: tuple[tuple[str, float], ...] = ()  # ids and differences, the worst first


@dataclass(frozen=True)
class Comparison:
    """All metrics, and what they come to."""

    base: str
    new: str
    dataset: str
    dataset_digest: str
    shared: int
    only_base: tuple[str, ...]
    only_new: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def status(self) -> int:
        """Exit status: 0 pass, 1 a regression, 3 cannot tell."""
        if any(r.verdict == "worse" for r in self.rows):
            return 1
        gated = [r for r in self.rows if r.verdict != "not gated"]
        return 0 if gated and all(r.passes for r in gated) else 3


def read_gate(path: Path) -> dict[str, Rule]:
    """Read a gate file: a table for each metric, and ``[default]`` for what they leave out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no TOML, an unknown key, or a value of the wrong kind.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not TOML: {error}"
        raise ValueError(msg) from error
    common = _rule(path, "default", tables.pop("default", {}), Rule())
    rules = {name: _rule(path, name, table, common) for name, table in tables.items()}
    return {"default": common, **rules}


#: The keys of a table, and the words that each takes; none: a number.
_KEYS: dict[str, tuple[str, ...]] = {f.name: () for f in fields(Rule)} | {
    "better": ("higher", "lower"),
    "cannot_tell": ("stop", "pass"),
}


def _rule(path: Path, name: str, table: Any, common: Rule) -> Rule:
    if not isinstance(table, Mapping):
        msg = f"{path}: {name!r} is not a table: want [{name}] with keys below it"
        raise ValueError(msg)
    for key, value in table.items():
        if key not in _KEYS:
            msg = f"{path}: [{name}] has no key {key!r}{plugins.nearest(key, _KEYS)}"
            raise ValueError(msg)
        words = _KEYS[key]
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
        if value not in words if words else not number:
            want = " or ".join(f'"{w}"' for w in words) or "a number, 0 or more"
            msg = f"{path}: [{name}] {key} = {value!r}: want {want}"
            raise ValueError(msg)
    return replace(common, **table)


def compare(
    base: Run,
    new: Run,
    gate: Mapping[str, Rule] | None = None,
    sitting: Sequence[Pair] = (),
) -> Comparison:
    """Compare two runs on the utterances that both have.

    Args:
        base: what is there.
        new: what is to replace it.
        gate: rules by metric spec or name, `read_gate`; None: every metric with a better and a
            worse, by `Rule`. A gate that names metrics gates those alone.
        sitting: what `bench.rerun` timed of both, in alternation; stored times are never gated.

    Raises:
        Unlike: other data.
        ValueError: the gate names a metric that the base does not have, or gives a direction to
            one that has its own.
    """
    if base.dataset_digest != new.dataset_digest:
        msg = (
            f"cannot compare runs on different data: {base.dataset} ({base.dataset_digest}) "
            f"and {new.dataset} ({new.dataset_digest})"
        )
        raise Unlike(msg)
    timed_now = {p.base.metric for p in sitting}
    pairs = [
        Pair(s, new.score(s.metric), base.speakers)
        for s in base.scores
        if s.metric not in timed_now
    ]
    pairs += sitting
    rules = dict(gate or {})
    common = rules.pop("default", Rule())
    for name, rule in rules.items():
        asked = [p.base for p in pairs if name in _names(p.base)]
        if not asked:
            has = ", ".join(p.base.metric for p in pairs)
            msg = f"the gate asks for {name!r}, which the base does not have; it has: {has}"
            raise ValueError(msg)
        if rule.better and (wrong := next((s for s in asked if s.better != "neither"), None)):
            msg = f"the gate says better = {rule.better!r} of {name!r}, which is {wrong.better!r}"
            raise ValueError(msg)
    drafts = []
    for pair in pairs:
        spec, name = _names(pair.base)
        named = rules.get(spec) or rules.get(name)
        drafts.append(_draft(pair, named or (None if rules else common), asked=named is not None))
    ids = [{o.id for o in run.outputs} for run in (base, new)]
    return Comparison(
        base=f"{base.card.name} ({base.id})",
        new=f"{new.card.name} ({new.id})",
        dataset=base.dataset,
        dataset_digest=base.dataset_digest,
        shared=len(ids[0] & ids[1]),
        only_base=tuple(sorted(ids[0] - ids[1])),
        only_new=tuple(sorted(ids[1] - ids[0])),
        rows=tuple(_judged(drafts)),
    )


def _names(score: Score) -> tuple[str, str]:
    return score.metric, score.metric.partition(":")[0]


@dataclass(frozen=True)
class _Draft:
    """A row with its numbers; what it comes to is said once all p-values are there."""

    row: Row
    rule: Rule | None = None  # None: not gated
    bound: float = 0.0  # of the difference, counted so that up is good
    p: float | None = None  # None: nothing to test


def _draft(pair: Pair, rule: Rule | None, *, asked: bool) -> _Draft:
    score, other = pair.base, pair.new
    better = (rule.better if rule else None) or score.better
    row = Row(
        metric=score.metric,
        title=score.title,
        unit=score.unit,
        better=better,
        digits=score.digits,
        signature=score.signature,
        base=score.value,
        new=other.value if other else None,
        coverage=(score.coverage, other.coverage if other else None),
    )
    if reason := _left_out(pair, better):
        verdict: Verdict = "cannot tell" if asked else "not gated"
        return _Draft(replace(row, verdict=verdict, reason=reason), rule if asked else None)
    if other is None:
        return _Draft(replace(row, reason="the new run does not have it"), rule)
    if other.signature != score.signature:
        why = f"signatures differ: {score.signature} and {other.signature}"
        return _Draft(replace(row, reason=why), rule)
    if rule and (why := _lost(score, other, rule)):
        row = replace(row, verdict="worse", reason=why)
    ids = [i for i, c in score.cells.items() if c.row and i in other.cells and other.cells[i].row]
    row = replace(row, n=len(ids))
    if len(ids) < 2:
        return _Draft(replace(row, reason=row.reason or f"{len(ids)} shared utterances"), rule)
    return _measured(row, pair, ids, rule)


def _left_out(pair: Pair, better: str) -> str:
    if better == "neither":
        return 'neither direction is better (a gate file may say better = "lower")'
    if pair.base.timed and not pair.sitting:
        return "times of different sittings are never gated: see --rerun"
    return ""


def _lost(score: Score, other: Score, rule: Rule) -> str:
    """Return why the new run's coverage is too low, or nothing."""
    floor = score.coverage if rule.min_coverage is None else rule.min_coverage
    if other.coverage is None or floor is None or other.coverage >= floor:
        return ""
    gone = {"failed", "missing"}
    lost = [
        i
        for i, c in score.cells.items()
        if c.state not in gone and (i not in other.cells or other.cells[i].state in gone)
    ]
    some = f": {', '.join(lost[:3])}{' and more' if len(lost) > 3 else ''}" if lost else ""
    return f"coverage {other.coverage:.1%}, below {floor:.1%}{some}"


def _measured(row: Row, pair: Pair, ids: Sequence[str], rule: Rule | None) -> _Draft:
    assert pair.new is not None  # noqa: S101 - for the types
    a, b = (np.array([s.cells[i].row for i in ids], np.float64) for s in (pair.base, pair.new))
    metric = pair.metric or plugins.load("metrics", row.metric)
    speakers = [pair.speakers.get(i) for i in ids]
    rule_or_usual = rule or Rule()
    difference, margin, clusters = margin_of(a, b, speakers, metric, rule_or_usual.alpha)
    sign = 1 if row.better == "higher" else -1
    tolerance = rule_or_usual.tolerance
    if tolerance is None:
        share = RELATIVE_TIMED if pair.sitting else RELATIVE
        tolerance = TOLERANCES.get(metric.name, share * abs(row.base or 0))
    each = [metric.value(y[None]) - metric.value(x[None]) for x, y in zip(a, b, strict=True)]
    order = np.argsort([sign * d if np.isfinite(d) else 0 for d in each])[:WORST]
    row = replace(
        row,
        difference=difference,
        low=difference - margin,
        high=difference + margin,
        clusters=clusters,
        tolerance=tolerance,
        worst=tuple((ids[i], float(each[i])) for i in order if sign * each[i] < 0),
    )
    units = clusters if clusters > 1 else len(ids)
    if units < OPTIMISTIC:  # too few swaps to reach any level
        p = _student_p(difference, margin, units - 1, rule_or_usual.alpha)
    else:
        p = paired_p(a, b, speakers, metric)
    return _Draft(row, rule, sign * difference - margin, p)


def _student_p(difference: float, margin: float, freedom: int, alpha: float) -> float:
    """Return the two-sided p-value of a difference whose one-sided margin at alpha is known."""
    if margin == 0:
        return 1.0 if difference == 0 else 0.0
    return float(
        2 * student.sf(abs(difference) / margin * student.ppf(1 - alpha, freedom), freedom)
    )


def margin_of(
    a: Rows, b: Rows, clusters: Sequence[object], metric: Metric, alpha: float
) -> tuple[float, float, int]:
    """Return the difference b - a, the one-sided margin at alpha, and the number of clusters.

    Where all rows belong to one cluster, rows are drawn instead, which says nothing about other
    speakers; the number of clusters, 1, tells.

    Args:
        a: rows of the base, shape ``(n, k)``.
        b: rows of the new run for the same utterances.
        clusters: the speaker of each row.
        metric: gives corpus values.
        alpha: level of each end.
    """
    group, count = _groups(clusters)
    units = count
    if count < 2:
        group, units = np.arange(len(a)), len(a)
    moved = _resampled(b, group, units, metric, TRIALS, 0)
    moved = moved - _resampled(a, group, units, metric, TRIALS, 0)
    error = float(np.nanstd(moved)) * np.sqrt(units / (units - 1))
    margin = float(student.ppf(1 - alpha, units - 1)) * error
    return float(metric.value(b) - metric.value(a)), margin, count


def _judged(drafts: Sequence[_Draft]) -> list[Row]:
    tested = [i for i, d in enumerate(drafts) if d.rule and d.p is not None]
    adjusted = dict(zip(tested, holm([drafts[i].p or 0.0 for i in tested]), strict=True))
    rows = []
    for i, draft in enumerate(drafts):
        row, rule = replace(draft.row, p=adjusted.get(i, draft.p)), draft.rule
        if rule is None:
            row = replace(row, verdict="not gated", reason=row.reason or "not named by the gate")
        elif i in adjusted and row.verdict != "worse":  # by its coverage
            row = _verdict(row, rule, draft.bound)
        lenient = row.verdict == "cannot tell" and rule is not None and rule.cannot_tell == "pass"
        rows.append(replace(row, passes=lenient or row.verdict in {"better", "equivalent"}))
    return rows


def _verdict(row: Row, rule: Rule, bound: float) -> Row:
    difference, p = row.difference or 0.0, 1.0 if row.p is None else row.p
    good = difference > 0 if row.better == "higher" else difference < 0
    if bound < -(row.tolerance or 0):
        if p < rule.alpha and not good:
            return replace(row, verdict="worse")
        return replace(row, reason="the interval reaches beyond the tolerance")
    if p == 1 and row.low == row.high == 0:  # the very same rows
        return replace(row, verdict="equivalent", reason="identical")
    least = MIN_N.get(row.metric, 30) if rule.min_n is None else rule.min_n
    if row.n < least:
        return replace(row, reason=f"{row.n} shared utterances, fewer than {least}")
    return replace(row, verdict="better" if p < rule.alpha and good else "equivalent")
