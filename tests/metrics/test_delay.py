import numpy as np
import pytest
import scipy.signal

from metrics._base import Unscorable
from metrics.delay import delay, load


def test_hand_worked():
    # An impulse at 10 in the reference and at 13 in the output: 3 samples late.
    reference, estimate = np.zeros((2, 64))
    reference[10], estimate[13] = 1, 1
    assert delay(estimate, reference, longest=20) == 3
    assert delay(reference, estimate, longest=20) == -3


@pytest.mark.parametrize("lag", [-137, -8, 0, 1, 800])
@pytest.mark.parametrize("sign", [1, -1])
def test_scipy_finds_the_same_lag(pair, late, lag, sign):
    estimate, reference = pair(1, 16000, 1)
    estimate = late(estimate, lag)
    correlation = scipy.signal.correlate(estimate, reference)
    lags = scipy.signal.correlation_lags(estimate.size, reference.size)
    assert lags[np.abs(correlation).argmax()] == lag
    assert delay(sign * estimate, reference, longest=4000) == lag


@pytest.mark.parametrize("lag", [-8, 0, 480])
def test_every_noisy_recording_tells_its_delay(speech, late, lag):
    found = [delay(late(noisy, lag), clean, longest=4000) for noisy, clean in speech[::3]]
    assert set(found) == {lag}


def test_a_low_pass_keeps_it(speech, late):
    low = scipy.signal.firwin(101, 3000, fs=16000)  # linear phase: 50 samples late
    found = [
        delay(np.convolve(clean, low)[: clean.size], clean, longest=4000)
        for _, clean in speech[::5]
    ]
    assert set(found) == {50}


def test_value_is_the_median_in_ms():
    rows = np.array([[1.0], [1.0], [1.0], [900.0]])
    assert load().value(rows) == 1.0
    # Quartiles of 1, 1, 1, 900 between the sorted values: 1 and 1 + 0.25 * 899 = 225.75.
    assert load(spread=True).value(rows) == pytest.approx(224.75)
    assert load(spread=True).title == "Delay IQR"
    assert not load().additive


def test_statistic_is_in_ms(pair, late):
    estimate, reference = pair(0.6, 24000, 1)
    row = load().statistic(estimate=late(estimate, 12), reference=reference, sample_rate=24000)
    assert row.tolist() == [pytest.approx(0.5)]


def test_durations_need_not_agree(pair):
    estimate, reference = pair(1, 16000, 2)
    longer = np.concatenate([np.zeros(100), estimate, np.zeros(500)])
    assert delay(longer, reference, longest=1000) == 100
    assert not load().aligned


def test_unscorable(pair):
    estimate, reference = pair(0.5, 16000, 3)
    with pytest.raises(Unscorable, match="estimate is silent") as caught:
        delay(0 * estimate, reference, longest=100)
    assert caught.value.blame == "estimate"
    with pytest.raises(Unscorable, match="the reference has 8000 samples, delays go to 8000"):
        delay(estimate, reference, longest=8000)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="longest"):
        delay(np.arange(4.0), np.arange(4.0), longest=0)
    with pytest.raises(ValueError, match="max_ms"):
        load(max_ms=0)
