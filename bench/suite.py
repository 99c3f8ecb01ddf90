"""The two main jobs: run a system over a data set, and score audio made elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import audio, execute, observe, plugins
from bench.beside import Beside
from bench.cache import Cache, digest
from bench.datasets._base import Dataset, Utterance
from bench.generate import Generation, contents
from bench.isolate import Isolated
from bench.progress import stage
from bench.run import Output, Run, earlier, file_name, host, origin, run_id, save
from bench.score import Policy, Scoring
from bench.totals import added
from metrics._base import Metric
from systems._base import Card

PRESETS = {
    "codec": "pesq,stoi,estoi,si_sdr,mel_distance,bitrate,rtf",
    "tts": "wer,speaker_similarity,rtf,first_audible",
}
_AUDIO = (".wav", ".flac")


@dataclass(frozen=True)
class Options:
    """What holds for every system of one command."""

    seed: int = 0
    device: str = "auto"  # of observers; a system is loaded before
    jobs: int = 0  # 0: one worker a core
    out: Path = Path("runs")
    policy: Policy = "exclude"
    timed: bool = True
    as_json: bool = False
    cache: Path | None = None
    beside: Mapping[str, Beside] = field(default_factory=dict)  # other runs' outputs, by role


@dataclass
class Report:
    """What a command did, for its last line."""

    folder: Path = Path()
    generated: int = 0
    from_cache: int = 0
    measured: int = 0
    remembered: int = 0
    unmatched: list[str] = field(default_factory=list)  # files that belong to no utterance

    def __str__(self) -> str:
        if not self.generated and not self.measured:
            return f"nothing to compute: every output and score was known ({self.folder})"
        made = f"{self.generated} outputs made" + (
            f", {self.from_cache} from the cache (untimed)" if self.from_cache else ""
        )
        return f"{made}; {self.measured} scores computed, {self.remembered} known ({self.folder})"


def device_of(choice: str) -> str:
    """Return ``cpu`` or ``cuda`` for ``auto``; torch is only imported to find out."""
    if choice != "auto":
        return choice
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def load_metrics(specs: str) -> list[Metric]:
    """Build the metrics of ``a,b:x=1``; their observers and packages are checked now.

    Raises:
        ValueError: the same column is asked for twice.
    """
    asked = [plugins.load("metrics", spec) for spec in plugins.split(specs)]
    named = {m.spec for m in asked}
    metrics = []
    for metric in asked:
        metrics.append(_bound(metric))
        if metric.beside and metric.beside not in named:
            metrics.append(_bound(plugins.load("metrics", metric.beside)))
    twice = [m for m, n in Counter(m.spec for m in metrics).items() if n > 1]
    if twice:
        msg = f"metric {twice[0]!r} is asked for twice"
        raise ValueError(msg)
    return metrics


def _bound(metric: Metric) -> Metric:
    """Return the metric with its observer's signature; the observer's weights are looked for."""
    if not metric.listens:
        return metric
    spec = str(getattr(metric, metric.listens))
    if line := plugins.lacking("observers", spec):
        raise plugins.Unavailable(line)
    return metric.bound(plugins.load("observers", spec).signature)


def preload(metrics: Sequence[Metric]) -> None:
    """Start to import what the workers will need, while this process gets on."""
    packages = sorted({p.replace("-", "_") for m in metrics for p in m.requires})
    modules = sorted({type(m).__module__ for m in metrics})
    execute.warm(["bench.score", "scipy.signal", *modules, *packages])


def run(
    system: Any, dataset: Dataset, metrics: list[Metric], options: Options
) -> tuple[Run, Report]:
    """Render `dataset` with `system`, measure, and save; resumes what an earlier call left."""
    with Cache(options.cache) as cache:
        whole = added(digest(*item) for item in contents(dataset, cache).items())
        machine = host(getattr(system, "device", "cpu"))
        folder = options.out / _folder_name(
            system.card, dataset, run_id(system.card, whole, options.seed)
        )
        generation = Generation(
            system,
            dataset,
            folder,
            cache,
            seed=options.seed,
            machine=machine["fingerprint"],
            timed=options.timed,
        )
        pairs: Iterable = zip(dataset.utterances, generation, strict=True)
        if options.timed:  # metrics would compete with the system for the processors
            pairs = _shown(pairs, f"generate {system.card.name}", dataset, options)
        scoring, scores = _measure(metrics, cache, folder, dataset, pairs, options)
        timing = {"load_seconds": getattr(system, "load_seconds", 0.0)}
        timing |= {"warm_up_seconds": generation.warm_up_seconds}
        kept = {} if generation.made else earlier(folder)  # a record keeps the timing it had
        timing = kept.get("timing", timing) | _percentiles(scoring.outputs)
        born, card = kept.get("made") or origin(), system.card
        record = _record(card, dataset, whole, options, machine, timing, born, scoring, scores)
        save(record, folder)
        for name, heard in scoring.heard.items():
            observe.save(heard, folder / "observations" / f"{name}.jsonl")
        report = Report(folder, generation.made, generation.cached)
        report.measured, report.remembered = scoring.computed, scoring.cached
        return record, report


def score_folder(
    audio: Path, dataset: Dataset, metrics: list[Metric], options: Options
) -> tuple[Run, Report]:
    """Measure audio made elsewhere, named ``<utterance id>.wav`` or ``.flac``.

    Every utterance is accounted for: a file that cannot be used is `failed`, one that is not there
    is `missing`, and files that belong to no utterance are listed in the report.

    Raises:
        FileNotFoundError: the folder is not there.
    """
    if not audio.is_dir():
        msg = f"no folder {audio}"
        raise FileNotFoundError(msg)
    with Cache(options.cache) as cache:
        whole = added(digest(*item) for item in contents(dataset, cache).items())
        outputs, unmatched = _found(audio, dataset, cache)
        weights = f"files:{digest([(o.id, o.sha256) for o in outputs])[:12]}"
        rate = _usual_rate(outputs)
        card = Card(f"files:{audio.name}", "codec", rate, weights=weights, scale="unknown")
        folder = options.out / _folder_name(card, dataset, run_id(card, whole, options.seed))
        pairs = list(zip(dataset.utterances, outputs, strict=True))
        scoring, scores = _measure(metrics, cache, audio, dataset, pairs, options)
        born = earlier(folder).get("made") or origin()
        record = _record(card, dataset, whole, options, host(), {}, born, scoring, scores)
        save(record, folder)
        for name, heard in scoring.heard.items():
            observe.save(heard, folder / "observations" / f"{name}.jsonl")
        report = Report(folder, 0, 0, scoring.computed, scoring.cached, unmatched)
        return record, report


def shuffled(dataset: Dataset, metrics: list[Metric], options: Options) -> tuple[Run, Report]:
    """Measure every recording as if it were the output for another one: chance, for any metric.

    The other is by another speaker, unless one speaker has more than half of the recordings; it is
    resampled, and cut or repeated, to the rate and the length of the one that it stands for.

    Raises:
        ValueError: there are fewer than two recordings.
    """
    with Cache(options.cache) as cache:
        whole = added(digest(*item) for item in contents(dataset, cache).items())
        card = Card("shuffled", "codec", 0, scale="anchor")
        folder = options.out / _folder_name(card, dataset, run_id(card, whole, options.seed))
        other = _others(dataset)
        outputs = [_stand_in(u, other.get(u.id), folder, cache) for u in dataset.utterances]
        pairs = list(zip(dataset.utterances, outputs, strict=True))
        scoring, scores = _measure(metrics, cache, folder, dataset, pairs, options)
        born = earlier(folder).get("made") or origin()
        record = _record(card, dataset, whole, options, host(), {}, born, scoring, scores)
        save(record, folder)
        made = sum(o.status == "ok" for o in outputs)
        return record, Report(folder, made, 0, scoring.computed, scoring.cached)


def _others(dataset: Dataset) -> dict[str, Path]:
    """Return another recording for each; each is used once."""
    found = [u for u in dataset.utterances if u.audio]
    if len(found) < 2:
        msg = f"{dataset.name} has {len(found)} recordings: two are needed to shuffle"
        raise ValueError(msg)
    found.sort(key=lambda u: u.speaker or u.id)
    largest = max(Counter(u.speaker or u.id for u in found).values())
    shift = largest if largest < len(found) else len(found) // 2
    turned = found[shift:] + found[:shift]
    return {u.id: v.audio for u, v in zip(found, turned, strict=True) if v.audio}


def _stand_in(utterance: Utterance, other: Path | None, folder: Path, cache: Cache) -> Output:
    if other is None or utterance.audio is None:
        return Output(utterance.id, "missing", reason="the data set has no recording for it")
    try:
        (reference, rate), (wav, found) = audio.read(utterance.audio), audio.read(other)
    except audio.Unusable as fault:
        return Output(utterance.id, "failed", reason=f"a recording {fault}")
    wav = np.resize(audio.resample(wav, found, rate), reference.size)
    place = f"audio/{file_name(utterance.id)}.flac"
    clipped = audio.write(folder / place, wav, rate)
    sha = cache.sha256(folder / place)
    return Output(utterance.id, "ok", "", place, sha, rate, wav.size / rate, clipped=clipped)


def check_packages(metrics: str, systems: Iterable[str]) -> None:
    """Refuse a request that needs a package which is not installed, before anything is loaded.

    Raises:
        Unavailable: the message says what to install.
    """
    wanted: list[tuple[plugins.Kind, str]] = [("metrics", m) for m in plugins.split(metrics)]
    wanted += [("systems", s) for s in systems]
    for kind, spec in wanted:
        if line := plugins.lacking(kind, spec):
            raise plugins.Unavailable(line)


def load_system(spec: str, device: str, python: str | None = None) -> Any:
    """Build a system and note how long that took (a cold start is a figure of its own).

    Args:
        spec: name and parameters.
        device: auto, cpu or cuda.
        python: the interpreter of another environment to run it in.
    """
    start = time.perf_counter()
    if python:
        system: Any = Isolated(spec, python, "cpu" if device == "auto" else device)
        system.load_seconds = time.perf_counter() - start
        return system
    chosen = {"device": device_of(device)} if plugins.takes("systems", spec, "device") else {}
    system = plugins.load("systems", spec, **chosen)
    system.device = chosen.get("device", "cpu")
    system.load_seconds = time.perf_counter() - start
    return system


def _shown(pairs: Iterable, name: str, dataset: Dataset, options: Options) -> list:
    found = []
    with stage(name, len(dataset.utterances), as_json=options.as_json) as done:
        for pair in pairs:
            found.append(pair)
            done()
    return found


def _measure(
    metrics: list[Metric],
    cache: Cache,
    folder: Path,
    dataset: Dataset,
    pairs: Iterable[tuple[Utterance, Output]],
    options: Options,
) -> tuple[Scoring, tuple]:
    with stage("score", len(dataset.utterances), as_json=options.as_json) as done:
        jobs = options.jobs or execute.cores()
        scoring = Scoring(
            metrics,
            cache,
            folder,
            jobs=jobs,
            policy=options.policy,
            device=options.device,
            progress=done,
            beside=options.beside,
        )
        return scoring, scoring.run(pairs)


def _record(
    card: Card,
    dataset: Dataset,
    whole: str,
    options: Options,
    machine: dict,
    timing: dict,
    made: dict[str, str],
    scoring: Scoring,
    scores: tuple,
) -> Run:
    return Run(
        card=card,
        dataset=dataset.name,
        dataset_digest=whole,
        licence=dataset.licence,
        notes=dataset.notes,
        shard=dataset.part,
        seed=options.seed,
        host=machine,
        timing=timing,
        outputs=scoring.outputs,
        speakers={u.id: u.speaker for u in dataset.utterances},
        scores=scores,
        made=made,
    )


def _percentiles(outputs: Sequence[Output]) -> dict[str, float]:
    """Return p50, p90 and p99 of the utterances' real-time factors; empty where none was timed."""
    factors = [o.wall_seconds / o.seconds for o in outputs if o.wall_seconds and o.seconds]
    if not factors:
        return {}
    values = np.percentile(factors, [50, 90, 99])
    return {f"rtf_p{p}": float(v) for p, v in zip((50, 90, 99), values, strict=True)}


def _folder_name(card: Card, dataset: Dataset, identity: str) -> str:
    return file_name(f"{card.name}-{dataset.name}-{identity}".replace(":", "_").replace("/", "_"))


def _found(folder: Path, dataset: Dataset, cache: Cache) -> tuple[list[Output], list[str]]:
    files = {
        p.relative_to(folder).with_suffix("").as_posix(): p
        for suffix in _AUDIO
        for p in sorted(folder.rglob(f"*{suffix}"))
    }
    outputs = []
    for utterance in dataset.utterances:
        names = (utterance.id, file_name(utterance.id))
        path = next((files.pop(name) for name in names if name in files), None)
        outputs.append(_output(utterance.id, path, folder, cache))
    rate = _usual_rate(outputs)
    outputs = [_at_rate(o, rate) for o in outputs]
    ids = {o.id for o in outputs if o.status == "missing"}
    return outputs, [f"{p.name}{plugins.nearest(n, ids)}" for n, p in files.items()]


def _output(identity: str, path: Path | None, folder: Path, cache: Cache) -> Output:
    import soundfile

    if path is None:
        return Output(identity, "missing", reason="no file of this name")
    place, sha = str(path.relative_to(folder)), cache.sha256(path)
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        reason = f"the output cannot be read: {error.error_string}"
        return Output(identity, "failed", reason=reason, path=place, sha256=sha)
    return Output(identity, "ok", "", place, sha, info.samplerate, info.frames / info.samplerate)


def _usual_rate(outputs: Sequence[Output]) -> int:
    rates = Counter(o.sample_rate for o in outputs if o.sample_rate)
    return rates.most_common(1)[0][0] if rates else 0


def _at_rate(output: Output, rate: int) -> Output:
    if output.status != "ok" or output.sample_rate == rate:
        return output
    reason = f"the output is at {output.sample_rate} Hz, the others at {rate} Hz"
    kept = (output.path, output.sha256, output.sample_rate, output.seconds)
    return Output(output.id, "failed", reason, *kept)
