"""Regression verdicts between two runs of the same data: better, worse, equivalent, cannot tell.

The difference of a metric is new less base over the utterances that both have. Two questions are
asked of it, each at level alpha:

*Non-inferiority* (what lets a change pass): the lower bound of the difference, counted so that up
is good, lies above minus the tolerance. The bound is the difference less t standard errors, the
standard error from a bootstrap of whole speakers, enlarged by sqrt(k / (k - 1)), and t Student's
with k - 1 degrees of freedom, k the number of speakers: a percentile interval of few clusters is
too narrow. All gated metrics have to pass, so no correction is due (intersection-union test).

*Regression* (what stops a change): the paired randomisation test of `bench.stats`, Holm over the
gated metrics. A difference that is significant but lies within the tolerance is no regression.

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
from bench.stats import TRIALS, _groups, _resampled, holm, paired_p
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
WORST = 5  # utterances named for each metric

Verdict = Literal["better", "worse", "equivalent", "cannot tell", "not gated"]


@dataclass(frozen=True)
class Rule:
    """What one metric has to keep; the fields are the keys of a gate file."""

    tolerance: float | None = None  # None: `TOLERANCES`, else `RELATIVE` of the base's value
    alpha: float = 0.05
    min_coverage: float | None = None  # None: the base's own
    min_n: int = 30  # utterances that both runs scored; fewer can fail, never pass
    cannot_tell: Literal["stop", "pass"] = "stop"


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
    difference: float | None  # new less base, over the shared utterances
    low: float | None  # two-sided interval at 1 - 2 alpha: each end is the one-sided bound
    high: float | None
    p: float | None  # two-sided, paired randomisation, Holm over the gated metrics
    n: int  # shared utterances
    clusters: int
    coverage: tuple[float | None, float | None]  # base, new
    tolerance: float | None
    verdict: Verdict
    reason: str
    passes: bool
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


def _rule(path: Path, name: str, table: Any, common: Rule) -> Rule:
    if not isinstance(table, Mapping):
        msg = f"{path}: {name!r} is not a table: want [{name}] with keys below it"
        raise ValueError(msg)
    known = {f.name for f in fields(Rule)}
    for key, value in table.items():
        if key not in known:
            msg = f"{path}: [{name}] has no key {key!r}{plugins.nearest(key, known)}"
            raise ValueError(msg)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value not in ("stop", "pass") if key == "cannot_tell" else not number or value < 0:
            msg = f"{path}: [{name}] {key} = {value!r}: want " + (
                '"stop" or "pass"' if key == "cannot_tell" else "a number, 0 or more"
            )
            raise ValueError(msg)
    return replace(common, **table)


def compare(base: Run, new: Run, gate: Mapping[str, Rule] | None = None) -> Comparison:
    """Compare two runs on the utterances that both have.

    Args:
        base: what is there.
        new: what is to replace it.
        gate: rules by metric spec or name, `read_gate`; None: every metric with a better and a
            worse, by `Rule`. A gate that names metrics gates those alone.

    Raises:
        Unlike: other data.
        ValueError: the gate names a metric that the base does not have.
    """
    if base.dataset_digest != new.dataset_digest:
        msg = (
            f"cannot compare runs on different data: {base.dataset} ({base.dataset_digest}) "
            f"and {new.dataset} ({new.dataset_digest})"
        )
        raise Unlike(msg)
    rules = dict(gate or {})
    common = rules.pop("default", Rule())
    for name in rules:
        if base.score(name) is None:
            has = ", ".join(s.metric for s in base.scores)
            msg = f"the gate asks for {name!r}, which the base does not have; it has: {has}"
            raise ValueError(msg)
    rows = []
    for score in base.scores:
        named = rules.get(score.metric) or rules.get(score.metric.partition(":")[0])
        rule = named or (None if rules else common)
        rows.append(_row(base, score, new.score(score.metric), rule))
    ids = [{o.id for o in run.outputs} for run in (base, new)]
    return Comparison(
        base=f"{base.card.name} ({base.id})",
        new=f"{new.card.name} ({new.id})",
        dataset=base.dataset,
        dataset_digest=base.dataset_digest,
        shared=len(ids[0] & ids[1]),
        only_base=tuple(sorted(ids[0] - ids[1])),
        only_new=tuple(sorted(ids[1] - ids[0])),
        rows=tuple(_judged(rows)),
    )


@dataclass(frozen=True)
class _Draft:
    row: Row
    rule: Rule | None
    bound: float  # of the difference, counted so that up is good
    p: float


def _row(base: Run, score: Score, other: Score | None, rule: Rule | None) -> _Draft:
    row = Row(
        score.metric, score.title, score.unit, score.better, score.digits, score.signature,
        score.value, other.value if other else None, None, None, None, None, 0, 0,
        (score.coverage, other.coverage if other else None), None, "cannot tell", "", False,
    )  # fmt: skip
    if score.better == "neither" or score.timed:
        why = (
            "times of different sittings are never gated"
            if score.timed
            else "neither direction is better"
        )
        return _Draft(replace(row, verdict="not gated", reason=why), None, 0, 1)
    if other is None:
        return _Draft(replace(row, reason="the new run does not have it"), rule, 0, 1)
    if other.signature != score.signature:
        why = f"signatures differ: {score.signature} and {other.signature}"
        return _Draft(replace(row, reason=why), rule, 0, 1)
    ids = [i for i, c in score.cells.items() if c.row and i in other.cells and other.cells[i].row]
    lost = [
        i
        for i, c in score.cells.items()
        if c.row and (i not in other.cells or other.cells[i].state in {"failed", "missing"})
    ]
    row = replace(row, n=len(ids))
    if len(ids) < 2:
        return _Draft(replace(row, reason=f"{len(ids)} shared utterances"), rule, 0, 1)
    a, b = (np.array([s.cells[i].row for i in ids], dtype=np.float64) for s in (score, other))
    speakers = [base.speakers.get(i) for i in ids]
    metric = plugins.load("metrics", score.metric)
    alpha = (rule or Rule()).alpha
    difference, margin, clusters = margin_of(a, b, speakers, metric, alpha)
    sign = 1 if score.better == "higher" else -1
    tolerance = (rule or Rule()).tolerance
    if tolerance is None:
        usual = TOLERANCES.get(metric.name)
        tolerance = RELATIVE * abs(score.value or 0) if usual is None else usual
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
    floor = (rule or Rule()).min_coverage
    floor = score.coverage if floor is None else floor
    if rule and other.coverage is not None and floor is not None and other.coverage < floor:
        some = f": {', '.join(lost[:3])}{' and more' if len(lost) > 3 else ''}" if lost else ""
        why = f"coverage {other.coverage:.1%}, below {floor:.1%}{some}"
        return _Draft(replace(row, verdict="worse", reason=why), rule, 0, 1)
    p = paired_p(a, b, speakers, metric)
    return _Draft(row, rule, sign * difference - margin, p)


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


def _judged(drafts: list[_Draft]) -> list[Row]:
    tested = [d for d in drafts if d.rule and d.row.difference is not None]
    adjusted = iter(holm([d.p for d in tested]) if tested else [])
    rows = []
    for draft in drafts:
        row, rule = draft.row, draft.rule
        if draft in tested and rule:
            p = next(adjusted)
            row = replace(row, p=p)
            if row.verdict != "worse":  # by its coverage
                row = _verdict(row, rule, draft.bound, p)
        elif row.difference is not None and row.verdict == "cannot tell":
            row = replace(row, verdict="not gated", reason="the gate does not name it", p=draft.p)
        passes = row.verdict in {"better", "equivalent"}
        lenient = row.verdict == "cannot tell" and rule is not None and rule.cannot_tell == "pass"
        rows.append(replace(row, passes=passes or lenient))
    return rows


def _verdict(row: Row, rule: Rule, bound: float, p: float) -> Row:
    difference = row.difference or 0.0
    good = difference > 0 if row.better == "higher" else difference < 0
    if bound < -(row.tolerance or 0):
        if p < rule.alpha and not good:
            return replace(row, verdict="worse", reason="")
        return replace(row, reason="the interval reaches beyond the tolerance")
    if p == 1 and row.low == row.high == 0:  # the very same rows
        return replace(row, verdict="equivalent", reason="identical")
    if row.n < rule.min_n:
        return replace(row, reason=f"{row.n} shared utterances, fewer than {rule.min_n}")
    return replace(row, verdict="better" if p < rule.alpha and good else "equivalent")
