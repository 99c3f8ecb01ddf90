import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.codebook_use import load, symbols_seen


def test_hand_worked():
    # Alphabets of 4 and 2. First utterance: 0 and 1 of the first stream, 1 of the second; second
    # utterance: 1 and 3, and 1. Together 0, 1, 3 and 1: 4 of 6 symbols.
    rows = [
        symbols_seen((np.array([0, 1, 1]), np.array([1, 1, 1])), (4, 2)),
        symbols_seen((np.array([3, 1]), np.array([1])), (4, 2)),
    ]
    assert load().value(np.stack(rows)) == pytest.approx(100 * 4 / 6)


@pytest.mark.parametrize("alphabets", [(1,), (48,), (49, 7), (1024,) * 6, (65536,)])
def test_equals_sets(alphabets):
    rng = np.random.default_rng(len(alphabets))
    corpus = [tuple(rng.integers(0, a, 300) for a in alphabets) for _ in range(4)]
    used = sum(len(set().union(*(u[i].tolist() for u in corpus))) for i in range(len(alphabets)))
    rows = np.stack([symbols_seen(streams, alphabets) for streams in corpus])
    assert load().value(rows) == pytest.approx(100 * used / sum(alphabets))


def test_all_symbols_are_all():
    rows = symbols_seen((np.arange(1024),), (1024,))[None]
    assert load().value(rows) == 100


def test_rows_are_small():
    row = symbols_seen(tuple(np.zeros((6, 5), dtype=int)), (1024,) * 6)
    assert row.nbytes == 8 * (1 + 6 * 1024 // 48)
    assert not load().additive


def test_unscorable():
    with pytest.raises(Unscorable, match="emits no codes") as caught:
        load().statistic(streams=None, alphabets=None)
    assert caught.value.blame == "reference"
    with pytest.raises(Unscorable, match="no symbol") as caught:
        load().statistic(streams=(np.zeros(0, dtype=int),), alphabets=(4,))
    assert caught.value.blame == "estimate"


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="1 streams, 2 alphabets"):
        symbols_seen((np.array([0]),), (4, 4))
    for symbol in (-1, 4):
        with pytest.raises(ValueError, match="stream 0 has symbols"):
            symbols_seen((np.array([symbol]),), (4,))
