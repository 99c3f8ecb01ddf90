import numpy as np
import pytest
from scipy.signal import lfilter

from metrics.observers._base import Clip
from metrics.observers.opensmile import DESCRIPTORS, load

pytest.importorskip("opensmile", reason="openSMILE is not installed: pip install .[prosody]")


def vowel(pitch, formants, seconds=1.0, rate=16000):
    """A pulse train falling by 6 dB an octave through two-pole resonators, the formants."""
    pulses = np.zeros(round(seconds * rate))
    pulses[:: round(rate / pitch)] = 1
    pulses = lfilter([1, -1], [1, -1.9, 0.9025], pulses)
    for centre, width in formants:
        radius = np.exp(-np.pi * width / rate)
        cosine = np.cos(2 * np.pi * centre / rate)
        pulses = lfilter([1], [1, -2 * radius * cosine, radius**2], pulses)
    return (0.3 * pulses / np.abs(pulses).max()).astype(np.float32)


def heard(wave):
    return load().observe([Clip(np.asarray(wave, dtype=np.float32))])[0]


def test_a_vowel_made_by_hand():
    # Pulses every 160 samples at 16 kHz: 100 Hz, which is 12 log2(100 / 27.5) = 22.35 semitones
    # above 27.5 Hz, without jitter or shimmer; resonances at 700, 1200 and 2600 Hz.
    found = heard(vowel(100, [(700, 80), (1200, 90), (2600, 120)]))
    middle = slice(30, 70)
    assert np.median(found["f0"][middle]) == pytest.approx(12 * np.log2(100 / 27.5), abs=0.05)
    for key, centre in (("f2", 1200), ("f3", 2600)):  # F1 is far off: see the docstring
        assert np.median(found[key][middle]) == pytest.approx(centre, rel=0.1)
    assert np.median(found["jitter"][middle]) < 1e-3
    assert np.median(found["shimmer"][middle]) < 0.05
    assert np.median(found["hnr"][middle]) > 5
    assert found["hop_seconds"] == 0.01


def test_opensmile_called_directly():
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
    )
    wave = vowel(180, [(500, 80), (1500, 90)], 0.7)
    frames = smile.process_signal(wave, 16000)
    found = heard(wave)
    for key, column in DESCRIPTORS.items():
        assert np.array_equal(found[key], frames[column].to_numpy(np.float32)), key
        assert found[key].dtype == np.float32
    starts = frames.index.get_level_values("start").total_seconds()
    assert np.allclose(np.diff(starts), found["hop_seconds"])


def test_a_darker_voice_has_a_steeper_tilt():
    wave = vowel(120, [(600, 80), (1700, 90), (2600, 100)])
    dark = lfilter([0.1], [1, -0.9], wave)
    bright, muffled = (np.median(heard(w)["hammarberg"][20:80]) for w in (wave, dark))
    assert muffled > bright + 3


def test_batch_and_order_do_not_matter():
    clips = [
        Clip(vowel(p, [(600, 80), (1400, 90)], s)) for p, s in ((100, 1), (160, 0.4), (220, 2))
    ]
    together = load().observe(clips)
    backwards = load().observe(clips[::-1])
    for one, other in zip(together, reversed(backwards), strict=True):
        for key in DESCRIPTORS:
            assert np.array_equal(one[key], other[key]), key


@pytest.mark.parametrize("samples", [1, 1599])
def test_too_short_to_have_a_frame(samples):
    assert heard(0.1 * np.ones(samples)) == {"unheard": "shorter than 0.1 s"}
    assert heard(vowel(100, [(600, 80)], 0.1))["f1"].size > 0


def test_closed_and_opened_again():
    observer, clip = load(), Clip(vowel(100, [(600, 80)], 0.5))
    before = observer.observe([clip])[0]
    observer.close()
    assert np.array_equal(observer.observe([clip])[0]["f1"], before["f1"])


def test_declaration():
    assert load().signature.startswith("opensmile(opensmile=2.")
    assert load().kind == "prosody"
