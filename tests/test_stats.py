import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import norm

from bench.stats import Pair, detectable, detectables, holm, interval, paired_p, paired_ps
from metrics._base import Metric


@dataclass(frozen=True)
class Mean(Metric):
    name, title, unit, better, source, revision = "mean", "Mean", "", "higher", "definition", 1

    def statistic(self):
        raise NotImplementedError


@dataclass(frozen=True)
class Ratio(Mean):
    def pool(self, totals, n):
        return totals[..., 0] / totals[..., 1]


@dataclass(frozen=True)
class Median(Mean):
    def value(self, rows):
        return float(np.median(rows[:, 0]))


def test_ratio_of_sums_is_not_the_mean_of_ratios():
    # WER of two utterances: 0 errors in 10 words, 1 error in 1 word: 1 / 11, not (0 + 1) / 2
    assert Ratio().value(np.array([[0.0, 10], [1, 1]])) == pytest.approx(1 / 11)


@pytest.mark.parametrize("metric", [Mean(), Median()])
def test_interval_covers_the_truth_as_often_as_it_says(metric):
    rng = np.random.default_rng(4)
    hits = 0
    for seed in range(200):
        rows = rng.standard_normal((60, 1))
        found = interval(rows, [None] * 60, metric, trials=300, seed=seed)
        hits += found.low <= 0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_interval_covers_when_speakers_differ_and_one_by_utterance_does_not():
    rng = np.random.default_rng(5)
    by_speaker = by_utterance = 0
    for seed in range(200):
        speakers = np.repeat(np.arange(20), 10)
        rows = (rng.standard_normal(20)[speakers] + 0.3 * rng.standard_normal(200))[:, None]
        right = interval(rows, list(speakers), Mean(), trials=300, seed=seed)
        wrong = interval(rows, [None] * 200, Mean(), trials=300, seed=seed)
        by_speaker += right.low <= 0 <= right.high
        by_utterance += wrong.low <= 0 <= wrong.high
    assert 0.86 <= by_speaker / 200 <= 0.99
    assert by_utterance / 200 < 0.6


def test_fast_and_general_resampling_agree():
    @dataclass(frozen=True)
    class Slow(Mean):
        def value(self, rows):
            return float(rows[:, 0].mean())

    rng = np.random.default_rng(6)
    rows, speakers = rng.standard_normal((300, 1)), list(rng.integers(40, size=300))
    fast, slow = (interval(rows, speakers, m, trials=500) for m in (Mean(), Slow()))
    assert not Slow().additive
    assert fast.low == pytest.approx(slow.low, abs=0.03)
    assert fast.high == pytest.approx(slow.high, abs=0.03)


def test_more_clusters_than_are_drawn_apart_give_the_textbook_s_interval():
    rows = np.random.default_rng(13).standard_normal((25_000, 1))
    found = interval(rows, [None] * 25_000, Mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 / np.sqrt(25_000), rel=0.06)
    copy = rows + 0.02 * np.random.default_rng(14).standard_normal(rows.shape)
    z = abs((copy - rows).mean()) / ((copy - rows).std() / np.sqrt(25_000))
    assert paired_p(rows, copy, [None] * 25_000, Mean()) == pytest.approx(2 * norm.sf(z), abs=0.04)


def test_one_speaker_gives_no_interval():
    assert interval(np.ones((5, 1)), ["a"] * 5, Mean()) is None
    assert detectable(np.ones((5, 1)), None, ["a"] * 5, Mean()) is None


@pytest.mark.parametrize("speakers", [None, 15])
def test_p_is_uniform_under_the_null(speakers):
    rng, p = np.random.default_rng(7), []
    for seed in range(200):
        group = [None] * 30 if speakers is None else list(np.arange(30) % speakers)
        shared = rng.standard_normal((2, 30, 1)) + (
            0 if speakers is None else rng.standard_normal((2, speakers))[:, group][..., None]
        )
        p.append(paired_p(*shared, group, Mean(), trials=200, seed=seed))
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.10


@pytest.mark.parametrize("metric", [Mean(), Median()])
def test_a_system_never_differs_from_its_copy(metric):
    a = np.random.default_rng(8).standard_normal((30, 1))
    assert paired_p(a, a.copy(), [None] * 30, metric) == 1.0


def test_p_is_small_for_a_real_difference():
    rng = np.random.default_rng(9)
    a = rng.standard_normal((40, 1))
    b = a + 0.5 + 0.1 * rng.standard_normal((40, 1))
    assert paired_p(a, b, [None] * 40, Mean()) < 0.01


def test_p_needs_the_same_utterances():
    with pytest.raises(ValueError, match=r"\(3, 1\) and \(4, 1\)"):
        paired_p(np.ones((3, 1)), np.ones((4, 1)), [None] * 3, Mean())


def test_p_is_the_share_of_all_swaps_that_differ_as_much():
    # ten utterances: each of the 1024 ways to swap them, one by one
    rng = np.random.default_rng(11)
    a, b = rng.standard_normal((2, 10, 1)) + np.array([0.0, 0.6])[:, None, None]
    observed = abs(a.mean() - b.mean())
    gaps = []
    for swaps in itertools.product([False, True], repeat=10):
        x = [b[i, 0] if s else a[i, 0] for i, s in enumerate(swaps)]
        y = [a[i, 0] if s else b[i, 0] for i, s in enumerate(swaps)]
        gaps.append(abs(sum(x) - sum(y)) / 10)
    exact = np.mean(np.array(gaps) >= observed - 1e-12)
    assert paired_p(a, b, [None] * 10, Mean(), trials=20000) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("metric", [Mean(), Ratio(), Median()])
def test_many_pairs_at_once_are_as_one_by_one(metric):
    rng = np.random.default_rng(12)
    speakers = list(np.arange(120) % 24)
    a = rng.uniform(1, 2, (120, 2))
    others = [a + shift + 0.2 * rng.standard_normal((120, 2)) for shift in (0, 0.01, 0.02, 0.5)]
    shared = [np.ones(120, bool), np.arange(120) % 5 > 0, np.arange(120) < 90, np.arange(120) < 100]
    pairs = [Pair(a, b, s) for b, s in zip(others, shared, strict=True)]
    p = paired_ps([*pairs, Pair(a, a, np.zeros(120, bool))], speakers, metric)
    sizes = detectables(pairs, speakers, metric)
    for i, (b, s) in enumerate(zip(others, shared, strict=True)):
        some = [speakers[j] for j in np.flatnonzero(s)]
        assert p[i] == pytest.approx(paired_p(a[s], b[s], some, metric, seed=1), abs=0.04)
        assert sizes[i] == pytest.approx(detectable(a[s], b[s], some, metric, seed=1), rel=0.15)
    assert p[4] == 1


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.04: times 3, 2, 1 -> 0.03, 0.04, 0.04
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])


def test_detectable_difference_is_seen_four_times_in_five():
    rng = np.random.default_rng(10)
    base = rng.standard_normal((100, 1))
    size = detectable(base, base + 0.3 * rng.standard_normal((100, 1)), [None] * 100, Mean())
    assert size == pytest.approx(2.8 * 0.3 / 10, rel=0.25)  # 2.80 standard errors
    seen = 0
    for seed in range(150):
        noise = 0.3 * rng.standard_normal((100, 1))
        p = paired_p(base, base + size + noise, [None] * 100, Mean(), trials=300, seed=seed)
        seen += p < 0.05
    assert 0.7 <= seen / 150 <= 0.95
