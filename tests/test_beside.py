"""Outputs of another run to compare with: over the same data only, and never silently."""

import json
import sys
import types
from dataclasses import dataclass, replace

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from material import voice, write_manifest

from bench import plugins
from bench.cli import main
from bench.run import read, save
from metrics.observers._base import Observer

RATE = 16000
STEERED = (
    "emotion_spearman:against=baseline,observer=ear,emotion_hit_rate:against=baseline,observer=ear"
)


@dataclass(frozen=True)
class Ear(Observer):
    """Hears joy in what is loud, always some sadness, and a voice in level and length."""

    name, kind, sample_rate, revision = "ear", "emotion", 8000, 1

    def observe(self, batch):
        loud = [float(np.abs(c.audio).mean()) for c in batch]
        return [
            {
                "labels": ["happy", "sad", "neutral"],
                "posterior": np.array([s, 0.1, 0.9 - s]),
                "embedding": np.array([s, c.audio.size / 1e5]),
            }
            for s, c in zip(loud, batch, strict=True)
        ]


@pytest.fixture(autouse=True)
def _plugged(monkeypatch):
    module = types.ModuleType("observer_ear")
    module.load = Ear
    monkeypatch.setitem(sys.modules, "observer_ear", module)
    plain, lacking = plugins.names, plugins.lacking
    own = {"observers": {"ear": "observer_ear"}}
    monkeypatch.setattr(plugins, "names", lambda kind: plain(kind) | own.get(kind, {}))
    monkeypatch.setattr(
        plugins, "lacking", lambda kind, spec: "" if spec == "ear" else lacking(kind, spec)
    )


@pytest.fixture
def data(tmp_path):
    """Four utterances with an emotion asked for and a prompt, the last one's being another's."""
    path = write_manifest(tmp_path / "data", count=4)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for i, line in enumerate(lines):
        soundfile.write(path.parent / f"p{i}.wav", voice(1.0 + 0.2 * i, RATE, seed=9 + i), RATE)
        line |= {"emotion": {"happy": 0.7, "sad": 0.3}, "prompt": f"p{i}.wav"}
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def bench(tmp_path, *args, status=0):
    done = CliRunner().invoke(main, [*args, "--out", str(tmp_path / "runs"), "--jobs", "1"])
    assert done.exit_code == status, done.output
    return done


def made(tmp_path, data, *more, system="identity", metrics="bitrate"):
    """Render the manifest; return the folder that is new."""
    args = ("run", "--system", system, "--dataset", f"manifest:path={data}")
    before = set((tmp_path / "runs").glob("*"))
    bench(tmp_path, *args, "--metrics", metrics, "--no-timing", *more)
    (folder,) = set((tmp_path / "runs").glob("*")) - before
    return folder


@pytest.fixture
def steered(tmp_path, data):
    """Louder than the recordings, so happier, but for u3, which is softer; u2 is missing."""
    folder = tmp_path / "steered"
    folder.mkdir()
    for i, gain in enumerate((1.1, 1.2, None, 0.5)):
        if gain:
            wav, rate = soundfile.read(data.parent / f"{i}.wav")
            soundfile.write(folder / f"u{i}.wav", gain * wav, rate, subtype="FLOAT")
    return folder


def test_rho_and_hits_over_an_unsteered_run(tmp_path, data, steered):
    # Louder: happy rose, sad (always 0.1) did not: the order asked for. Softer: the other way.
    plain = made(tmp_path, data)
    args = ("score", str(steered), "--dataset", f"manifest:path={data}", "--metrics", STEERED)
    done = bench(tmp_path, *args, "--baseline", str(plain), status=1)  # u2 is missing
    (folder,) = (tmp_path / "runs").glob("files*")
    record = read(folder)
    rho, hits = record.scores
    assert [rho.cells[i].row[0] for i in ("u0", "u1", "u3")] == pytest.approx([1, 1, -1])
    assert rho.cells["u2"].state == "missing"
    assert hits.value == pytest.approx(200 / 3)
    assert rho.note == hits.note == f"baseline: identity ({read(plain).id}, seed 0)"
    assert f"Emotion rho: {rho.note}" in done.stdout
    # The same figures as with the unsteered outputs for the references of the data set.
    same = STEERED.replace("against=baseline,", "")
    bench(tmp_path, *args[:-1], same, status=1)
    again = read(folder)
    assert [s.value for s in again.scores] == [rho.value, hits.value]
    assert [s.signature for s in again.scores] != [rho.signature, hits.signature]


def test_an_utterance_that_the_baseline_failed_has_no_value(tmp_path, data, steered):
    plain = made(tmp_path, data)
    record = read(plain)
    failed = replace(record.outputs[0], status="failed", reason="broke", path="")
    save(replace(record, outputs=(failed, *record.outputs[1:])), plain)
    args = ("score", str(steered), "--dataset", f"manifest:path={data}", "--metrics", STEERED)
    bench(tmp_path, *args, "--baseline", str(plain), status=1)
    (folder,) = (tmp_path / "runs").glob("files*")
    cell = read(folder).scores[0].cells["u0"]
    assert (cell.state, cell.reason) == ("unscorable", "there is no baseline")


def test_similarity_to_the_prompts_through_a_codec(tmp_path, data):
    from bench.audio import resample
    from metrics.speaker_similarity import cosine

    codec = made(tmp_path, data, "--prompts", system="mu_law")
    sim = "speaker_similarity:reference=resynthesised,encoder=ear"
    folder = made(tmp_path, data, "--resynthesised", str(codec), metrics=sim)
    (score,) = read(folder).scores
    assert score.title == "SIM-r, ear"
    assert score.note.startswith("resynthesised: mu_law")
    for i in range(4):
        files = folder / f"audio/u{i}.flac", codec / f"audio/u{i}.flac"
        a, b = (resample(*soundfile.read(file), 8000) for file in files)
        by_hand = cosine(*([np.abs(w).mean(), w.size / 1e5] for w in (a, b)))
        assert score.cells[f"u{i}"].row[0] == pytest.approx(by_hand, abs=1e-5)


def test_refusals(tmp_path, data, steered):
    plain, other = made(tmp_path, data), write_manifest(tmp_path / "other", count=3)
    args = ("score", str(steered), "--dataset", f"manifest:path={data}", "--metrics")
    sim = "speaker_similarity:reference=resynthesised,encoder=ear"
    unlike = made(tmp_path, other, system="mu_law")
    prompts = made(tmp_path, data, "--prompts", system="identity")
    for wanted, more, said in (
        (STEERED, (), "needs an unsteered run over the same data: --baseline RUN"),
        (sim, (), "needs a codec's run over the prompts"),
        ("bitrate", ("--baseline", str(plain)), "no metric asks for it; say against=baseline"),
        (STEERED, ("--baseline", str(unlike)), "and not over"),
        (STEERED, ("--baseline", str(prompts)), "and not over"),
        (sim, ("--resynthesised", str(plain)), "and not over"),
        (STEERED, ("--baseline", str(tmp_path / "none")), "this run is not there"),
    ):
        done = bench(tmp_path, *args, wanted, *more, status=2)
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    (next(plain.glob("audio/*"))).unlink()
    done = bench(tmp_path, *args, STEERED, "--baseline", str(plain), status=2)
    assert "1 outputs have no audio there" in done.stderr
    args = ("run", "--system", "identity", "--dataset", f"manifest:path={other}", "--prompts")
    assert "has a prompt" in bench(tmp_path, *args, status=2).stderr
