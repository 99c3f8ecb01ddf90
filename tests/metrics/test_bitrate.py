import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.bitrate import bitrate, load


def test_corpus_rate_is_not_the_mean_of_rates():
    # 1 s at 8 kbps and 3 s at 4 kbps are 20 000 bits in 4 s: 5 kbps, where the mean of rates is 6.
    rows = np.stack([bitrate(8000, 1.0), bitrate(12000, 3.0)])
    assert load().value(rows) == pytest.approx(5.0)


def test_published_rate():
    # VoCodec: 6 codebooks of 1024 (10 bit) at 100 frames/s are its 6 kbps.
    assert load().value(bitrate(6 * 10 * 100 * 2, 2.0)[None]) == pytest.approx(6.0)


def test_pools_over_any_leading_shape():
    totals = np.array([[[1000.0, 1], [4000, 2]]])
    assert load().pool(totals, np.ones((1, 2))).tolist() == [[1.0, 2.0]]
    assert load().additive


def test_no_codes_are_not_a_fault():
    with pytest.raises(Unscorable, match="emits no codes") as caught:
        load().statistic(bits=None, seconds=1.0)
    assert caught.value.blame == "reference"


def test_no_audio_is_the_systems_fault():
    with pytest.raises(Unscorable, match="no samples") as caught:
        bitrate(100, 0.0)
    assert caught.value.blame == "estimate"


@pytest.mark.parametrize(("bits", "seconds"), [(-1, 1.0), (1, -1.0)])
def test_negative_values(bits, seconds):
    with pytest.raises(ValueError, match="negative"):
        bitrate(bits, seconds)
