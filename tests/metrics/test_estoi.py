"""What ESTOI does otherwise than STOI; what they share is in test_stoi.py."""

import numpy as np
import pystoi
import pytest

from metrics.estoi import estoi, load


def loops(estimate, reference):
    """The definition a second time, on band magnitudes (15, M), without any floor."""

    def normal(segment):
        segment = np.array([row - row.mean() for row in segment])
        segment = np.array([row / np.linalg.norm(row) for row in segment])
        columns = [column - column.mean() for column in segment.T]
        return [column / np.linalg.norm(column) for column in columns]

    total, count = 0.0, 0
    for m in range(30, reference.shape[1] + 1):
        x, y = normal(reference[:, m - 30 : m]), normal(estimate[:, m - 30 : m])
        total += sum(float(a @ b) for a, b in zip(x, y, strict=True)) / 30
        count += 1
    return total / count


def test_equals_loops(pair):
    from metrics.stoi import third_octaves

    estimate, reference = pair(1.2, 16000, 3)
    bands = third_octaves(estimate, reference, sample_rate=16000)
    assert estoi(estimate, reference, sample_rate=16000) == pytest.approx(loops(*bands), abs=1e-12)


@pytest.mark.parametrize("silent_from", [1, 4000])
def test_three_calls_one_value_on_a_silent_stretch(pair, silent_from):
    estimate, reference = pair(1.5, 16000, 1)
    estimate = estimate.copy()
    estimate[silent_from:] = 0
    values = {estoi(estimate, reference, sample_rate=16000) for _ in range(3)}
    assert len(values) == 1
    noisy = {pystoi.stoi(reference, estimate, 16000, extended=True) for _ in range(3)}
    assert len(noisy) > 1, "pystoi became deterministic: compare exactly, and say so"
    assert values.pop() == pytest.approx(np.mean(list(noisy)), abs=0.05)


def test_a_band_that_does_not_move_counts_nothing():
    # Frames repeat exactly: every band is constant, its deviation pure rounding.
    rng = np.random.default_rng(1)
    steady = np.tile(rng.standard_normal(128), 60)
    reference = rng.standard_normal(steady.size)
    assert estoi(steady, reference, sample_rate=10000) == pytest.approx(0, abs=0.01)


def test_declaration():
    metric = load(align=True)
    assert (metric.name, metric.title) == ("estoi", "ESTOI (aligned)")
    assert metric.spec == "estoi:align=true"
    assert metric.worst == (0.0,)
    assert "delay" in metric.needs
    assert "delay" not in load().needs


def test_statistic_is_estoi(pair):
    estimate, reference = pair(1, 16000, 1)
    row = load().statistic(estimate=estimate, reference=reference, sample_rate=16000)
    assert row.tolist() == [estoi(estimate, reference, sample_rate=16000)]
