import numpy as np
import pytest
import scipy.stats

from metrics._base import Unscorable
from metrics.codebook_perplexity import load


def row(symbols, size, stream=0):
    streams, alphabets = (np.array(symbols),) * (stream + 1), (size,) * (stream + 1)
    return load(stream=stream).statistic(streams=streams, alphabets=alphabets)


def test_hand_worked():
    # Shares 1/2, 1/4, 1/4: entropy 1.5 bit, perplexity 2^1.5 = 2.828.
    assert load().value(row([0, 0, 1, 2], 4)[None]) == pytest.approx(2**1.5)
    assert load(relative=True).value(row([0, 0, 1, 2], 4)[None]) == pytest.approx(100 * 2**1.5 / 4)


def test_scipy():
    rng = np.random.default_rng(1)
    symbols = rng.geometric(0.02, 3000) % 1024
    expected = 2 ** scipy.stats.entropy(np.bincount(symbols), base=2)
    assert load().value(row(symbols, 1024)[None]) == pytest.approx(expected)


def test_corpus_histogram_not_a_mean():
    # Each utterance says one symbol (perplexity 1), the corpus two alike: 2.
    rows = np.stack([row([0, 0], 4), row([1, 1], 4)])
    assert load().value(rows) == pytest.approx(2)
    assert load().additive


def test_bounds():
    assert load().value(row([3] * 9, 8)[None]) == pytest.approx(1)
    assert load(relative=True).value(row(list(range(8)), 8)[None]) == pytest.approx(100)
    assert (load().unit, load(relative=True).unit) == ("symbols", "%")


def test_streams_are_columns():
    streams = (np.array([0, 0, 0]), np.array([0, 1, 2]))
    rows = [load(stream=i).statistic(streams=streams, alphabets=(4, 4)).tolist() for i in (0, 1)]
    assert rows == [[3, 0, 0, 0], [1, 1, 1, 0]]
    assert load(stream=1).spec == "codebook_perplexity:stream=1"


def test_pools_over_any_leading_shape():
    totals = np.array([[[4.0, 0], [2, 2]]])
    assert load().pool(totals, np.ones((1, 2))) == pytest.approx(np.array([[1.0, 2.0]]))


@pytest.mark.parametrize(
    ("streams", "alphabets", "reason", "blame"),
    [
        (None, None, "emits no codes", "reference"),
        ((np.array([0]),), (4,), "no stream 1", "reference"),
        ((np.array([0]), np.array([0])), (4, 65536), "65536 symbols", "reference"),
        ((np.array([0]), np.zeros(0, dtype=int)), (4, 4), "no symbol", "estimate"),
    ],
)
def test_unscorable(streams, alphabets, reason, blame):
    with pytest.raises(Unscorable, match=reason) as caught:
        load(stream=1).statistic(streams=streams, alphabets=alphabets)
    assert caught.value.blame == blame


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="stream must be"):
        load(stream=-1)
    with pytest.raises(ValueError, match="symbols 0 to 9 of 4"):
        row([0, 9], 4)
