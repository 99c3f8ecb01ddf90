"""The recipe of ser_small: actors are split, and a killed run ends as if it had not been."""

import json

import numpy as np
import pytest
import soundfile
from material import voice
from safetensors.numpy import load_file

from metrics.observers._base import Clip
from metrics.observers.ser_small import LABELS, load
from metrics.train import ser_small
from metrics.train.ser_small import Session, Spoken, prepare, read, report, train, varied


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A voice that hums eight emotions as three actors, named as in RAVDESS."""
    root = tmp_path_factory.mktemp("corpus")
    for actor in (1, 19, 21):
        folder = root / f"Actor_{actor:02d}"
        folder.mkdir()
        for emotion in range(1, 9):
            wav = voice(0.5, 24000) * np.sin(np.arange(12000) / (200 * emotion + actor))
            soundfile.write(folder / f"03-01-{emotion:02d}-01-01-01-{actor:02d}.flac", wav, 24000)
    return root


def test_actors_are_split(corpus, tmp_path):
    training, watched, held = prepare(corpus, tmp_path / "features.npz")
    assert [set(part.actors) for part in (*training, watched, held)] == [{1}, {1}, {1}, {19}, {21}]
    assert held.emotions == list(range(8))
    again = prepare(corpus, tmp_path / "features.npz")  # from the file
    assert np.array_equal(again[0][1].mels[3], training[1].mels[3])
    assert again[2].emotions == held.emotions


def test_a_faster_reading_is_shorter(corpus):
    files = sorted((corpus / "Actor_01").iterdir())[:1]
    plain, fast = (len(read(files, speed).mels[0]) for speed in (1.0, 1.25))
    assert fast / plain == pytest.approx(0.8, abs=0.1)


def test_a_killed_run_ends_as_if_it_had_not_been(corpus, tmp_path, monkeypatch):
    whole = train(corpus, tmp_path / "whole", steps=4, watch_minutes=0)
    plain = Session.learn

    def dies(self, *args):
        if self.step == 2:
            raise KeyboardInterrupt
        return plain(self, *args)

    monkeypatch.setattr(Session, "learn", dies)
    with pytest.raises(KeyboardInterrupt):
        train(corpus, tmp_path / "twice", steps=4, watch_minutes=0)
    monkeypatch.setattr(Session, "learn", plain)
    twice = train(corpus, tmp_path / "twice", steps=4, watch_minutes=0)
    a, b = load_file(whole), load_file(twice)
    assert set(a) == set(b)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    log = [json.loads(line) for line in (tmp_path / "twice" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [1, 2, 3, 4]
    card = json.loads(twice.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["steps"] == 4
    assert card["held_out"]["recordings"] == 8
    (heard,) = load(checkpoint=str(twice)).observe([Clip(voice(1.0, 16000).astype(np.float32))])
    assert heard["posterior"].sum() == pytest.approx(1, abs=1e-5)


def test_report_by_hand():
    # Eight recordings, six right: 0.75. Wilson: z = 1.96, z^2 = 3.8416, n + z^2 = 11.8416;
    # middle (6 + 1.9208) / 11.8416 = 0.66890; half 1.96 sqrt(0.75 * 0.25 * 8 + 0.9604) / 11.8416
    # = 0.25967 (8 * 0.1875 = 1.5; sqrt(2.4604) = 1.56857).
    spoken = Spoken([], [0, 1, 2, 3, 4, 5, 6, 6], [21] * 4 + [22] * 4)
    got = report(np.array([0, 1, 2, 3, 4, 5, 0, 0]), spoken)
    assert got["accuracy"] == 0.75
    assert got["interval_95_wilson"] == pytest.approx([0.4093, 0.9285], abs=2e-4)
    assert got["by_actor"] == {"21": 1.0, "22": 0.5}
    assert got["majority"] == 0.25
    assert got["chance"] == 0.125
    assert got["unweighted_recall"] == pytest.approx(6 / 7, abs=1e-4)
    assert got["confusion_rows_true"]["disgusted"] == [2, 0, 0, 0, 0, 0, 0, 0]
    assert list(got["confusion_rows_true"]) == list(LABELS)


@pytest.mark.parametrize("frames", [3, 160, 400])
def test_no_two_crops_are_alike(frames):
    mels = np.random.default_rng(0).standard_normal((frames, 80)).astype(np.float32)
    before = mels.copy()
    rng = np.random.default_rng(1)
    a, b = varied(mels, rng), varied(mels, rng)
    assert a.shape == b.shape == (160, 80)
    assert a.dtype == np.float32
    assert not np.array_equal(a, b)
    assert np.array_equal(varied(mels, np.random.default_rng(1)), a)
    assert np.array_equal(mels, before)


def test_what_is_refused(corpus, tmp_path):
    with pytest.raises(ValueError, match="minutes or steps"):
        train(corpus, tmp_path)
    (tmp_path / "Actor_01").mkdir()
    with pytest.raises(FileNotFoundError, match="does not hold the speech of RAVDESS"):
        train(tmp_path, tmp_path / "out", steps=1)
    with pytest.raises(ValueError, match="seven numbers"):
        read([tmp_path / "03-01-hello.wav"])


def test_it_runs_as_a_program(corpus, tmp_path, monkeypatch, capsys):
    asked = ["ser_small", "--ravdess", str(corpus), "--out", str(tmp_path), "--steps", "1"]
    monkeypatch.setattr("sys.argv", asked)
    ser_small.main()
    assert (tmp_path / "ser_small.safetensors").exists()
    assert capsys.readouterr().out == ""
