"""Scoring audio made elsewhere: every utterance is accounted for, and no failure is a number."""

import json

import numpy as np
import pesq
import pystoi
import pytest
import soundfile
from click.testing import CliRunner
from material import voice, write_manifest

from bench import plugins
from bench.cli import main
from bench.suite import Options, load_metrics, score_folder

METRICS = "pesq,stoi,estoi,si_sdr"
RATE = 16000


@pytest.fixture
def ten(tmp_path):
    """Ten references, and outputs of which one is good and nine are not."""
    manifest = write_manifest(tmp_path / "data", count=10, seconds=2.0)
    out = tmp_path / "out"
    out.mkdir()
    rng = np.random.default_rng(0)
    good = {f"u{i}": voice(2.0, RATE, 90 + 15 * (i % 4), seed=i) for i in range(10)}
    noisy = {k: v + 0.01 * rng.standard_normal(v.size) for k, v in good.items()}
    soundfile.write(out / "u0.wav", noisy["u0"], RATE)
    soundfile.write(out / "u1.wav", np.zeros(2 * RATE), RATE)  # silent
    near = 1e-6 * rng.standard_normal(2 * RATE)
    soundfile.write(out / "u2.wav", near, RATE, subtype="FLOAT")  # near-silent
    soundfile.write(out / "u3.wav", noisy["u3"][: round(0.35 * RATE)], RATE)
    soundfile.write(out / "u4.wav", np.stack([noisy["u4"]] * 2, axis=1), RATE)  # stereo
    soundfile.write(out / "u5.wav", noisy["u5"], 8000)  # wrong rate
    broken = noisy["u6"].copy()
    broken[5] = np.nan
    soundfile.write(out / "u6.wav", broken, RATE, subtype="FLOAT")
    (out / "u7.wav").write_bytes(b"RIFF, but no more than that")
    soundfile.write(out / "u_8.wav", noisy["u8"], RATE)  # misnamed, so u8 is missing
    return manifest, out


def states(record, metric):
    return {i: c.state for i, c in record.score(metric).cells.items()}


def test_all_ten_are_accounted_for(ten, tmp_path):
    manifest, out = ten
    data = plugins.load("datasets", f"manifest:path={manifest}")
    options = Options(out=tmp_path / "runs", jobs=2)
    record, report = score_folder(out, data, load_metrics(METRICS), options)
    expected = {f"u{i}": "failed" for i in range(1, 8)} | {"u0": "scored"}
    expected |= {"u8": "missing", "u9": "missing"}
    why = {
        "u1": "silent",
        "u2": "silent",
        "u3": r"0.35 s",
        "u4": "2 channels",
        "u5": "8000 Hz",
        "u6": "1 non-finite",
        "u7": "cannot be read",
        "u8": "no file",
    }
    for metric in ("pesq", "stoi", "estoi", "si_sdr"):
        assert states(record, metric) == expected
        score = record.score(metric)
        assert score.coverage == pytest.approx(0.1)
        assert score.n == 1
        for identity, part in why.items():
            assert part in score.cells[identity].reason
            assert score.cells[identity].row == ()
    assert len(report.unmatched) == 1
    assert "u_8.wav; did you mean 'u8'" in report.unmatched[0]


def test_the_command_ends_with_one_and_says_why(ten, tmp_path):
    manifest, out = ten
    args = ["score", str(out), "--dataset", f"manifest:path={manifest}", "--metrics", METRICS]
    args += ["--out", str(tmp_path / "runs")]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 1
    for part in ("u1: the output is silent", "missing: u8, u9", "coverage below 100%: PESQ-WB 10%"):
        assert part in done.stdout
    assert "u_8.wav" in done.stderr
    assert CliRunner().invoke(main, [*args, "--min-coverage", "0.1"]).exit_code == 0


def test_policies(ten, tmp_path):
    manifest, out = ten
    args = ["score", str(out), "--dataset", f"manifest:path={manifest}", "--metrics", METRICS]
    args += ["--out", str(tmp_path / "runs"), "--format", "json"]
    values = {}
    for policy in ("exclude", "worst"):
        done = CliRunner().invoke(main, [*args, "--on-missing", policy])
        (row,) = json.loads(done.stdout)["rows"]
        values[policy] = row["values"]
        assert row["values"]["pesq"]["states"] == {"unscorable": 0, "failed": 7, "missing": 2}
    assert values["worst"]["pesq"]["value"] < values["exclude"]["pesq"]["value"]
    assert values["worst"]["pesq"]["n"] == 10
    assert values["worst"]["stoi"]["value"] == pytest.approx(
        values["exclude"]["stoi"]["value"] / 10
    )
    assert values["worst"]["si_sdr"] == values["exclude"]["si_sdr"]  # no worst value is declared
    stopped = CliRunner().invoke(main, [*args, "--on-missing", "fail"])
    assert stopped.exit_code == 1
    assert "u5 is failed: the output is at 8000 Hz" in stopped.stderr


def test_a_silent_reference_is_nobodys_failure(tmp_path):
    manifest = write_manifest(tmp_path / "data", count=3, seconds=1.0)
    soundfile.write(tmp_path / "data" / "1.wav", np.zeros(RATE), RATE)
    out = tmp_path / "out"
    out.mkdir()
    soundfile.write(out / "u0.wav", voice(1.0, RATE, 90, seed=0), RATE)
    soundfile.write(out / "u1.wav", voice(1.0, RATE, 90, seed=1), RATE)
    data = plugins.load("datasets", f"manifest:path={manifest}")
    record, _ = score_folder(out, data, load_metrics(METRICS), Options(out=tmp_path / "r"))
    for metric in ("pesq", "stoi", "si_sdr"):
        assert states(record, metric) == {"u0": "scored", "u1": "unscorable", "u2": "missing"}
        assert record.score(metric).coverage == pytest.approx(0.5)
    (
        out / "u1.wav"
    ).unlink()  # unscorable even where the output is missing: the same for every system
    record, _ = score_folder(out, data, load_metrics(METRICS), Options(out=tmp_path / "r"))
    assert states(record, "pesq") == {"u0": "scored", "u1": "unscorable", "u2": "missing"}


def test_ids_with_spaces_and_foreign_letters(tmp_path):
    folder = tmp_path / "data"
    write_manifest(folder, count=2)
    lines = [
        {"id": "a ü 1", "audio": "0.wav"},
        {"id": "नमस्ते", "audio": "1.wav"},
    ]
    manifest = folder / "names.jsonl"
    manifest.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    data = plugins.load("datasets", f"manifest:path={manifest}")
    out = tmp_path / "out"
    out.mkdir()
    for place, source in (("a ü 1.wav", "0.wav"), ("नमस्ते.flac", "1.wav")):
        wav, rate = soundfile.read(folder / source)
        soundfile.write(out / place, wav, rate)
    record, report = score_folder(out, data, load_metrics("stoi"), Options(out=tmp_path / "r"))
    assert set(states(record, "stoi").values()) == {"scored"}
    assert report.unmatched == []


def test_a_folder_equals_the_reference_packages(real_speech, tmp_path):
    folder = real_speech / "voicebank_demand"
    data = plugins.load("datasets", f"manifest:path={folder / 'manifest.jsonl'}")
    record, _ = score_folder(
        folder / "noisy", data, load_metrics("pesq,stoi,pesq:band=nb"), Options(out=tmp_path)
    )
    assert len(record.score("pesq").cells) == 25
    for u in data.utterances:
        clean, rate = soundfile.read(u.audio)
        noisy, _ = soundfile.read(folder / "noisy" / f"{u.id}.flac")
        direct = pesq.pesq(rate, clean, noisy, "wb")
        assert record.score("pesq").cells[u.id].row[0] == pytest.approx(direct, abs=1e-6)
        direct = pystoi.stoi(clean, noisy, rate)
        assert record.score("stoi").cells[u.id].row[0] == pytest.approx(direct, abs=1e-6)
