import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.si_sdr import load, si_sdr


def test_hand_worked():
    # s = (1, -1, 0, 0), e = s + (0, 0, 1, -1): alpha = 1, |target|^2 = 2, |residual|^2 = 2: 0 dB.
    assert si_sdr(np.array([1.0, -1, 1, -1]), np.array([1.0, -1, 0, 0])) == pytest.approx(0.0)


def test_hand_worked_with_a_mean():
    # s = (1, 1, 0, 0), e = (1, 1, 1, 0), means kept: alpha = 2 / 2, target 2, residual 1: 3.01 dB.
    # Without means: s = (.5, .5, -.5, -.5), e = (.25, .25, .25, -.75), <e, s> = .5, <s, s> = 1,
    # alpha = .5, |target|^2 = .25, |e|^2 = .75, residual .5: 10 log10(.5) = -3.01 dB.
    estimate, reference = np.array([1.0, 1, 1, 0]), np.array([1.0, 1, 0, 0])
    assert si_sdr(estimate, reference, zero_mean=False) == pytest.approx(10 * np.log10(2))
    assert si_sdr(estimate, reference) == pytest.approx(-10 * np.log10(2))


def test_torchmetrics(pair, elsewhere):
    for case in elsewhere("torchmetrics"):
        estimate, reference = pair(case["seconds"], case["rate"], case["seed"])
        got = si_sdr(estimate + case["offset"], reference, zero_mean=case["zero_mean"])
        assert got == pytest.approx(case["si_sdr"], abs=1e-9)


@pytest.mark.parametrize("gain", [1e-3, -2.0, 50.0])
def test_scale_does_not_count(pair, gain):
    estimate, reference = pair(0.5, 16000, 1)
    assert si_sdr(gain * estimate, reference) == pytest.approx(si_sdr(estimate, reference))


def test_offset_counts_only_where_the_mean_is_kept(pair):
    estimate, reference = pair(0.5, 16000, 2)
    plain = si_sdr(estimate, reference)
    assert si_sdr(estimate + 0.1, reference) == pytest.approx(plain)
    assert si_sdr(estimate + 0.1, reference, zero_mean=False) < plain - 5


def test_falls_as_noise_rises(pair):
    values = [si_sdr(*pair(1, 16000, 3, noise=noise)) for noise in (1e-3, 1e-2, 0.1, 1)]
    assert values == sorted(values, reverse=True)


def test_swapped_arguments_keep_the_angle(pair):
    # SI-SDR is a function of the angle between both signals: the one metric where order is free.
    estimate, reference = pair(0.5, 16000, 4)
    assert si_sdr(estimate, reference) == pytest.approx(si_sdr(reference, estimate))


def test_eight_samples_cost_more_than_ten_decibels(speech, late):
    estimate, reference = speech[0]
    moved = late(reference + 0.05 * (estimate - reference), -8)  # as DAC: 8 samples early
    inputs = {"estimate": moved, "reference": reference}
    early = load().statistic(**inputs)[0]
    aligned = load(align=True).statistic(**inputs, delay=-8)[0]
    assert aligned > early + 10


@pytest.mark.parametrize("zero_mean", [True, False])
@pytest.mark.parametrize("cap", [100.0, 60])
def test_perfect_copy_ends_at_the_cap(pair, zero_mean, cap):
    _, reference = pair(0.5, 16000, 5)
    for copy in (reference, 0.3 * reference, -reference):
        assert si_sdr(copy, reference, zero_mean=zero_mean, cap=cap) == cap


def test_nothing_in_common_ends_at_the_cap():
    assert si_sdr(np.array([0.0, 0, 1, -1]), np.array([1.0, -1, 0, 0])) == -100


@pytest.mark.parametrize("zero_mean", [True, False])
@pytest.mark.parametrize("which", ["estimate", "reference"])
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_silence_is_unscorable_and_blamed(which, level, zero_mean):
    signals = {"estimate": np.arange(4.0), "reference": np.arange(4.0)} | {which: np.full(4, level)}
    with pytest.raises(Unscorable, match=f"the {which} is silent") as caught:
        si_sdr(**signals, zero_mean=zero_mean)
    assert caught.value.blame == which


def test_one_sample_is_unscorable():
    with pytest.raises(Unscorable):
        si_sdr(np.ones(1), np.ones(1))


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"\(3,\).*\(4,\)"):
        si_sdr(np.arange(3.0), np.arange(4.0))
    for bad in (0, -3, float("nan")):
        with pytest.raises(ValueError, match="cap"):
            load(cap=bad)
        with pytest.raises(ValueError, match="cap"):
            si_sdr(np.arange(4.0), np.arange(4.0), cap=bad)


def test_declaration():
    assert "zero_mean:True|align:False|cap:100.0" in load().signature
    assert load().worst is None
    assert load(align=True, zero_mean=False).title == "SI-SDR (aligned, mean kept)"
    assert "delay" in load(align=True).needs
    assert "delay" not in load().needs
