"""DNSMOS hears what speechmos hears, windows that it leaves out included."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import soundfile
from material import voice

from bench import plugins
from metrics.observers import dnsmos
from metrics.observers._base import Clip

speechlike = runpy.run_path(str(Path(__file__).parents[1] / "speechlike.py"))["speechlike"]
KEYS = ("ovrl", "sig", "bak", "p808")


@pytest.fixture(scope="module")
def observer():
    pytest.importorskip("onnxruntime", reason="needs the mos extra")
    pytest.importorskip("speechmos", reason="needs the mos extra")
    return dnsmos.load()


def values(observation):
    return [observation[key] for key in KEYS]


def test_it_gives_what_speechmos_gave(observer, elsewhere):
    for case in elsewhere("dnsmos"):
        wav = case["gain"] * speechlike(case["seconds"], 16000, case["seed"])
        (heard,) = observer.observe([Clip(wav.astype(np.float32))])
        assert values(heard) == pytest.approx(values(case), abs=1e-4), case


@pytest.mark.filterwarnings("ignore")
def test_it_equals_speechmos(observer, real_speech):
    for needed in ("librosa", "requests"):
        pytest.importorskip(needed, reason="speechmos itself needs it")
    from speechmos import dnsmos as theirs

    path = min((real_speech / "LibriSpeech" / "test-other").rglob("*.flac"))
    wav, rate = soundfile.read(path, dtype="float32")
    assert rate == 16000
    for part in (wav[:20000], wav[:144160], wav):
        (heard,) = observer.observe([Clip(part)])
        found = theirs.run(part, 16000)
        assert values(heard) == pytest.approx([found[f"{k}_mos"] for k in KEYS], abs=1e-5)


def test_batch_and_order_do_not_count(observer):
    batch = [Clip(voice(s, seed=i).astype(np.float32)) for i, s in enumerate((4.6, 9.02, 11.1))]
    together = observer.observe(batch)
    assert together == observer.observe(batch[::-1])[::-1]
    assert together == [observer.observe([clip])[0] for clip in batch]
    observer.close()
    assert together == observer.observe(batch)


def test_level_counts_but_for_p808(observer):
    wav = voice(3.0).astype(np.float32)
    one, other = observer.observe([Clip(wav), Clip(0.1 * wav)])
    assert abs(one["ovrl"] - other["ovrl"]) > 0.01
    assert one["p808"] == pytest.approx(other["p808"], abs=1e-4)


def test_above_full_scale_is_heard(observer):
    (heard,) = observer.observe([Clip(1.5 * voice(1.0).astype(np.float32))])
    assert np.isfinite(values(heard)).all()


def starts(samples):
    """Return at which sample each window begins; windows overlap, and samples are numbered."""
    found = [w[0] for w in dnsmos.windows(np.arange(samples))]
    assert all(w.size == 144160 for w in dnsmos.windows(np.arange(samples)))
    return [int(x) for x in found]


def test_windows_by_hand():
    # 9.01 s is 144160 samples. Whole seconds n give n - 9.01 + 1 windows, rounded to zero:
    # 9 -> 1 (never none), 10 -> 1, 11 -> 2, 15 -> 6.
    assert starts(144160) == [0]
    assert starts(175999) == [0]
    assert starts(176000) == [0, 16000]
    assert starts(240000) == [16000 * i for i in range(6)]
    # 33.5 s: 24 windows, but 7 to 23 end at 16000 (i + 9.01), just below a whole number.
    assert starts(536000) == [16000 * i for i in range(7)]
    assert starts(16000 * 35) == [16000 * i for i in (*range(7), 24, 25)]


def test_short_recordings_are_doubled():
    # 40000 samples: 80000, 160000 (10 s, one window), the fourth round cut off at 24160.
    (window,) = dnsmos.windows(np.arange(40000))
    assert np.array_equal(window, np.tile(np.arange(40000), 4)[:144160])


def test_the_scale_of_the_polynomials():
    for name, top in (("ovrl", 3.93), ("sig", 4.01), ("bak", 4.36)):
        assert np.polyval(dnsmos._SCALES[name], 5) == pytest.approx(top, abs=0.005)


def test_the_mel_spectrum_is_scaled():
    window = voice(9.01).astype(np.float32)
    mel = dnsmos.mel_decibels(window)
    assert mel.shape == (900, 120)
    assert mel.max() == 1.0  # 0 dB: (0 + 40) / 40
    assert mel.min() >= -1.0  # -80 dB


def test_declaration(observer):
    assert observer.signature.startswith("dnsmos(onnxruntime=")
    assert observer.signature.endswith(f"@{observer.weights}")


def test_missing_weights_are_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(dnsmos, "find_spec", lambda name: None)
    with pytest.raises(plugins.Unavailable, match=r"needs speechmos.*'speech-bench\[mos\]'$"):
        plugins.load("observers", "dnsmos")

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(dnsmos, "find_spec", lambda name: Spec)
    with pytest.raises(FileNotFoundError, match=r"no sig_bak_ovr\.onnx in "):
        dnsmos.load()
