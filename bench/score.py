"""Stage 3: metrics measure rendered audio. Needs no system, so a new metric costs no new run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench import audio, plugins
from bench.beside import Beside
from bench.cache import Cache, digest
from bench.datasets._base import Utterance
from bench.execute import Crashed, Failed, Pool
from bench.observe import Heard, Hearing, Subject
from bench.run import Cell, Output, Score
from bench.totals import total
from metrics._base import INPUTS, Metric, Unscorable
from metrics.observers._base import SILENT

Policy = Literal["exclude", "worst", "fail"]
_ROLES = {
    "heard": "estimate",
    "heard_reference": "reference",
    "heard_prompt": "prompt",
    "heard_baseline": "baseline",
    "heard_resynthesised": "resynthesised",
}
_RECORDINGS = ("estimate", "reference", "prompt")
_HEAVY = {*_RECORDINGS, "streams", "alphabets"}  # what is read from disk, in a worker
_REVISION = 1  # raised when the checks or the preparation in this file change what is measured


class StoppedByPolicy(RuntimeError):
    """``--on-missing fail`` met an output that failed or is missing."""


class MetricBug(RuntimeError):
    """A metric raised something else than `Unscorable`; the message is its traceback."""


@dataclass(frozen=True)
class _Task:
    """What a worker needs to measure one utterance; small enough to send."""

    id: str
    metrics: tuple[int, ...]  # indices into the worker's list
    paths: Mapping[str, Path | None]  # of _RECORDINGS and "codes"
    facts: Mapping[str, Any]  # the INPUTS that need no file
    status: str  # of the output: ok, failed, missing
    reason: str
    delay_seconds: float


class Scoring:
    """Measures utterances as they come; `scores` then has the totals."""

    def __init__(
        self,
        metrics: Sequence[Metric],
        cache: Cache,
        folder: Path,
        *,
        jobs: int,
        policy: Policy = "exclude",
        device: str = "auto",
        progress: Callable[[], None] = lambda: None,
        beside: Mapping[str, Beside] | None = None,
    ):
        for metric in metrics:
            if unknown := set(metric.needs) - set(INPUTS):
                msg = f"{metric.name} asks for unknown inputs {sorted(unknown)}"
                raise TypeError(msg)
        self.metrics, self.cache, self.folder = list(metrics), cache, folder
        self.jobs, self.policy, self.progress = jobs, policy, progress
        self.device, self.beside = device, beside or {}
        self.computed = self.cached = 0
        self.heard: dict[str, dict[str, Heard]] = {}  # by observer and utterance
        self._signatures = [m.signature for m in self.metrics]
        self._needs = [frozenset(m.needs) for m in self.metrics]
        self._cells: list[dict[str, Cell]] = [{} for _ in metrics]
        self._notes = ["" for _ in metrics]
        self._utterances: list[tuple[Utterance, Output]] = []

    def run(self, pairs: Iterable[tuple[Utterance, Output]]) -> tuple[Score, ...]:
        """Return one Score per metric, in the order given.

        Raises:
            StoppedByPolicy: the policy is ``fail`` and an output failed or is missing.
            MetricBug: a metric has one.
        """
        listeners = [i for i, m in enumerate(self.metrics) if m.listens]
        late = [i for i, m in enumerate(self.metrics) if "delay" in m.needs]
        now = [i for i in range(len(self.metrics)) if i not in late and i not in listeners]
        size = 256 if isinstance(pairs, Sequence) else 8  # outputs still being made come slowly
        with Pool(self.jobs, measure, self.metrics) as pool:
            self._pass(pool, _chunks(self._remember(pairs), size), now, delay_seconds=0.0)
        if late:
            known = self._delay()
            with Pool(self.jobs, measure, self.metrics) as pool:
                self._pass(pool, _chunks(self._utterances, 256), late, delay_seconds=known)
        for spec in dict.fromkeys(_observer(self.metrics[i]) for i in listeners):
            self._listen(spec, [i for i in listeners if _observer(self.metrics[i]) == spec])
        speakers = {u.id: u.speaker for u, _ in self._utterances}
        scores = (
            total(m, self._counted(m, cells), speakers, self.policy, self.cache)
            for m, cells in zip(self.metrics, self._cells, strict=True)
        )
        return tuple(replace(s, note=n) for s, n in zip(scores, self._notes, strict=True))

    def _counted(self, metric: Metric, cells: Mapping[str, Cell]) -> dict[str, Cell]:
        """Return the cells in order; under ``worst`` a hole gets the row that it counts with."""
        found = {u.id: cells[u.id] for u, _ in self._utterances}
        if self.policy == "worst":
            for utterance, output in self._utterances:
                if (cell := found[utterance.id]).state in {"failed", "missing"}:
                    row = metric.worst_row(**_facts(utterance, output)) or ()
                    found[utterance.id] = replace(cell, row=row)
        return found

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Everything that went through, in order."""
        return tuple(output for _, output in self._utterances)

    def _remember(self, pairs: Iterable[tuple[Utterance, Output]]) -> Iterator[tuple]:
        for pair in pairs:
            if self.policy == "fail" and pair[1].status != "ok":
                msg = f"{pair[1].id} is {pair[1].status}: {pair[1].reason}".rstrip(": ")
                raise StoppedByPolicy(msg)
            self._utterances.append(pair)
            yield pair

    def _delay(self) -> float:
        """One estimate for the system: the median lag over the data set, in seconds."""
        metric = plugins.load("metrics", "delay")
        sub = Scoring([metric], self.cache, self.folder, jobs=self.jobs)
        (score,) = sub.run(self._utterances)
        return 0.0 if score.value is None else score.value / 1000  # it is in ms

    def _pass(
        self, pool: Pool, chunks: Iterable[list], indices: list[int], *, delay_seconds: float
    ) -> None:
        keys: dict[str, dict[int, str]] = {}

        def tasks() -> Iterator[_Task]:
            for chunk in chunks:
                yield from self._plan(chunk, indices, delay_seconds, keys)

        for task, result in pool.map(tasks()):
            if isinstance(result, Failed):
                raise MetricBug(result.traceback)
            for index in task.metrics:
                key = keys[task.id].pop(index)
                if isinstance(result, Crashed):
                    cell = Cell("failed", reason=result.reason)
                else:
                    cell = result[index]
                    self.cache.put("scores", key, [cell.state, cell.reason, cell.row])
                self._set(index, task.id, cell)
                self.computed += 1
            del keys[task.id]
            self.progress()

    def _plan(
        self, chunk: list[tuple], indices: list[int], delay: float, keys: dict[str, dict[int, str]]
    ) -> Iterator[_Task]:
        """Take from the cache what is there, do at once what is cheap, and yield the rest."""
        paths = {o.id: self._paths(u, o) for u, o in chunk}
        present = (p for some in paths.values() for p in some.values() if p and p.exists())
        shas = self.cache.sha256s(present)
        plans: dict[str, dict[int, str]] = {}
        for utterance, output in chunk:
            facts = _facts(utterance, output)
            files = {k: shas.get(p, "") if p else "" for k, p in paths[output.id].items()}
            plans[output.id] = {
                i: self._key(i, files, facts, output, delay)
                for i in indices
                if _HEAVY & self._needs[i]
            }
        known = self.cache.get("scores", [key for plan in plans.values() for key in plan.values()])
        for utterance, output in chunk:
            plan, todo, facts = plans[output.id], {}, _facts(utterance, output)
            for i in indices:
                if i not in plan:
                    self._set(i, output.id, _cheap(self.metrics[i], self._needs[i], facts, output))
                elif plan[i] in known:
                    state, reason, row = known[plan[i]]
                    self._set(i, output.id, Cell(state, tuple(row), reason))
                    self.cached += 1
                else:
                    todo[i] = plan[i]
            if todo:
                keys[output.id] = todo
                yield _Task(
                    output.id,
                    tuple(todo),
                    paths[output.id],
                    facts,
                    output.status,
                    output.reason,
                    delay,
                )
            else:
                self.progress()

    def _listen(self, spec: str, indices: list[int]) -> None:
        """Let one observer hear what its metrics need, and measure with them."""
        hearing = Hearing(plugins.load("observers", spec, device=self.device), self.cache)
        roles = [r for r in _ROLES if any(r in self._needs[i] for i in indices)]
        subjects = {o.id: self._subjects(u, o) for u, o in self._utterances}
        hearing.listen(s for some in subjects.values() for r in roles if (s := some[r]))
        self.computed += hearing.computed
        self.cached += hearing.cached
        if "heard" in roles:
            outputs = {i: s for i, some in subjects.items() if (s := some["heard"])}
            self.heard[hearing.observer.name] = {i: hearing[s] for i, s in outputs.items()}
        for utterance, output in self._utterances:
            facts, mine = _facts(utterance, output), subjects[output.id]
            heard = {r: hearing[s] if (s := mine[r]) else None for r in roles}
            for i in indices:
                needs = self._needs[i]
                self._set(i, output.id, _listened(self.metrics[i], needs, heard, facts, output))
        for i in indices:
            self._notes[i] = self._note(i, subjects, hearing)

    def _note(self, index: int, subjects: Mapping[str, Mapping], hearing: Hearing) -> str:
        """Return what the metric says of the recordings it compares with, each taken once."""
        role = next((r for r in _ROLES if r in self._needs[index] and r != "heard"), "")
        speakers = {s: u.speaker for u, o in self._utterances if (s := subjects[o.id].get(role))}
        shas = self.cache.sha256s(s.path for s in speakers)
        once = {shas[s.path]: s for s in speakers}.values()
        context = self.metrics[index].context(
            [hearing[s].observation for s in once], [speakers[s] for s in once]
        )
        other = self.beside.get(_ROLES.get(role, ""))
        return "; ".join(filter(None, (other.about if other else "", context)))

    def _subjects(self, utterance: Utterance, output: Output) -> dict[str, Subject | None]:
        paths = self._paths(utterance, output)
        usable = {**paths, "estimate": paths["estimate"] if output.status == "ok" else None}
        usable |= {role: other.paths.get(output.id) for role, other in self.beside.items()}
        return {
            role: Subject(path, utterance.language) if (path := usable.get(name)) else None
            for role, name in _ROLES.items()
        }

    def _set(self, index: int, utterance: str, cell: Cell) -> None:
        if self.policy == "fail" and cell.state in {"failed", "missing"}:
            msg = f"{utterance}: {self.metrics[index].spec} {cell.state}: {cell.reason}"
            raise StoppedByPolicy(msg)
        self._cells[index][utterance] = cell

    def _paths(self, utterance: Utterance, output: Output) -> dict[str, Path | None]:
        return {
            "estimate": self.folder / output.path if output.path else None,
            "reference": utterance.audio,
            "prompt": utterance.prompt,
            "codes": self.folder / output.codes if output.codes else None,
        }

    def _key(self, index: int, files: Mapping, facts: Mapping, output: Output, delay: float) -> str:
        needs = self._needs[index]
        used = {
            k: v for k, v in files.items() if k in needs or (k == "codes" and "streams" in needs)
        }
        plain = {k: v for k, v in facts.items() if k in needs}
        moved = delay if "delay" in needs else 0
        status = (output.status, output.reason)
        return digest(_REVISION, self._signatures[index], used, plain, moved, status)


def _chunks(items: Iterable, size: int) -> Iterator[list]:
    chunk: list = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _facts(utterance: Utterance, output: Output) -> dict[str, Any]:
    return {
        "text": utterance.text,
        "language": utterance.language,
        "emotion": utterance.emotion,
        "ratings": utterance.ratings,
        "seconds": output.seconds,
        "bits": output.bits,
        "wall_seconds": output.wall_seconds,
        "first_audible_seconds": output.first_audible_seconds,
    }


def _cheap(metric: Metric, needs: Iterable[str], facts: Mapping[str, Any], output: Output) -> Cell:
    if output.status != "ok":
        return Cell(output.status, reason=output.reason)
    return _apply(metric, {name: facts[name] for name in needs})


def _listened(
    metric: Metric,
    needs: Iterable[str],
    heard: Mapping[str, Heard | None],
    facts: Mapping[str, Any],
    output: Output,
) -> Cell:
    """Return the cell of a metric that listens."""
    inputs = {k: v for k, v in facts.items() if k in needs}
    for role in (r for r in _ROLES if r in needs and r != "heard"):
        known = heard[role]
        if known is None or known.fault:
            fault = f"the {_ROLES[role]} {known.fault}" if known else f"there is no {_ROLES[role]}"
            return Cell("unscorable", reason=fault)
        inputs[role] = known.observation
    known = heard.get("heard")
    if "heard" not in needs or (known and not known.fault):
        return _apply(metric, inputs | ({"heard": known.observation} if known else {}))
    probe = _apply(metric, {**inputs, "heard": SILENT})
    if probe.state == "unscorable":  # nobody's output could have been scored
        return probe
    if known is None:
        return Cell("missing" if output.status == "missing" else "failed", reason=output.reason)
    return Cell("failed", reason=f"the output {known.fault}")


def _observer(metric: Metric) -> str:
    return str(getattr(metric, metric.listens))


def _apply(metric: Metric, inputs: Mapping[str, Any]) -> Cell:
    try:
        row = metric.statistic(**inputs)
    except Unscorable as fact:
        return Cell("failed" if fact.blame == "estimate" else "unscorable", reason=str(fact))
    return Cell("scored", tuple(float(x) for x in row))


def measure(metrics: Sequence[Metric], task: _Task) -> dict[int, Cell]:
    """Measure one utterance with the metrics the task names; runs in a worker."""
    heard = _Heard(task)
    return {i: heard.cell(metrics[i]) for i in task.metrics}


class _Heard:
    """The recordings of one utterance, read and resampled once for all metrics."""

    def __init__(self, task: _Task):
        self.task = task
        self.faults: dict[str, str] = {}  # recording -> what is wrong with it
        self.waves: dict[str, tuple[audio.Wave, int]] = {}
        for name in _RECORDINGS:
            path = task.paths[name]
            if path is None:
                self.faults[name] = f"there is no {name} recording"
                continue
            try:
                self.waves[name] = audio.read(path)
            except audio.Unusable as fault:
                self.faults[name] = f"the {name} {fault}"
        if task.status != "ok":
            self.faults["estimate"] = task.reason
            self.waves.pop("estimate", None)
        reference = self.waves.get("reference")
        if "estimate" in self.waves:
            try:
                level = reference[0] if reference else None
                audio.check_level(self.waves["estimate"][0], level)
            except audio.Unusable as fault:
                self.faults["estimate"] = f"the output {fault}"
        self._at: dict[tuple[str, int], audio.Wave] = {}

    def cell(self, metric: Metric) -> Cell:
        """Return the state and row of one metric."""
        needs = set(metric.needs)
        for name in ("reference", "prompt"):
            if name in needs and name in self.faults:
                return Cell("unscorable", reason=self.faults[name])
        rate = metric.sample_rate or self._reference_rate()
        inputs = {k: v for k, v in self.task.facts.items() if k in needs}
        inputs |= {n: self._wave(n, rate) for n in ("reference", "prompt") if n in needs}
        inputs |= {"sample_rate": rate} if "sample_rate" in needs else {}
        inputs |= {"delay": round(self.task.delay_seconds * rate)} if "delay" in needs else {}
        if fault := self._fault(metric):
            return self._without_estimate(metric, inputs, fault)
        if "estimate" in needs:
            wave = self._wave("estimate", rate)
            if metric.aligned and "reference" in needs:
                wave = audio.fit(wave, inputs["reference"], rate)
            inputs["estimate"] = wave
        if {"streams", "alphabets"} & needs:
            streams, alphabets = self._codes()
            inputs |= {"streams": streams} if "streams" in needs else {}
            inputs |= {"alphabets": alphabets} if "alphabets" in needs else {}
        return _apply(metric, inputs)

    def _fault(self, metric: Metric) -> str:
        """Return why this metric cannot take the output; empty where it can."""
        needs = set(metric.needs)
        if "estimate" in needs and "estimate" in self.faults:
            return self.faults["estimate"]
        if self.task.status != "ok":
            return self.task.reason or self.task.status
        if metric.aligned and {"estimate", "reference"} <= needs:
            (wave, rate), (other, base) = self.waves["estimate"], self.waves["reference"]
            try:
                audio.fit(np.empty(round(wave.size * base / rate)), other, base)
            except audio.Unusable as fault:
                return f"the output {fault}"
        return ""

    def _without_estimate(self, metric: Metric, inputs: dict, fault: str) -> Cell:
        """The output is at fault, unless the reference could not have been scored by anyone."""
        state = "missing" if self.task.status == "missing" else "failed"
        if {"estimate", "reference"} <= set(metric.needs) and "streams" not in metric.needs:
            probe = _apply(metric, inputs | {"estimate": inputs["reference"]})
            if probe.state == "unscorable":
                return probe
        return Cell(state, reason=fault)  # type: ignore[arg-type]

    def _reference_rate(self) -> int:
        best = self.waves.get("reference") or self.waves.get("estimate") or (None, 16000)
        return best[1]

    def _wave(self, name: str, rate: int) -> audio.Wave:
        if (name, rate) not in self._at:
            wave, found = self.waves[name]
            self._at[name, rate] = audio.resample(wave, found, rate)
        return self._at[name, rate]

    def _codes(self) -> tuple[tuple, tuple]:
        path = self.task.paths["codes"]
        if path is None:
            return (), ()
        with np.load(path) as file:
            streams = tuple(file[str(i)] for i in range(len(file.files) - 1))
            return streams, tuple(int(a) for a in file["alphabets"])
