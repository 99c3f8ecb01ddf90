"""The boards of leaderboards/published are those that the code of today would make."""

import csv
import json
import re
from pathlib import Path

import pytest

from bench import plugins
from bench.suite import load_metrics

HOME = Path(__file__).parent.parent / "leaderboards" / "published"
BOARDS = sorted(HOME.glob("*.json"))
AGAIN = "make it anew: python benchmarks/published.py"


def unversioned(signature):
    """A signature without the versions of packages, which another machine may have others of."""
    return re.sub(r"([\w-]+)[:=]\d+(\.\d+)+(\.post\d+)?", r"\1", signature)


@pytest.fixture(params=BOARDS, ids=lambda p: p.stem)
def board(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


def test_there_are_boards():
    assert "codecs-demo" in {p.stem for p in BOARDS}


def test_metrics_are_those_of_the_code(board):
    seen = 0
    for column in board["columns"]:
        try:
            (metric,) = load_metrics(column["metric"])[:1]
        except (plugins.Unavailable, FileNotFoundError):
            continue  # its package or weights are not here
        assert unversioned(metric.signature) == unversioned(column["signature"]), AGAIN
        seen += 1
    assert seen > 4


def test_systems_are_those_of_the_code(board):
    for card in board["cards"].values():
        if card["name"] == "shuffled":
            continue
        try:
            now = plugins.load("systems", card["name"]).card
        except plugins.Unavailable:
            continue  # its library is not here
        for key in ("weights", "scale", "sample_rate", "bitrates", "task"):
            value = getattr(now, key)
            value = list(value) if isinstance(value, tuple) else value
            assert card[key] == value, f"{card['name']}: {key}: {AGAIN}"


def test_nothing_of_a_machine_is_in_it(board):
    for path in HOME.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(home|work|tmp|root|Users)/", text), path


def test_every_format_says_the_same(board, request):
    name = request.node.callspec.params["board"].stem
    with (HOME / f"{name}.csv").open(encoding="utf-8") as file:
        rows = {(r["run"], r["metric"]): r for r in csv.DictReader(file)}
    text = (HOME / f"{name}.md").read_text(encoding="utf-8")
    digits = {"pesq": 2, "stoi": 3}
    for row in board["rows"]:
        for metric, places in digits.items():
            value = row["values"].get(metric, {}).get("value")
            if value is not None:
                assert float(rows[row["run"], metric]["value"]) == pytest.approx(value)
                assert f"{value:.{places}f}" in text
    for against in ("bitrate", "computation", "speed"):
        assert "<svg" in (HOME / f"{name}-{against}.svg").read_text(encoding="utf-8")


def test_times_have_a_machine(board):
    timed = [r for r in board["rows"] if r["values"].get("rtf", {}).get("value")]
    assert timed
    assert board["machine"]
