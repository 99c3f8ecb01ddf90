import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.rtf import load, rtf

ROWS = np.array([[1.0, 1.0], [1.0, 4.0], [1.0, 5.0]])


def test_totals_not_a_mean_of_ratios():
    # 3 s of work for 10 s of output: 0.3, where the mean of 1, 0.25 and 0.2 is 0.483.
    assert load().value(ROWS) == pytest.approx(0.3)


def test_percentile_of_the_utterances():
    # The median of 1, 0.25 and 0.2 is 0.25; NumPy's own percentile is the other source.
    assert load(percentile=50).value(ROWS) == pytest.approx(0.25)
    expected = np.percentile([1, 0.25, 0.2], 90)
    assert load(percentile=90).value(ROWS) == pytest.approx(expected)


def test_only_totals_are_additive():
    assert load().additive
    assert not load(percentile=90).additive
    assert load(percentile=90).title == "RTF p90"
    assert load(percentile=90).spec == "rtf:percentile=90"
    assert load().timed


def test_faster_is_lower():
    assert load().value(rtf(1.0, 10.0)[None]) < load().value(rtf(2.0, 10.0)[None])


def test_a_cached_output_has_no_time():
    with pytest.raises(Unscorable, match="cache: not timed") as caught:
        load().statistic(wall_seconds=None, seconds=1.0)
    assert caught.value.blame == "reference"


def test_no_audio_is_the_systems_fault():
    with pytest.raises(Unscorable, match="no samples") as caught:
        rtf(1.0, 0.0)
    assert caught.value.blame == "estimate"


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="negative"):
        rtf(-1.0, 1.0)
    with pytest.raises(ValueError, match="percentile"):
        load(percentile=101)
