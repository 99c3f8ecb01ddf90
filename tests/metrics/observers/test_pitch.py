"""Pitch and level: known tones, another tracker's values; a batch leaves no trace."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr

from metrics.observers import pitch
from metrics.observers._base import Clip

RATE = 16000
pytestmark = pytest.mark.skipif(
    pitch.find_spec("pyworld") is None, reason="pyworld is not installed (the extra prosody)"
)


def buzz(f0, rate=RATE):
    """Ten harmonics of a contour in Hz, one value a sample."""
    phase = 2 * np.pi * np.cumsum(f0) / rate
    return (0.05 * sum(np.sin(k * phase) for k in range(1, 11))).astype(np.float32)


def listen(*waves, **parameters):
    return pitch.load(**parameters).observe([Clip(wave) for wave in waves])


@pytest.mark.parametrize("f0", [80.0, 125.0, 330.0, 520.0])
def test_a_steady_tone(f0):
    (heard,) = listen(buzz(np.full(RATE, f0)))
    assert heard["f0"].shape == heard["energy"].shape == (201,)
    assert heard["hop_seconds"] == 0.005
    inside = heard["f0"][20:-20]
    assert (inside > 0).all()
    assert inside == pytest.approx(f0, rel=0.005)
    # Ten sines of amplitude 0.05: mean square 10 * 0.05^2 / 2 = 0.0125, -19.03 dB.
    assert heard["energy"][20:-20].mean() == pytest.approx(10 * np.log10(0.0125), abs=0.2)


def test_a_glide_is_followed_in_time():
    f0 = np.linspace(120, 240, 2 * RATE)
    (heard,) = listen(buzz(f0))
    want = f0[np.minimum(np.arange(heard["f0"].size) * pitch.HOP, f0.size - 1)]
    inside = slice(30, -30)
    assert heard["f0"][inside] == pytest.approx(want[inside], rel=0.01)


def test_a_pause_is_unvoiced_and_at_the_floor():
    tone = buzz(np.full(RATE // 2, 150.0))
    (heard,) = listen(np.concatenate([tone, np.zeros(RATE // 2, np.float32), tone]))
    gap = slice(110, 190)  # 0.55 to 0.95 s
    assert not heard["f0"][gap].any()
    assert (heard["energy"][gap] == pitch.FLOOR).all()


def test_level_in_decibels():
    (loud, quiet) = listen(np.ones(RATE, np.float32), np.full(RATE, 0.1, np.float32))
    assert loud["energy"][5:-5] == pytest.approx(0, abs=1e-5)
    assert quiet["energy"][5:-5] == pytest.approx(-20, abs=1e-5)


def test_noise_and_scraps():
    rng = np.random.default_rng(1)
    for samples in (1, 2, 79, 80, 400, 801):
        (heard,) = listen(rng.normal(0, 0.1, samples).astype(np.float32))
        assert heard["f0"].size == heard["energy"].size == samples // 80 + 1
        assert np.isfinite(heard["f0"]).all()
    (heard,) = listen(rng.normal(0, 0.1, RATE).astype(np.float32))
    assert (heard["f0"] > 0).mean() < 0.1


def test_neither_batch_nor_order_is_heard():
    waves = [buzz(np.linspace(100, 100 + n, RATE * n // 100)) for n in (50, 200, 77)]
    together, backwards = listen(*waves), listen(*waves[::-1])[::-1]
    for wave, a, b in zip(waves, together, backwards, strict=True):
        (alone,) = listen(wave)
        for key in ("f0", "energy"):
            assert np.array_equal(a[key], b[key])
            assert np.array_equal(a[key], alone[key])


def test_the_recording_is_left_as_it_was():
    wave = buzz(np.full(4000, 150.0))
    before = wave.copy()
    listen(wave)
    assert np.array_equal(wave, before)


def test_range_of_the_search():
    tone = buzz(np.full(RATE, 150.0))
    assert "floor=60.0,ceiling=700.0,pyworld=" in pitch.load().signature
    (heard,) = listen(tone, floor=200.0)
    voiced = heard["f0"][heard["f0"] > 0]
    assert not voiced.size or voiced.min() > 180
    for wrong in ({"floor": 0}, {"floor": 300, "ceiling": 200}, {"ceiling": 5000}):
        with pytest.raises(ValueError, match="floor and ceiling must be rising"):
            pitch.load(**wrong)


def test_praat(real_speech, elsewhere):
    for case in elsewhere("praat"):
        wave, rate = soundfile.read(real_speech / "RAVDESS" / f"{case['name']}.flac")
        (heard,) = listen(soxr.resample(wave, rate, RATE, quality="VHQ").astype(np.float32))
        voiced = heard["f0"][heard["f0"] > 0]
        assert np.median(voiced) == pytest.approx(case["median"], rel=0.05)
        assert 0.005 * voiced.size == pytest.approx(case["seconds"], rel=0.35)


def test_without_pkg_resources_and_without_the_package():
    # setuptools 82 has no pkg_resources, which pyworld's own front imports.
    code = (
        "import sys, json, numpy as np\n"
        "sys.modules['pkg_resources'] = None\n"
        "from metrics.observers import pitch\n"
        "from metrics.observers._base import Clip\n"
        "pitch.load().observe([Clip(np.zeros(800, np.float32))] * 2)\n"
        "pitch._world.cache_clear()\n"
        "pitch.find_spec = lambda name: None\n"
        "try: pitch._world()\n"
        "except ImportError as missing: print(json.dumps(missing.name))"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == "pyworld"
