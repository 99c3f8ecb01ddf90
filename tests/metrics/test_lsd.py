import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.lsd import load, lsd


@pytest.mark.parametrize("gain", [0.5, 2.0, 10.0])
def test_hand_worked_gain(gain):
    # Every bin apart by 20 log10(gain): the root mean square is that, 6.0206 dB for a factor of 2.
    noise = np.random.default_rng(1).standard_normal(8000)
    got = lsd(gain * noise, noise, sample_rate=16000)
    assert got == pytest.approx(abs(20 * np.log10(gain)))


def test_librosa(pair, elsewhere):
    for case in elsewhere("librosa"):
        estimate, reference = pair(case["seconds"], case["rate"], case["seed"])
        got = lsd(estimate, reference, sample_rate=case["rate"])
        assert got == pytest.approx(case["lsd"], abs=1e-9)


def test_phase_does_not_count(pair):
    _, reference = pair(0.5, 16000, 1)
    assert lsd(-reference, reference, sample_rate=16000) == 0


def test_rises_with_noise(pair, noisier):
    _, reference = pair(1, 16000, 2)
    values = [lsd(e, reference, sample_rate=16000) for e in noisier(reference)]
    assert values == sorted(values)


def test_digital_silence_in_the_output_stays_finite(pair):
    # The floor is 100 dB below the reference's loudest bin, and no bin can be further away.
    estimate, reference = pair(0.5, 16000, 3)
    gone = np.where(np.arange(estimate.size) < 4000, estimate, 0)
    assert 0 < lsd(gone, reference, sample_rate=16000) <= 100


def test_swapped_arguments_give_another_value(pair):
    # The floor hangs on the reference.
    _, reference = pair(0.5, 16000, 4)
    quiet = 1e-3 * reference
    one = lsd(quiet, reference, sample_rate=16000)
    other = lsd(reference, quiet, sample_rate=16000)
    assert abs(one - other) > 0.1


def test_unscorable(pair):
    estimate, reference = pair(0.5, 16000, 5)
    with pytest.raises(Unscorable, match="estimate is silent") as caught:
        lsd(0 * estimate, reference, sample_rate=16000)
    assert caught.value.blame == "estimate"
    with pytest.raises(Unscorable, match="too short: 511 samples"):
        lsd(estimate[:511], reference[:511], sample_rate=16000)


def test_arguments_are_checked(pair):
    estimate, reference = pair(0.5, 16000, 6)
    with pytest.raises(ValueError, match="one length"):
        lsd(estimate[:-1], reference, sample_rate=16000)
    with pytest.raises(ValueError, match="125 Hz"):
        lsd(estimate, reference, sample_rate=0)


def test_statistic(pair):
    estimate, reference = pair(0.5, 16000, 7)
    row = load().statistic(estimate=estimate, reference=reference, sample_rate=16000)
    assert row.tolist() == [lsd(estimate, reference, sample_rate=16000)]
