import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from metrics.observers._base import Clip
from metrics.observers.speaking_rate import intensity, load, periodicity

DEMO = Path(__file__).parents[3] / "bench" / "datasets" / "demo_data"

#: Syllables of sentences of the demo data, counted by hand, e.g. "The fer-ry to the nor-thern
#: is-lands leaves at a quar-ter past se-ven": 17.
SYLLABLES = {
    "heart_01": 17,
    "alpha_01": 19,
    "gongitsune_01": 15,
    "nezumi_01": 16,
    "tebukuro_01": 14,
    "kumo_01": 17,
    "joe_01": 14,
    "slt_01": 14,
    "rms_01": 15,
    "awb_01": 13,
    "kal_01": 11,
    "ked_01": 12,
    "espeak-us_01": 15,
    "espeak-f3_01": 14,
}


def beats(times, seconds, pitch=120.0, level=0.3):
    """Bursts of a harmonic tone, 120 ms each, in silence."""
    t = np.arange(round(seconds * 16000)) / 16000
    tone = sum(np.sin(2 * np.pi * k * pitch * t) / k for k in range(1, 10))
    envelope = sum(np.exp(-0.5 * ((t - at) / 0.03) ** 2) for at in times)
    return (level * envelope * tone / np.abs(tone).max()).astype(np.float32)


def counted(wave, **parameters):
    return load(**parameters).observe([Clip(np.asarray(wave, dtype=np.float32))])[0]


def demo(name):
    wave, rate = soundfile.read(DEMO / f"{name}.flac")
    return wave if rate == 16000 else soxr.resample(wave, rate, 16000, "VHQ")


def test_hand_worked():
    # Five bursts 0.25 s apart: five nuclei, at their centres. Between the first and the last sound
    # above -25 dB lie the 1 s from centre to centre and, on both sides, the time in which a
    # Gaussian of 30 ms (widened by the analysis window) falls by 25 dB: below 0.15 s each.
    times = [0.5, 0.75, 1.0, 1.25, 1.5]
    heard = counted(beats(times, 2.2))
    assert heard["nuclei"] == 5
    assert np.allclose(heard["times"], times, atol=0.017)
    assert 1.0 < heard["seconds"] < 1.3
    assert heard["rate"] == 5 / heard["seconds"]


def test_the_level_of_a_tone():
    # The mean square of a sine of amplitude 0.5 is 0.125: -9.03 dB; a constant offset is no sound.
    t = np.arange(16000) / 16000
    level = intensity(0.5 * np.sin(2 * np.pi * 1000 * t) + 0.2)
    assert np.allclose(level[10:-10], 10 * np.log10(0.125), atol=0.01)


def test_how_periodic():
    t = np.arange(16000) / 16000
    assert periodicity(np.sin(2 * np.pi * 200 * t), 8000) > 0.98
    assert periodicity(np.random.default_rng(0).standard_normal(16000), 8000) < 0.25
    assert periodicity(np.zeros(16000), 8000) == 0
    # Signal and noise of one power each: half the autocorrelation at the period is the signal's.
    noise = np.random.default_rng(1).standard_normal(16000) * np.sqrt(0.5)
    assert periodicity(np.sin(2 * np.pi * 100 * t) + noise, 8000) == pytest.approx(0.5, abs=0.15)


def test_praat(elsewhere):
    for case in elsewhere("syllable_nuclei"):
        assert abs(counted(demo(case["id"]))["nuclei"] - case["nuclei"]) <= 1, case
    total = sum(counted(demo(case["id"]))["nuclei"] for case in elsewhere("syllable_nuclei"))
    assert total == pytest.approx(sum(c["nuclei"] for c in elsewhere("syllable_nuclei")), abs=3)


def test_syllables_counted_by_hand():
    texts = {}
    for line in (DEMO / "demo.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        texts[entry["id"]] = entry["text"]
    errors = []
    for name, syllables in SYLLABLES.items():
        assert syllables >= len(re.findall(r"\w+", texts[name]))
        errors.append(counted(demo(name))["nuclei"] - syllables)
    assert np.abs(errors).mean() < 1.3  # of 14.7: the figure that the docstring gives
    assert abs(np.mean(errors)) < 0.5


def test_loudness_and_silence_around_do_not_count():
    wave = demo("heart_01")
    heard = counted(wave)
    quiet = counted(wave * 0.1)
    longer = counted(np.concatenate([np.zeros(8000), wave, np.zeros(12800)]))
    assert quiet["nuclei"] == heard["nuclei"] == longer["nuclei"]
    assert longer["rate"] == pytest.approx(heard["rate"], rel=0.02)


def test_faster_is_a_higher_rate():
    times = np.arange(10)
    slow, fast = (counted(beats(0.3 + step * times, 4.5)) for step in (0.4, 0.2))
    assert slow["nuclei"] == fast["nuclei"] == 10
    assert fast["rate"] > 1.7 * slow["rate"]


def test_noise_has_no_nuclei():
    rng = np.random.default_rng(2)
    bursts = beats([0.5, 1.0, 1.5], 2.0) != 0
    heard = counted(0.1 * rng.standard_normal(32000) * bursts)
    assert heard["nuclei"] <= 1
    assert counted(np.full(16000, 0.5))["nuclei"] == 0


@pytest.mark.parametrize("samples", [1, 100, 1599, 1600])
def test_next_to_nothing(samples):
    heard = counted(np.sin(np.arange(samples)))
    assert heard["nuclei"] <= 1
    assert np.isfinite(heard["rate"])


def test_batch_and_order_do_not_matter():
    clips = [Clip(demo(name).astype(np.float32)) for name in ("awb_01", "kal_01", "slt_01")]
    together = load().observe(clips)
    for clip, heard in zip(reversed(clips), reversed(together), strict=True):
        (alone,) = load().observe([clip])
        assert alone["rate"] == heard["rate"]
        assert np.array_equal(alone["times"], heard["times"])


def test_arguments_are_checked():
    for name in ("dip", "below"):
        with pytest.raises(ValueError, match=f"{name} must be positive"):
            load(**{name: 0})


def test_declaration():
    assert load().signature == "speaking_rate(dip=2.0,below=25.0,r=1)"
