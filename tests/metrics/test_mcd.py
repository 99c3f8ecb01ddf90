import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.mcd import SCALE, cepstrum, load, mcd, warped_distance


def test_hand_worked_scale():
    # One coefficient apart by 0.1: 10 / ln 10 * sqrt(2 * 0.01) = 4.342945 * 0.141421 = 0.614185 dB.
    assert SCALE * 0.1 == pytest.approx(0.614185, abs=1e-6)


def test_hand_worked_path():
    # Distances |a - b| of a = 0, 1, 3 and b = 0, 3, 3: the path (0,0), (1,0), (2,1), (2,2) costs
    # 0 + 1 + 0 + 0 in 4 steps. Through (1,1) it costs 2.
    a, b = (np.array(values, dtype=float)[:, None] for values in ([0, 1, 3], [0, 3, 3]))
    assert warped_distance(a, b) == pytest.approx(1 / 4)


def test_librosa(pair, elsewhere):
    cases = [case for case in elsewhere("librosa") if "mcd" in case]
    assert cases
    for case in cases:
        estimate, reference = pair(case["seconds"], case["rate"], case["seed"])
        assert mcd(estimate, reference) == pytest.approx(case["mcd"], abs=1e-7)
        at = np.arange(0, reference.size - 1, case["mcd_dtw_slower_by"])
        slower = np.interp(at, np.arange(reference.size), estimate)
        assert mcd(slower, reference, dtw=True) == pytest.approx(case["mcd_dtw"], abs=1e-7)


def loops(first, second):
    """The warping a second time: a table, and the path walked back."""
    n, m = len(first), len(second)
    cost = np.full((n + 1, m + 1), np.inf)
    cost[0, 0] = 0
    for i in range(n):
        for j in range(m):
            before = min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
            cost[i + 1, j + 1] = before + np.linalg.norm(first[i] - second[j])
    i, j, steps = n, m, 0
    while (i, j) != (0, 0):
        steps += 1
        i, j = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda at: cost[at])
    return cost[n, m] / steps


@pytest.mark.parametrize("sizes", [(1, 1), (1, 5), (6, 1), (7, 12), (20, 9), (15, 15)])
def test_path_equals_loops(sizes):
    rng = np.random.default_rng(sum(sizes))
    first, second = (rng.standard_normal((size, 3)) for size in sizes)
    assert warped_distance(first, second) == pytest.approx(loops(first, second), abs=1e-12)


@pytest.mark.parametrize("dtw", [False, True])
def test_copy_up_to_gain_is_zero(pair, dtw):
    _, reference = pair(1, 16000, 1)
    for gain in (1, 0.01, -3):
        assert mcd(gain * reference, reference, dtw=dtw) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("dtw", [False, True])
def test_rises_with_noise(pair, noisier, dtw):
    _, reference = pair(1, 16000, 2)
    values = [mcd(estimate, reference, dtw=dtw) for estimate in noisier(reference)]
    assert values == sorted(values)


def test_without_warping_order_is_free(pair):
    estimate, reference = pair(1, 16000, 3)
    assert mcd(estimate, reference) == pytest.approx(mcd(reference, estimate))


def test_warping_forgives_a_pause(pair):
    _, reference = pair(1, 16000, 4)
    paused = np.concatenate([np.zeros(8000), reference])
    inserted = mcd(paused, reference, dtw=True)
    assert inserted < mcd(paused[: reference.size], reference)


def test_level_is_in_no_coefficient(pair):
    _, reference = pair(0.5, 16000, 5)
    np.testing.assert_allclose(cepstrum(reference), cepstrum(0.1 * reference), atol=1e-12)


@pytest.mark.parametrize("dtw", [False, True])
def test_unscorable(pair, dtw):
    estimate, reference = pair(0.5, 16000, 6)
    with pytest.raises(Unscorable, match="estimate is silent") as caught:
        mcd(0 * estimate, reference, dtw=dtw)
    assert caught.value.blame == "estimate"
    with pytest.raises(Unscorable, match="too short: 399 samples, this needs 400"):
        mcd(estimate[:399], reference[:399], dtw=dtw)
    assert np.isfinite(mcd(estimate[:400], reference[:400], dtw=dtw))


def test_lengths_must_agree_without_warping(pair):
    estimate, reference = pair(0.5, 16000, 7)
    with pytest.raises(ValueError, match="one length"):
        mcd(estimate[:-1], reference)
    assert mcd(estimate[:-1], reference, dtw=True) > 0


def test_declaration(pair):
    assert load().aligned
    assert not load(dtw=True).aligned
    assert load(dtw=True).title == "MCD-DTW"
    assert load().sample_rate == 16000
    estimate, reference = pair(0.5, 16000, 8)
    row = load(dtw=True).statistic(estimate=estimate, reference=reference)
    assert row.tolist() == [mcd(estimate, reference, dtw=True)]
