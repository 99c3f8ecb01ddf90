"""Listening: once for each recording and observer, whatever the metrics, the order or the batch."""

import json
import sys
import types
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile
from material import write_manifest

from bench import observe, plugins
from bench.cache import Cache
from bench.observe import Hearing, Subject
from bench.suite import Options, load_metrics, load_system, run, score_folder
from metrics._base import Metric, Unscorable
from metrics.observers._base import Observer, digest_of

CALLS = []


@dataclass(frozen=True)
class Ear(Observer):
    """Hears how loud a recording is, and remembers that it was asked."""

    name, kind, sample_rate, revision, batch = "ear", "prosody", 8000, 1, 3
    asks = ("language",)
    scale: float = 1.0

    def observe(self, batch):
        CALLS.append([c.audio.size for c in batch])
        levels = (self.scale * float(np.abs(c.audio).mean()) for c in batch)
        return [{"level": s, "wave": c.audio[:5]} for s, c in zip(levels, batch, strict=True)]


@dataclass(frozen=True)
class Loud(Metric):
    """How much louder the output is than the reference."""

    name, title, unit, better, source, revision = "loud", "Loud", "", "higher", "definition", 1
    listens = "ear"
    ear: str = "ear"
    power: int = 1

    def statistic(self, heard, heard_reference):
        if heard_reference.get("silent"):
            msg = "the reference is silent"
            raise Unscorable(msg)
        if heard.get("silent"):
            return np.array([0.0])
        return np.array([(heard["level"] / heard_reference["level"]) ** self.power])


@pytest.fixture(autouse=True)
def _plugged(monkeypatch):
    CALLS.clear()
    for name, load in (("observer_ear", Ear), ("metric_loud", Loud)):
        module = types.ModuleType(name)
        module.load = load
        monkeypatch.setitem(sys.modules, name, module)
    plain = plugins.names

    def names(kind):
        own = {"observers": {"ear": "observer_ear"}, "metrics": {"loud": "metric_loud"}}
        return plain(kind) | own.get(kind, {})

    monkeypatch.setattr(plugins, "names", names)
    monkeypatch.setattr(plugins, "lacking", lambda kind, spec: None)


def test_a_second_metric_hears_nothing_anew(tiny, tmp_path):
    system, options = load_system("mu_law", "cpu"), Options(out=tmp_path)
    first, _ = run(system, tiny, load_metrics("loud"), options)
    assert sum(map(len, CALLS)) == 24  # twelve outputs and twelve references
    assert first.score("loud").n == 12
    CALLS.clear()
    second, _ = run(system, tiny, load_metrics("loud,loud:power=2"), options)
    assert CALLS == []
    a, b = (second.score(m).cells["u3"].row[0] for m in ("loud", "loud:power=2"))
    assert b == pytest.approx(a**2)


def test_the_observer_is_in_the_signature_and_the_column(tiny, tmp_path):
    (metric,) = load_metrics("loud:ear=ear,ear.scale=2.0,power=3")
    assert metric.signature == "loud|ear:ear(scale=2.0,r=1)|power:3|r:1"
    assert metric.spec == "loud:ear=ear,ear.scale=2.0,power=3"
    assert plugins.load("metrics", metric.spec) == metric
    record, _ = run(load_system("mu_law", "cpu"), tiny, [metric], Options(out=tmp_path))
    assert record.scores[0].signature == metric.signature


def test_recordings_are_heard_in_batches_of_like_length(tmp_path):
    subjects = []
    for i, seconds in enumerate([3.0, 0.5, 2.0, 0.6, 1.0, 2.5, 0.7]):
        path = tmp_path / f"{i}.wav"
        soundfile.write(path, np.full(round(seconds * 8000), 0.1), 8000)
        subjects.append(Subject(path))
    with Cache(tmp_path / "c") as cache:
        one = Hearing(Ear(), cache)
        one.listen(subjects)
        assert [len(c) for c in CALLS] == [3, 3, 1]
        assert [n for c in CALLS for n in c] == sorted(n for c in CALLS for n in c)
    with Cache(tmp_path / "d") as cache:
        other = Hearing(Ear(), cache)
        for subject in reversed(subjects):
            other.listen([subject])
        for subject in subjects:
            assert other[subject].observation["level"] == one[subject].observation["level"]
    with Cache(tmp_path / "c") as cache:
        again = Hearing(Ear(), cache)
        again.listen([*subjects, Subject(subjects[0].path, "hi")])
        assert (again.computed, again.cached) == (1, 7)  # another language is another question


def test_arrays_come_back_as_they_went():
    wave = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    again = observe.unpack(json.loads(json.dumps(observe.pack({"a": wave, "b": "ü", "c": 0.5}))))
    assert np.array_equal(again["a"], wave)
    assert (again["b"], again["c"]) == ("ü", 0.5)


def test_what_was_heard_is_kept_readable(tiny, tmp_path):
    _, report = run(load_system("mu_law", "cpu"), tiny, load_metrics("loud"), Options(out=tmp_path))
    lines = (report.folder / "observations" / "ear.jsonl").read_text().splitlines()
    assert len(lines) == 12
    assert set(json.loads(lines[0])) == {"id", "level"}


def test_states_of_what_cannot_be_heard(tmp_path):
    manifest = write_manifest(tmp_path / "data", count=5)
    soundfile.write(tmp_path / "data" / "4.wav", np.zeros(8000), 16000)
    out = tmp_path / "out"
    out.mkdir()
    soundfile.write(out / "u0.wav", np.full(8000, 0.1), 16000)
    soundfile.write(out / "u1.wav", np.zeros(8000), 16000)  # silent: the metric decides
    soundfile.write(out / "u2.wav", np.full(8000, np.nan), 16000, subtype="FLOAT")
    data = plugins.load("datasets", f"manifest:path={manifest}")
    record, _ = score_folder(out, data, load_metrics("loud"), Options(out=tmp_path / "r"))
    cells = record.score("loud").cells
    assert [cells[f"u{i}"].state for i in range(5)] == [
        "scored",
        "scored",
        "failed",
        "missing",
        "unscorable",
    ]
    assert cells["u1"].row == (0.0,)
    assert "non-finite" in cells["u2"].reason


def test_a_digest_does_not_depend_on_the_folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.bin").write_bytes(b"weights")
    assert digest_of(tmp_path / "a" / "w.bin") == digest_of(tmp_path / "b" / "w.bin")
