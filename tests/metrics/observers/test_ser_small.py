"""The small emotion classifier that is shipped, and what its weights are worth."""

import json
import math

import numpy as np
import pytest
import soundfile
import soxr
from material import voice, write_manifest
from safetensors.numpy import load_file

from bench import plugins
from bench.cache import Cache
from bench.observe import Hearing, Subject
from bench.suite import Options, load_metrics, score_folder
from metrics.observers._base import Clip
from metrics.observers.ser_small import LABELS, SHIPPED, load, log_mels, windows


def speech(seconds, seed=0, level=1.0):
    rng = np.random.default_rng(seed)
    wav = voice(seconds, 16000) * (
        1 + 0.5 * np.sin(np.arange(round(seconds * 16000)) / 2e3 / (seed + 1))
    )
    return Clip((level * (wav + 1e-3 * rng.standard_normal(wav.size))).astype(np.float32))


# -- what the network gets -----------------------------------------------------------------------


def test_a_tone_stands_in_its_band():
    # 1 kHz is 15 mel of the 45.245 at 8 kHz, in 81 steps: 15 / 45.245 * 81 - 1 = band 25.9.
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    mels = log_mels(tone)
    assert mels.shape == (63, 80)  # 16000 / 256 + 1, all within 40 dB of the loudest
    assert set(mels[5:-5].argmax(axis=1)) == {26}
    assert mels.mean() == pytest.approx(0, abs=1e-3)
    assert np.ptp(mels) == pytest.approx(80, abs=1e-3)  # the floor


def test_level_and_silence_at_the_ends_do_not_count():
    wav = speech(1.0).audio.astype(float)
    assert log_mels(20 * wav) == pytest.approx(log_mels(wav), abs=1e-3)
    late = np.concatenate([np.zeros(256 * 40), wav, np.zeros(256 * 99)])
    assert abs(len(log_mels(late)) - len(log_mels(wav))) <= 4  # a frame reaches over the edge


@pytest.mark.parametrize("samples", [1, 511, 512, 513, 1024])
def test_a_moment_of_sound_is_enough(samples):
    mels = log_mels(np.ones(samples))
    assert np.isfinite(mels).all()
    assert windows(mels).shape == (1, 160, 80)


@pytest.mark.parametrize(
    ("frames", "starts"), [(40, [0]), (160, [0]), (161, [0, 1]), (320, [0, 80, 160])]
)
def test_windows_cover_everything(frames, starts):
    mels = np.repeat(np.arange(frames, dtype=np.float32)[:, None], 80, axis=1)
    cut = windows(mels) * 20
    assert len(cut) == len(starts)
    if frames >= 160:
        assert cut[:, 0, 0] == pytest.approx(starts, abs=1e-4)
        assert cut[-1, -1, 0] == pytest.approx(frames - 1, abs=1e-4)
    else:
        assert cut[0, 60:100, 0] == pytest.approx(np.arange(40), abs=1e-4)
        assert cut[0, :60].max() == cut[0, 100:].max() == 0  # the lowest value there is


# -- what it hears -------------------------------------------------------------------------------


def test_an_observation():
    ear = plugins.load("observers", "ser_small", device="cpu")
    (heard,) = ear.observe([speech(1.0)])
    assert heard["labels"] == list(LABELS)
    assert heard["posterior"].shape == (8,)
    assert heard["posterior"].sum() == pytest.approx(1, abs=1e-5)
    assert heard["posterior"].min() >= 0
    assert heard["embedding"].shape == (128,)
    assert np.linalg.norm(heard["embedding"]) == pytest.approx(1, abs=1e-5)
    assert heard["posterior"].dtype == heard["embedding"].dtype == np.float32
    assert ear.signature == f"ser_small(r=1)@{ear.weights}"
    ear.close()
    (again,) = ear.observe([speech(1.0)])
    assert np.array_equal(again["posterior"], heard["posterior"])


def test_neither_batch_nor_order_counts():
    ear = load()
    some = [speech(s, seed) for seed, s in enumerate((0.4, 6.1, 2.0, 3.3, 0.05))]
    together = ear.observe(some)
    backwards = ear.observe(some[::-1])[::-1]
    for clip, a, b in zip(some, together, backwards, strict=True):
        (alone,) = ear.observe([clip])
        for other in (b, alone):
            assert a["posterior"] == pytest.approx(other["posterior"], abs=1e-5)
            assert a["embedding"] == pytest.approx(other["embedding"], abs=1e-5)


def test_level_does_not_count():
    soft, loud = load().observe([speech(1.5, level=0.05), speech(1.5, level=0.9)])
    assert soft["posterior"] == pytest.approx(loud["posterior"], abs=1e-3)


def test_silence_is_not_listened_to(tmp_path):
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(16000), 16000)
    with Cache(tmp_path / "cache") as cache:
        hearing = Hearing(load(), cache)
        hearing.listen([Subject(path)])
        assert hearing[Subject(path)].observation == {"silent": True}


def test_no_checkpoint_is_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python -m metrics\.train\.ser_small") as caught:
        load(checkpoint=str(tmp_path / "none.safetensors"))
    assert "\n" not in str(caught.value)


# -- the shipped weights -------------------------------------------------------------------------


def test_the_card_says_what_it_is_worth():
    card = json.loads(SHIPPED.with_suffix(".json").read_text(encoding="utf-8"))
    assert SHIPPED.stat().st_size < 8e6
    assert {str(v.dtype) for v in load_file(SHIPPED).values()} <= {"float16", "int64"}
    assert card["licence"].startswith("CC BY-NC-SA 4.0")
    assert card["labels"] == list(LABELS)
    held = card["held_out"]
    confusion = np.array([held["confusion_rows_true"][label] for label in LABELS])
    assert confusion.sum() == held["recordings"] == 240
    assert held["accuracy"] == pytest.approx(confusion.trace() / 240, abs=1e-4)
    low, high = held["interval_95_wilson"]
    assert max(held["chance"], held["majority"]) < low < held["accuracy"] < high


def test_actors_it_has_never_heard(real_speech):
    # Right by chance: binomial with p = 1/8; 23 of 60 or more has one below 1e-6.
    folder = real_speech / "RAVDESS"
    if not folder.is_dir():
        pytest.skip("no RAVDESS among the test data")
    clips, truth = [], []
    for actor in (21, 22, 23, 24):
        for path in sorted((folder / f"Actor_{actor}").iterdir()):
            codes = path.stem.split("-")
            if codes[3:6] == ["01", "01", "01"] or (codes[3:6] == ["02", "02", "02"]):
                wav, rate = soundfile.read(path)
                clips.append(Clip(soxr.resample(wav, rate, 16000).astype(np.float32)))
                truth.append(int(codes[2]) - 1)
    found = [int(heard["posterior"].argmax()) for heard in load().observe(clips)]
    right = sum(f == t for f, t in zip(found, truth, strict=True))
    n = len(truth)
    tail = sum(math.comb(n, k) * 0.125**k * 0.875 ** (n - k) for k in range(right, n + 1))
    assert n == 60
    assert tail < 1e-6, f"{right} of {n}"


def test_the_emotion_metrics_run_out_of_the_box(tmp_path):
    manifest = write_manifest(tmp_path / "data", count=4)
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for row in rows:
        row["emotion"] = {"happy": 0.6, "sad": 0.3, "neutral": 0.1}
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    out.mkdir()
    for i, row in enumerate(rows):
        wav, rate = soundfile.read(manifest.parent / row["audio"])
        soundfile.write(out / f"{row['id']}.wav", wav * np.linspace(1, 0.1 * i, wav.size), rate)
    data = plugins.load("datasets", f"manifest:path={manifest}")
    names = "emotion_spearman,emotion_hit_rate,emotion_similarity,target_emotion_probability"
    specs = ",".join(f"{name}:observer=ser_small" for name in names.split(","))
    record, _ = score_folder(out, data, load_metrics(specs), Options(out=tmp_path / "runs"))
    for score in record.scores:
        assert "observer:ser_small(r=1)@" in score.signature
        assert {cell.state for cell in score.cells.values()} == {"scored"}, score.cells
