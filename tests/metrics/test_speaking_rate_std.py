import statistics

import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.speaking_rate_std import load


def rows(rates, **parameters):
    metric = load(**parameters)
    name = metric.needs[0]
    return metric, np.stack(
        [metric.statistic(**{name: {"nuclei": 9, "rate": rate}}) for rate in rates]
    )


def test_hand_worked():
    # Rates 3, 4, 5: mean 4, squares of the differences 1, 0, 1: sqrt(2 / 3), and sqrt(2 / 2).
    metric, table = rows([3.0, 4.0, 5.0])
    assert metric.value(table) == pytest.approx(np.sqrt(2 / 3))
    metric, table = rows([3.0, 4.0, 5.0], variance="sample")
    assert metric.value(table) == pytest.approx(1.0)


def test_python_statistics():
    rates = list(np.random.default_rng(0).normal(4.5, 0.7, 300))
    for variance, other in (("population", statistics.pstdev), ("sample", statistics.stdev)):
        metric, table = rows(rates, variance=variance)
        assert metric.value(table) == pytest.approx(other(rates), rel=1e-12)


def test_a_shift_changes_nothing_and_a_factor_is_one():
    rates = np.random.default_rng(1).normal(4.5, 0.7, 40)
    value = load().value(rows(rates)[1])
    assert load().value(rows(rates + 2)[1]) == pytest.approx(value)
    assert load().value(rows(rates * 3)[1]) == pytest.approx(3 * value)
    assert load().value(rows(rates[::-1])[1]) == pytest.approx(value)


def test_one_rate_for_all_is_no_spread():
    assert load().value(rows([4.1] * 7)[1]) == pytest.approx(0, abs=1e-7)


def test_sums_are_enough():
    metric, table = rows([3.0, 4.0, 5.5])
    assert metric.additive
    halves = np.stack([table[:2].sum(axis=0), table.sum(axis=0)])
    assert metric.pool(halves, np.array([2.0, 3.0])) == pytest.approx(
        [0.5, statistics.pstdev([3, 4, 5.5])]
    )


@pytest.mark.parametrize("of", ["output", "reference"])
@pytest.mark.parametrize("heard", [{"silent": True}, {"nuclei": 0, "rate": 0.0}])
def test_nothing_said_is_unscorable(of, heard):
    metric = load(of=of)
    with pytest.raises(Unscorable, match="no syllable") as caught:
        metric.statistic(**{metric.needs[0]: heard})
    assert caught.value.blame == {"output": "estimate", "reference": "reference"}[of]


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="variance"):
        load(variance="biased")
    with pytest.raises(ValueError, match="of takes"):
        load(of="prompt")


def test_declaration():
    assert load().needs == ("heard",)
    assert load(of="reference").needs == ("heard_reference",)
    assert load(variance="sample", of="reference").title == "Speaking-rate STD (sample, reference)"
    assert "variance:population" in load().signature
    assert load(of="reference").spec == "speaking_rate_std:of=reference"
