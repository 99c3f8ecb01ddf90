import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.token_rate import load

STREAMS = (np.zeros(200, dtype=int), np.zeros(100, dtype=int))


def test_hand_worked():
    # 200 + 100 tokens in 2 s, and as many in 4 s: 600 / 6 = 100 Hz; the longest stream 400 / 6.
    for frames, expected in ((False, 100), (True, 400 / 6)):
        metric = load(frames=frames)
        rows = [metric.statistic(streams=STREAMS, alphabets=(4, 4), seconds=s) for s in (2.0, 4.0)]
        assert metric.value(np.stack(rows)) == pytest.approx(expected)


def test_published_rate():
    # VoCodec: 6 codebooks at 100 frames/s.
    streams = tuple(np.zeros((6, 150), dtype=int))
    row = load().statistic(streams=streams, alphabets=(1024,) * 6, seconds=1.5)
    assert load().value(row[None]) == pytest.approx(600)
    assert load(frames=True).title == "Frame rate"


def test_unscorable():
    with pytest.raises(Unscorable, match="emits no codes") as caught:
        load().statistic(streams=None, alphabets=None, seconds=1.0)
    assert caught.value.blame == "reference"
    with pytest.raises(Unscorable, match="no samples") as caught:
        load().statistic(streams=STREAMS, alphabets=(4, 4), seconds=0.0)
    assert caught.value.blame == "estimate"


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="2 streams, 1 alphabets"):
        load().statistic(streams=STREAMS, alphabets=(4,), seconds=1.0)
