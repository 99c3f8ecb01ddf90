import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.mel_distance import SCALES, load, mel_distance


def test_the_papers_scales():
    assert [size for size, _ in SCALES] == [32, 64, 128, 256, 512, 1024, 2048]
    assert [bands for _, bands in SCALES] == [5, 10, 20, 40, 80, 160, 320]


def test_hand_worked_gain():
    # Ten times louder is 1 in log10 for every band that is not empty; seven scales give 7. At
    # 48 kHz each of the bands holds a bin except low ones of few windows, so at most 7.
    noise = np.random.default_rng(1).standard_normal(24000)
    got = mel_distance(10 * noise, noise, sample_rate=48000)
    assert 6.5 < got <= 7 + 1e-9


def test_librosa(pair, elsewhere):
    for case in elsewhere("librosa"):
        estimate, reference = pair(case["seconds"], case["rate"], case["seed"])
        got = mel_distance(estimate, reference, sample_rate=case["rate"])
        assert got == pytest.approx(case["mel_distance"], abs=1e-7)


def test_sign_does_not_count(pair):
    _, reference = pair(0.5, 24000, 1)
    assert mel_distance(-reference, reference, sample_rate=24000) == 0


def test_order_is_free(pair):
    estimate, reference = pair(0.5, 24000, 2)
    one = mel_distance(estimate, reference, sample_rate=24000)
    assert one == pytest.approx(mel_distance(reference, estimate, sample_rate=24000))


def test_rises_with_noise(pair, noisier):
    _, reference = pair(1, 24000, 2)
    values = [mel_distance(e, reference, sample_rate=24000) for e in noisier(reference)]
    assert values == sorted(values)


def test_unscorable(pair):
    estimate, reference = pair(0.5, 24000, 4)
    with pytest.raises(Unscorable, match="estimate is silent") as caught:
        mel_distance(0 * estimate, reference, sample_rate=24000)
    assert caught.value.blame == "estimate"
    with pytest.raises(Unscorable, match="too short: 1024 samples, this needs 1025"):
        mel_distance(estimate[:1024], reference[:1024], sample_rate=24000)
    assert mel_distance(estimate[:1025], reference[:1025], sample_rate=24000) > 0


def test_arguments_are_checked(pair):
    estimate, reference = pair(0.5, 24000, 5)
    with pytest.raises(ValueError, match="one length"):
        mel_distance(estimate[:-1], reference, sample_rate=24000)
    with pytest.raises(ValueError, match="sample_rate"):
        mel_distance(estimate, reference, sample_rate=-1)


def test_statistic(pair):
    estimate, reference = pair(0.5, 24000, 6)
    row = load().statistic(estimate=estimate, reference=reference, sample_rate=24000)
    assert row.tolist() == [mel_distance(estimate, reference, sample_rate=24000)]
