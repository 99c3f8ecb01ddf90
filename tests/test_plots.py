"""Plots: the front against loops, and drawings that any page can take in."""

import xml.etree.ElementTree as Xml
from dataclasses import replace

import numpy as np
import pytest

from bench.suite import Options, load_metrics, load_system, run
from leaderboards.board import build
from leaderboards.plots import each, pareto, plots


def test_front_against_loops():
    random = np.random.default_rng(0)
    for _ in range(50):
        points = [tuple(map(float, p)) for p in random.integers(0, 6, (8, 2))]
        for better, sign in (("higher", 1), ("lower", -1)):
            kept = {
                (x, y)
                for x, y in points
                if not any(a <= x and sign * b >= sign * y and (a, b) != (x, y) for a, b in points)
            }
            assert set(pareto(points, better)) == kept
            assert pareto(points, better) == sorted(kept)


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    out, metrics = tmp_path_factory.mktemp("plots"), load_metrics("si_sdr,stoi,bitrate")
    found = []
    for name, scale in (("mu_law", "unknown"), ("resample:rate=8000", "unknown"), ("identity", "")):
        system = load_system(name, "cpu")
        system.card = replace(system.card, scale=scale or system.card.scale)
        found.append(run(system, tiny, metrics, Options(out=out, jobs=1, cache=out / "cache"))[0])
    return found


def test_every_plot_is_drawn(runs):
    made = list(plots(build(runs), runs, {r.id: 1e6 * (i + 1) for i, r in enumerate(runs)}))
    assert [p.title for p in made] == [
        "Quality against computation",
        "SI-SDR: distribution",
        "STOI: distribution",
        "SI-SDR: by speaker",
        "SI-SDR: paired differences",
    ]
    for plot in made:
        tree = Xml.fromstring(plot.svg)  # noqa: S314 - our own
        assert tree.tag.endswith("svg")
        assert "currentColor" in plot.svg
        assert "#010203" not in plot.svg
        words = " ".join(t for t in tree.itertext())
        assert "mu_law" in words


def test_values_of_utterances(runs):
    score = runs[0].score("stoi")
    ids = [*score.cells, "unknown"]
    found = each(score, ids)
    assert found[:-1].tolist() == [score.cells[i].row[0] for i in score.cells]
    assert np.isnan(found[-1])
