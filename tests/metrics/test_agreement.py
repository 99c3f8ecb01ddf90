import numpy as np
import pytest

from metrics._agreement import (
    ccc,
    ccc_of,
    entropy,
    jsd,
    kl,
    krippendorff_alpha,
    mid_ranks,
    moments,
    pearson,
    spearman,
)
from metrics._base import Unscorable

RNG = np.random.default_rng(0)


def test_ccc_by_hand_population_and_sample_differ():
    # x = 2 3 4 5 6 8 (mean 14/3, variance 35/9), y = 1 .. 6 (mean 7/2, variance 35/12),
    # covariance 10/3, difference of means 7/6. Population: 2 * 10/3 / (35/9 + 35/12 + 49/36)
    # = (240/36) / (294/36) = 240/294. Sample: each moment times 6/5, the means as they are:
    # 8 / (49/6 + 49/36) = 288/343.
    x, y = [2, 3, 4, 5, 6, 8], [1, 2, 3, 4, 5, 6]
    assert ccc(x, y) == pytest.approx(240 / 294)  # 0.816
    assert ccc(x, y, variance="sample") == pytest.approx(288 / 343)  # 0.840


def test_ccc_torchmetrics(elsewhere):
    for case in elsewhere("agreement_torchmetrics"):
        got = ccc(case["x"], case["y"], variance="sample")
        assert got == pytest.approx(case["ccc_sample"], abs=1e-9)


@pytest.mark.parametrize("variance", ["population", "sample"])
def test_ccc_of_a_copy_is_one_and_falls_with_gain_offset_and_noise(variance):
    x = RNG.normal(200, 30, 500)
    assert ccc(x, x, variance=variance) == pytest.approx(1, abs=1e-12)
    assert ccc(-x, x, variance=variance) < 0
    for worse in (lambda s: x + 20 * s, lambda s: x * (1 + s), lambda s: x + 9 * s * x[::-1]):
        values = [ccc(worse(s), x, variance=variance) for s in (0, 0.2, 1)]
        assert values == sorted(values, reverse=True)
    y = x + RNG.normal(0, 10, 500)
    assert ccc(x, y, variance=variance) == pytest.approx(ccc(y, x, variance=variance))
    assert ccc(3 * x + 5, 3 * y + 5, variance=variance) == pytest.approx(
        ccc(x, y, variance=variance)
    )


def test_moments_add_up():
    x, y = RNG.normal(200, 30, 60), RNG.normal(190, 25, 60)
    parts = moments(x[:25], y[:25]) + moments(x[25:], y[25:])
    assert float(ccc_of(parts)) == pytest.approx(ccc(x, y), abs=1e-10)
    both = ccc_of(np.stack([parts, moments(x, x)]), variance="sample")
    assert both == pytest.approx([ccc(x, y, variance="sample"), 1.0])


def test_spearman_by_hand():
    # Ranks 1 2.5 2.5 4 and 1 2 3 4: covariance 4.5, variances 4.5 and 5: 4.5 / sqrt(22.5).
    assert mid_ranks([10, 20, 20, 30]).tolist() == [1, 2.5, 2.5, 4]
    assert spearman([10, 20, 20, 30], [1, 2, 3, 4]) == pytest.approx(4.5 / 22.5**0.5)


def test_scipy(elsewhere):
    for case in elsewhere("agreement_scipy"):
        x, y = np.array(case["x"], float), np.array(case["y"], float)
        p, q = x / x.sum(), y / y.sum()
        assert pearson(x, y) == pytest.approx(case["pearson"], abs=1e-12)
        assert spearman(x, y) == pytest.approx(case["spearman"], abs=1e-12)
        assert jsd(p, q) == pytest.approx(case["jsd"], abs=1e-12)
        assert kl(p, q, epsilon=0.01) == pytest.approx(case["kl"], abs=1e-12)
        assert entropy(x).bits == pytest.approx(case["entropy"], abs=1e-12)


def test_rank_correlation_knows_only_order():
    x, y = RNG.normal(size=50), RNG.normal(size=50)
    assert spearman(np.exp(x), y) == pytest.approx(spearman(x, y))
    assert spearman(x, np.exp(x)) == pytest.approx(1)
    assert spearman(x, -(x**3)) == pytest.approx(-1)


def test_jsd_by_hand():
    # m = (3/4, 1/4): (1 log2(4/3) + 1/2 log2(2/3) + 1/2 log2 2) / 2.
    want = (np.log2(4 / 3) + 0.5 * np.log2(2 / 3) + 0.5) / 2
    assert jsd([1, 0], [0.5, 0.5]) == pytest.approx(want)
    assert jsd([0.5, 0.5], [1, 0]) == pytest.approx(want)
    assert jsd([1, 0], [0, 1]) == 1
    assert jsd([0.3, 0.7], [0.3, 0.7]) == 0


def test_kl_by_hand():
    # q = ((.5 + .1) / 1.2, same); p = (1, 0): log(1 / .5).
    assert kl([1, 0], [0.5, 0.5], epsilon=0.1) == pytest.approx(np.log(2))
    # q = (.1 / 1.2, 1.1 / 1.2): log 12.
    assert kl([1, 0], [0, 1], epsilon=0.1) == pytest.approx(np.log(12))
    assert kl([0.5, 0.5], [0.5, 0.5], epsilon=0.1) == pytest.approx(0, abs=1e-12)
    assert kl([1, 0], [0, 1], epsilon=1e-3) > kl([1, 0], [0, 1], epsilon=0.1)


def test_entropy_by_hand():
    # Shares 1/2, 1/4, 1/4: 1/2 + 2/4 + 2/4.
    assert entropy({"happy": 4, "sad": 2, "angry": 2, "neutral": 0}) == (1.5, 8)
    assert entropy([5, 0]) == (0, 5)


def test_alpha_as_published():
    # Krippendorff 2011, C: four observers, twelve units, some missing; nominal alpha 0.743.
    published = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    votes = [[list(unit).count(c) for c in range(1, 6)] for unit in zip(*published, strict=True)]
    assert krippendorff_alpha(votes) == pytest.approx(0.743, abs=5e-4)


def test_alpha_krippendorff(elsewhere):
    for case in elsewhere("agreement_krippendorff"):
        assert krippendorff_alpha(case["votes"]) == pytest.approx(case["alpha"], abs=1e-12)


def test_alpha_by_hand():
    # Units (2, 0), (0, 2), (1, 1): n = 6 with 3 and 3. Observed disagreement 2 / 6, expected
    # 2 * 9 / (6 * 5): 1 - (1/3) / (3/5) = 4/9.
    assert krippendorff_alpha([[2, 0], [0, 2], [1, 1]]) == pytest.approx(4 / 9)
    assert krippendorff_alpha([[3, 0], [0, 5], [1, 0]]) == 1
    votes = [RNG.multinomial(8, [0.5, 0.3, 0.2]) for _ in range(3000)]
    assert abs(krippendorff_alpha(votes)) < 0.02


@pytest.mark.parametrize("measure", [ccc, pearson, spearman])
def test_what_has_no_agreement(measure):
    with pytest.raises(Unscorable, match="reference is constant") as caught:
        measure([1, 2, 3], [0.1 + 0.2, 0.3, 0.3])
    assert caught.value.blame == "reference"
    with pytest.raises(Unscorable, match="estimate is constant") as caught:
        measure([5, 5, 5], [1, 2, 3])
    assert caught.value.blame == "estimate"
    for few in ([], [1.0]):
        with pytest.raises(Unscorable, match="two values or more"):
            measure(few, few)
    with pytest.raises(ValueError, match=r"one length, got \(2,\) and \(3,\)"):
        measure([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        measure([1, np.nan], [1, 2])


def test_what_has_no_votes():
    with pytest.raises(Unscorable, match="no votes"):
        entropy({"sad": 0})
    with pytest.raises(Unscorable, match="no recording has two votes"):
        krippendorff_alpha([[1, 0], [0, 1]])
    with pytest.raises(Unscorable, match="all votes are for one label"):
        krippendorff_alpha([[3, 0], [2, 0]])


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="variance takes one of population, sample, got 'n-1'"):
        ccc([1, 2], [1, 2], variance="n-1")
    for measure in (jsd, lambda p, q: kl(p, q, epsilon=0.1)):
        for p, q in (([0.5, 0.6], [1, 0]), ([1, 0], [1.5, -0.5]), ([], [])):
            with pytest.raises(ValueError, match="shares that sum to 1"):
                measure(p, q)
    with pytest.raises(ValueError, match="epsilon must be above 0, got 0"):
        kl([1, 0], [1, 0], epsilon=0)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        entropy([3, -1])
    with pytest.raises(ValueError, match="must not be negative"):
        krippendorff_alpha([[3, -1]])
    with pytest.raises(ValueError, match=r"\(units, labels\), got \(2,\)"):
        krippendorff_alpha([3, 1])
