import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.first_audible import load

ROWS = np.array([[0.1], [0.2], [0.9]])


def test_median_and_percentiles():
    # Median of 0.1, 0.2, 0.9 is 0.2; NumPy's own percentile is the other source.
    assert load().value(ROWS) == pytest.approx(0.2)
    assert load(percentile=90).value(ROWS) == pytest.approx(np.percentile([0.1, 0.2, 0.9], 90))
    assert load(percentile=90).title == "FPL p90"
    assert load().timed
    assert not load().additive


def test_statistic():
    assert load().statistic(first_audible_seconds=0.25, wall_seconds=1.0).tolist() == [0.25]


def test_a_cached_output_has_no_time():
    with pytest.raises(Unscorable, match="cache: not timed") as caught:
        load().statistic(first_audible_seconds=None, wall_seconds=None)
    assert caught.value.blame == "reference"


def test_silence_is_the_systems_fault():
    with pytest.raises(Unscorable, match="nothing audible") as caught:
        load().statistic(first_audible_seconds=None, wall_seconds=1.0)
    assert caught.value.blame == "estimate"


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="negative"):
        load().statistic(first_audible_seconds=-0.1, wall_seconds=1.0)
    with pytest.raises(ValueError, match="percentile"):
        load(percentile=-1)
