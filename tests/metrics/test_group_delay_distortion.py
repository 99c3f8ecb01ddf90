import cmath
import math

import numpy as np
import pytest
import scipy.signal

from metrics._base import Unscorable
from metrics.group_delay_distortion import group_delay_distortion, load


@pytest.mark.parametrize("samples", [1, 3, 40])
def test_hand_worked_impulse(samples):
    # One impulse in one frame of 512 (32 ms at 16 kHz), and the same impulse D samples later: the
    # phase turns by -2 pi D / N more from bin to bin, whatever the window does to its size. So D
    # samples everywhere: D / 16 ms.
    reference, estimate = np.zeros((2, 512))
    reference[200], estimate[200 + samples] = 1, 1
    got = group_delay_distortion(estimate, reference, sample_rate=16000)
    assert got == pytest.approx(samples / 16)


def test_all_pass_filter_has_scipys_group_delay():
    # An impulse in the middle of a frame, through an all-pass: scipy knows the group delay.
    # The window is nearly flat there; the reference's spectrum is flat, so the weights are too.
    b, a = [0.5, 1.0], [1.0, 0.5]
    reference = np.zeros(4096)
    reference[2048] = 1
    estimate = scipy.signal.lfilter(b, a, reference)
    frequencies = np.pi * (np.arange(4096) + 0.5) / 4096
    expected = scipy.signal.group_delay((b, a), w=frequencies)[1].mean() / 16
    got = group_delay_distortion(estimate[1792:2304], reference[1792:2304], sample_rate=16000)
    assert got == pytest.approx(expected, rel=2e-3)


def loops(estimate, reference, rate):
    """The definition a second time, from its formula, bin by bin."""
    size = round(0.032 * rate)
    window = [0.5 - 0.5 * math.cos(2 * math.pi * n / size) for n in range(size)]
    n = 2 * size
    total = weights = 0.0
    for start in range(0, len(reference) - size + 1, size // 4):
        x, y = (np.fft.fft(s[start : start + size] * window, n) for s in (reference, estimate))
        for k in range(size):
            turn = y[k + 1] * y[k].conjugate() * x[k + 1].conjugate() * x[k]
            weight = abs(x[k] * x[k + 1])
            total += weight * abs(-cmath.phase(turn) * n / (2 * math.pi * rate))
            weights += weight
    return 1000 * total / weights


@pytest.mark.parametrize("rate", [8000, 22050])
def test_equals_loops(pair, rate):
    estimate, reference = pair(0.15, rate, 1)
    got = group_delay_distortion(estimate, reference, sample_rate=rate)
    assert got == pytest.approx(loops(estimate, reference, rate), abs=1e-9)


def test_gain_and_sign_do_not_count(pair):
    estimate, reference = pair(0.5, 16000, 2)
    expected = group_delay_distortion(estimate, reference, sample_rate=16000)
    for gain in (0.01, -4):
        got = group_delay_distortion(gain * estimate, reference, sample_rate=16000)
        assert got == pytest.approx(expected)
    assert group_delay_distortion(-reference, reference, sample_rate=16000) < 1e-9


def test_rises_with_noise_and_with_delay(pair, late, noisier):
    _, reference = pair(0.5, 16000, 3)
    values = [group_delay_distortion(e, reference, sample_rate=16000) for e in noisier(reference)]
    assert values == sorted(values)
    values = [
        group_delay_distortion(late(reference, d), reference, sample_rate=16000)
        for d in (0, 8, 40, 80)
    ]
    assert values == sorted(values)


def test_swapped_arguments_give_another_value(pair):
    estimate, reference = pair(0.5, 16000, 4)
    one = group_delay_distortion(estimate, reference, sample_rate=16000)
    other = group_delay_distortion(reference, estimate, sample_rate=16000)
    assert abs(one - other) > 1e-3


def test_unscorable(pair):
    estimate, reference = pair(0.5, 16000, 5)
    with pytest.raises(Unscorable, match="estimate is silent") as caught:
        group_delay_distortion(0 * estimate, reference, sample_rate=16000)
    assert caught.value.blame == "estimate"
    with pytest.raises(Unscorable, match="too short: 511 samples"):
        group_delay_distortion(estimate[:511], reference[:511], sample_rate=16000)


def test_arguments_are_checked(pair):
    estimate, reference = pair(0.5, 16000, 6)
    with pytest.raises(ValueError, match="one length"):
        group_delay_distortion(estimate[:-1], reference, sample_rate=16000)
    with pytest.raises(ValueError, match="125 Hz"):
        group_delay_distortion(estimate, reference, sample_rate=100)


def test_statistic(pair):
    estimate, reference = pair(0.5, 16000, 7)
    row = load().statistic(estimate=estimate, reference=reference, sample_rate=16000)
    assert row.tolist() == [group_delay_distortion(estimate, reference, sample_rate=16000)]
