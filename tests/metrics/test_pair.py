import numpy as np
import pytest

from metrics._base import Unscorable
from metrics._pair import checked, shifted

RAMP = np.arange(4.0)


def test_positive_delay_drops_the_start_of_the_estimate():
    estimate, reference = shifted(np.array([0.0, 0, 1, 2, 3]), np.array([1.0, 2, 3, 4, 5]), 2)
    assert estimate.tolist() == [1, 2, 3]
    assert reference.tolist() == [1, 2, 3]


def test_negative_delay_drops_the_start_of_the_reference():
    estimate, reference = shifted(np.array([3.0, 4, 5]), np.array([1.0, 2, 3, 4, 5]), -2)
    assert estimate.tolist() == [3, 4, 5]
    assert reference.tolist() == [3, 4, 5]


@pytest.mark.parametrize("delay", [4, -4, 1000])
def test_nothing_left_is_unscorable(delay):
    with pytest.raises(Unscorable, match=f"delay of {delay} samples"):
        shifted(RAMP, RAMP, delay)


@pytest.mark.parametrize("which", ["estimate", "reference"])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (np.zeros(4), "silent"),
        (np.full(4, 0.3), "silent"),
        (np.array([0, 9e-9, 0, 0]), "silent"),
        (np.array([0, np.nan, 1, 2]), "not finite"),
        (np.array([0, -np.inf, 1, 2]), "not finite"),
    ],
)
def test_blame_is_on_the_signal_at_fault(which, bad, reason):
    pair = {"estimate": RAMP, "reference": RAMP} | {which: bad}
    with pytest.raises(Unscorable, match=f"the {which} .*{reason}") as caught:
        checked(**pair)
    assert caught.value.blame == which


def test_reference_is_blamed_first():
    with pytest.raises(Unscorable, match="reference") as caught:
        checked(np.zeros(4), np.zeros(4))
    assert caught.value.blame == "reference"


def test_empty():
    with pytest.raises(Unscorable, match="reference is empty"):
        checked(np.zeros(0), np.zeros(0))
    with pytest.raises(Unscorable, match="estimate is empty") as caught:
        checked(np.zeros(0), RAMP, equal=False)
    assert caught.value.blame == "estimate"


def test_just_audible_passes():
    assert checked(RAMP * 1e-8, RAMP)[0].max() == pytest.approx(3e-8)


@pytest.mark.parametrize("estimate", [np.zeros((2, 4)), np.zeros(3)])
def test_shapes_must_agree(estimate):
    with pytest.raises(ValueError, match="mono signals of one length") as caught:
        checked(estimate, RAMP)
    assert not isinstance(caught.value, Unscorable)
