import warnings

import numpy as np
import pystoi
import pytest
import soxr

from metrics._base import Unscorable
from metrics.estoi import estoi
from metrics.stoi import load, resampled, stoi

RATES = (8000, 10000, 16000, 22050, 24000, 44100, 48000)


def theirs(estimate, reference, rate, *, extended=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pystoi.stoi(reference, estimate, rate, extended=extended)


def test_hand_worked():
    # Frames of 256 every 128: with one tone as reference and the same tone as output, every band is
    # a copy up to gain, and each of the 15 correlations of a segment is 1.
    t = np.arange(10000) / 10000
    tone = np.sin(2 * np.pi * (300 * t + 200 * t**2)) * (1 + 0.5 * np.sin(2 * np.pi * 4 * t))
    assert stoi(3 * tone, tone, sample_rate=10000) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("ours", "extended"), [(stoi, False), (estoi, True)])
def test_agrees_with_pystoi(pair, rate, ours, extended):
    for seed, noise in ((1, 0.002), (2, 0.05)):
        estimate, reference = pair(1.3, rate, seed, noise=noise)
        expected = theirs(estimate, reference, rate, extended=extended)
        assert ours(estimate, reference, sample_rate=rate) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("ours", "extended"), [(stoi, False), (estoi, True)])
def test_agrees_with_pystoi_on_all_of_voicebank_demand(speech, ours, extended):
    for estimate, reference in speech:
        expected = theirs(estimate, reference, 16000, extended=extended)
        assert ours(estimate, reference, sample_rate=16000) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rate", [22050, 24000, 48000])
def test_agrees_with_pystoi_on_degraded_speech(speech, rate):
    rng = np.random.default_rng(4)
    for _, clean in speech[::12]:
        reference = soxr.resample(clean[8000:32000], 16000, rate, "VHQ")
        clipped = np.clip(reference, -0.05, 0.05)
        noisy = reference + 0.02 * rng.standard_normal(reference.size)
        for estimate in (clipped, noisy, np.roll(reference, rate // 50), reference**3):
            for ours, extended in ((stoi, False), (estoi, True)):
                expected = theirs(estimate, reference, rate, extended=extended)
                got = ours(estimate, reference, sample_rate=rate)
                assert got == pytest.approx(expected, abs=1e-9)


def test_an_odd_rate_takes_the_other_resampler(pair):
    estimate, reference = pair(1.0, 11025 + 16, 2)
    expected = theirs(estimate, reference, 11041)
    assert stoi(estimate, reference, sample_rate=11041) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rate", [*RATES[2:], 11041, 12000])
@pytest.mark.parametrize("length", [1, 7, 4001])
def test_resampler_equals_octaves(rate, length):
    signals = np.random.default_rng(5).standard_normal((2, length))
    expected = [pystoi.utils.resample_oct(s, 10000, rate) for s in signals]
    np.testing.assert_allclose(resampled(signals, rate), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("gain", [1e-4, 0.5, -20.0])
@pytest.mark.parametrize("ours", [stoi, estoi])
def test_gain_of_the_output_does_not_count(pair, ours, gain):
    estimate, reference = pair(1.5, 16000, 6)
    expected = ours(estimate, reference, sample_rate=16000)
    got = ours(gain * estimate, reference, sample_rate=16000)
    assert got == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("ours", [stoi, estoi])
def test_perfect_copy_is_one(pair, ours):
    _, reference = pair(1.5, 16000, 7)
    assert ours(reference, reference, sample_rate=16000) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("ours", [stoi, estoi])
def test_falls_as_noise_rises(pair, ours):
    noises = (1e-3, 1e-2, 0.1, 1.0)
    values = [ours(*pair(2, 16000, 8, noise=n), sample_rate=16000) for n in noises]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("ours", [stoi, estoi])
def test_swapped_arguments_give_another_value(pair, ours):
    estimate, reference = pair(1.5, 16000, 9)
    one = ours(estimate, reference, sample_rate=16000)
    other = ours(reference, estimate, sample_rate=16000)
    assert abs(one - other) > 1e-3


def test_a_delay_ruins_it_and_negative_values_stay(speech, late):
    # Measured on speech-like audio with pystoi: 0.950 / 0.928 / 0.353 / -0.104.
    values = []
    for ms in (0, 5, 50, 100):
        per_file = [
            stoi(late(reference, 16 * ms), reference, sample_rate=16000)
            for _, reference in speech[::5]
        ]
        values.append(np.mean(per_file))
    assert values[0] == pytest.approx(1)
    assert values == sorted(values, reverse=True)
    assert values[1] > 0.85
    assert values[2] < 0.5


def test_may_be_negative(pair):
    _, reference = pair(2, 16000, 1)
    envelope = np.convolve(np.abs(reference), np.ones(400) / 400, mode="same")
    opposite = (envelope.max() - envelope) * np.random.default_rng(1).standard_normal(envelope.size)
    got = stoi(opposite, reference, sample_rate=16000)
    assert got < -0.05
    assert got == pytest.approx(theirs(opposite, reference, 16000), abs=1e-9)


def test_aligned_takes_the_delay_out(speech, late):
    estimate, reference = speech[0]
    aligned, plain = load(align=True), load()
    moved = late(estimate, 800)
    inputs = {"estimate": moved, "reference": reference, "sample_rate": 16000}
    whole = stoi(estimate[:-800], reference[:-800], sample_rate=16000)
    assert aligned.statistic(**inputs, delay=800)[0] == pytest.approx(whole, abs=1e-12)
    assert plain.statistic(**inputs)[0] < whole - 0.1
    assert "delay" in aligned.needs
    assert "delay" not in plain.needs
    assert aligned.title == "STOI (aligned)"
    assert aligned.signature != plain.signature


@pytest.mark.parametrize("ours", [stoi, estoi])
def test_thirty_frames_are_the_least(ours):
    # 31 speech frames leave 30 after they are joined again: 256 + 30 * 128 + 1 samples at 10 kHz.
    noise = np.random.default_rng(2).standard_normal(256 + 30 * 128 + 1)
    estimate = noise + 0.1 * np.random.default_rng(3).standard_normal(noise.size)
    expected = theirs(estimate, noise, 10000, extended=ours is estoi)
    assert ours(estimate, noise, sample_rate=10000) == pytest.approx(expected, abs=1e-9)
    with pytest.raises(Unscorable, match="too short") as caught:
        ours(estimate[:-1], noise[:-1], sample_rate=10000)
    assert caught.value.blame == "reference"
    assert theirs(estimate[:-1], noise[:-1], 10000) == 1e-5


@pytest.mark.parametrize("seconds", [1 / 16000, 0.01, 0.35])
@pytest.mark.parametrize("ours", [stoi, estoi])
def test_a_third_of_a_second_is_too_short(ours, seconds):
    estimate, reference = np.random.default_rng(3).standard_normal((2, round(seconds * 16000)))
    with pytest.raises(Unscorable):
        ours(estimate, reference, sample_rate=16000)


@pytest.mark.parametrize("ours", [stoi, estoi])
@pytest.mark.parametrize("which", ["estimate", "reference"])
def test_silence_is_unscorable_and_blamed(pair, ours, which):
    signals = dict(zip(("estimate", "reference"), pair(1, 16000, 7), strict=True))
    signals[which] = np.zeros(16000)
    with pytest.raises(Unscorable, match=f"the {which} is silent") as caught:
        ours(**signals, sample_rate=16000)
    assert caught.value.blame == which


@pytest.mark.parametrize("ours", [stoi, estoi])
def test_arguments_are_checked(ours):
    signal = np.arange(8000.0)
    with pytest.raises(ValueError, match="one length"):
        ours(signal[:-1], signal, sample_rate=16000)
    with pytest.raises(ValueError, match="sample_rate"):
        ours(signal, signal, sample_rate=0)


def test_long_recordings_are_worked_on_in_blocks(pair):
    estimate, reference = pair(12, 10000, 1)
    expected = theirs(estimate, reference, 10000)
    assert stoi(estimate, reference, sample_rate=10000) == pytest.approx(expected, abs=1e-9)
