"""Listening tests: files, means, intervals that hold what they promise, screening, correlations."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner
from material import write_manifest

from bench import plugins, ratings
from bench.cli import main
from bench.ratings import Rating, TooFew, means, read, summarise
from bench.run import Unlike
from bench.run import read as read_run
from bench.suite import Options, load_metrics, load_system, run


@pytest.fixture
def sheet(tmp_path):
    """``sheet(lines, header=...)``: a CSV file of ratings."""

    def write(*lines, header="listener,item,system,score"):
        path = tmp_path / "ratings.csv"
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    return write


def panel(seed, listeners=20, items=20, spread=(0.5, 0.4, 0.7), mean=3.0):
    """Every listener rates every item of one system: listener + item + chance."""
    rng = np.random.default_rng(seed)
    who, what = spread[0] * rng.standard_normal(listeners), spread[1] * rng.standard_normal(items)
    chance = spread[2] * rng.standard_normal((listeners, items))
    scores = mean + who[:, None] + what + chance
    return [
        Rating(f"l{i}", f"i{j}", "s", float(scores[i, j]))
        for i in range(listeners)
        for j in range(items)
    ]


# -- files ---------------------------------------------------------------------------------------


def test_several_tests_in_one_file(sheet):
    path = sheet(
        "ann,a,x,4,MOS",
        "ann,a,x,80,mushra",
        "bob,a,x,-1.5,cmos",
        header="listener,item,system,score,test",
    )
    got = read(path)
    assert {k: [r.score for r in v] for k, v in got.items()} == {
        "mos": [4],
        "mushra": [80],
        "cmos": [-1.5],
    }
    assert list(read(path, "mushra")) == ["mushra"]


def test_columns_in_any_order_and_other_columns(sheet):
    path = sheet("4,x,ä,ann,headphones", header="score,system,item,listener,device")
    assert read(path, "mos") == {"mos": [Rating("ann", "ä", "x", 4.0)]}


def test_abx_by_choice_or_by_number(sheet):
    path = sheet("ann,a,x|y,x", "ann,b,x|y,y", "ann,c,x | y,", "bob,a,x,1", "bob,b,x,0.5")
    got = read(path, "abx")["abx"]
    assert [(r.system, r.score) for r in got] == [
        *[("x", 1), ("y", 0), ("x", 0), ("y", 1), ("x", 0.5), ("y", 0.5)],
        *[("x", 1), ("x", 0.5)],
    ]


@pytest.mark.parametrize(
    ("line", "test", "match"),
    [
        ("ann,a,x,6", "mos", r"line 2: a score of mos is a number from 1 to 5, got '6'"),
        ("ann,a,x,nan", "mushra", r"from 0 to 100, got 'nan'"),
        ("ann,a,x,good", "dmos", r"got 'good'"),
        ("ann,a,x,", "cmos", r"from -3 to 3, got ''"),
        ("ann,a,x,0.7", "abx", r"a score of abx is 0, 0\.5 or 1, got '0\.7'"),
        ("ann,a,x|y,z", "abx", r"wanted one of two systems, or nothing, got 'z' for 'x\|y'"),
        (",a,x,3", "mos", r"line 2: listener, item and system must not be empty"),
        ("ann,a,x,3\nann,a,x,4", "mos", r"line 3 repeats line 2: ann, a, x"),
        ("ann,a,x,3", "mso", r"unknown test 'mso'; did you mean 'mos'\?"),
    ],
)
def test_a_line_that_is_no_rating_is_named(sheet, line, test, match):
    with pytest.raises(ValueError, match=match):
        read(sheet(line), test)


def test_a_file_that_is_no_ratings(sheet):
    with pytest.raises(ValueError, match=r"no column 'listener'; did you mean 'listeners'\?"):
        read(sheet("a,b,c,1", header="listeners,item,system,score"), "mos")
    with pytest.raises(ValueError, match=r"say which it is: --test mos\|dmos"):
        read(sheet("ann,a,x,3"))
    with pytest.raises(ValueError, match="has no ratings of mos"):
        read(sheet(), "mos")


# -- means and intervals -------------------------------------------------------------------------


def test_means_by_hand():
    # x: (1 + 2 + 3 + 4) / 4, y: 5 and 5 by one listener: no interval.
    places = ["aq", "ar", "bq", "br"]
    given = [Rating(p, i, "x", s) for (p, i), s in zip(places, [1, 2, 3, 4], strict=True)]
    given += [Rating("a", "q", "y", 5), Rating("a", "r", "y", 5)]
    x, y = means(given)
    assert (x.mean, x.ratings, x.listeners, x.items) == (2.5, 4, 2, 2)
    assert (y.mean, y.low, y.high, y.listeners) == (5, None, None, 1)
    # Two listeners (means 1.5 and 3.5) and two items (2 and 3): from 1, all of (a, q), which is
    # drawn once in 16, to 4.
    assert (x.low, x.high) == (1, 4)


def test_the_order_of_lines_and_the_other_systems_change_no_mean():
    given = panel(1, 8, 8)
    other = [Rating(r.listener, r.item, "t", 6 - r.score) for r in given]
    (alone,) = means(given)
    both = {m.system: m for m in means(given + other)}
    assert both["s"] == alone
    assert both["t"].mean == pytest.approx(6 - alone.mean)
    assert both["t"].low == pytest.approx(6 - alone.high)  # the same draws
    (backwards,) = means(given[::-1])
    assert backwards.low == pytest.approx(alone.low, abs=0.05)
    assert means(given, seed=0) == means(given, seed=0)


def test_intervals_widen_with_what_varies():
    def width(*spread):
        (got,) = means(panel(3, spread=spread))
        return got.high - got.low

    assert width(0.1, 0.1, 0.1) < width(0.6, 0.1, 0.1) < width(0.6, 0.6, 0.1)
    # Clustered: 400 ratings as if independent would give 4 * sd / 20.
    everything = np.std([r.score for r in panel(3, spread=(0.6, 0.6, 0.1))])
    assert width(0.6, 0.6, 0.1) > 2.5 * 4 * everything / 20


@pytest.mark.parametrize("spread", [(0.5, 0.4, 0.7), (0.6, 0.0, 0.6), (0.05, 0.05, 0.8)])
def test_intervals_hold_the_truth_as_often_as_they_say(spread):
    hits = 0
    for seed in range(200):
        (got,) = means(panel(seed, spread=spread), trials=300, seed=seed)
        hits += got.low <= 3.0 <= got.high
    assert hits >= 180  # 95 % would be 190; 180 is 2.5 standard deviations below


def test_a_panel_that_rates_only_parts_of_the_items():
    given = [r for k, r in enumerate(panel(4, 30, 30)) if k % 7 == 0]
    (got,) = means(given)
    assert got.low < got.mean < got.high
    assert got.ratings == len(given)


# -- screening -----------------------------------------------------------------------------------


def mushra(misses, items=20):
    """Each listener rates the hidden reference below 90 as often as `misses` says."""
    return [
        Rating(who, f"i{k}", system, score)
        for who, missed in misses.items()
        for k in range(items)
        for system, score in (("ref", 89 if k < missed else 90), ("codec", 50 + k % 3))
    ]


def test_bs1534_by_hand():
    # 3 of 20 are 15 %: in. 4 of 20 are 20 %: out.
    got = summarise(
        "mushra", mushra({"in": 3, "out": 4, "good": 0}), screen="bs1534", reference="ref"
    )
    assert got.screened == {"out": "4 of 20 hidden references below 90"}
    assert (got.listeners, got.items) == (2, 20)
    assert {m.system: m.ratings for m in got.systems} == {"ref": 40, "codec": 40}
    assert [m.system for m in got.systems] == ["ref", "codec"]  # the best first
    everyone = summarise("mushra", mushra({"in": 3, "out": 4}))
    assert (everyone.screened, everyone.listeners) == ({}, 2)


def test_one_who_heard_no_reference_is_out():
    given = [*mushra({"in": 0}), Rating("lost", "i1", "codec", 50)]
    got = summarise("mushra", given, screen="bs1534", reference="ref")
    assert got.screened == {"lost": "rated no hidden reference"}


def test_screening_is_refused():
    given = mushra({"in": 0, "out": 9})
    with pytest.raises(ValueError, match="no system 'reff' in the ratings; did you mean 'ref'"):
        summarise("mushra", given, screen="bs1534", reference="reff")
    with pytest.raises(ValueError, match="bs1534 screens mushra, this is mos"):
        summarise("mos", given, screen="bs1534")
    with pytest.raises(ValueError, match="no screening rule 'itu'; there are none, bs1534"):
        summarise("mushra", given, screen="itu")
    with pytest.raises(TooFew, match="bs1534 leaves none of 1 listeners"):
        summarise("mushra", mushra({"out": 9}), screen="bs1534", reference="ref")


# -- beside a metric -----------------------------------------------------------------------------

SYSTEMS = {"identity": 4.6, "mu_law": 4.0, "resample": 3.1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of three systems on six recordings, by folder."""
    home = tmp_path_factory.mktemp("against")
    data = plugins.load("datasets", f"manifest:path={write_manifest(home / 'data', count=6)}")
    options = Options(out=home / "runs", cache=home / "cache")
    made = {}
    for name in SYSTEMS:
        _, report = run(load_system(name, "cpu"), data, load_metrics("si_sdr,lsd"), options)
        made[name] = report.folder
    return made


def opinions(systems=SYSTEMS, gain=0.05):
    return [
        Rating(who, f"u{k}", system, level + gain * k + shift)
        for who, shift in (("ann", 0.1), ("bob", -0.1))
        for system, level in systems.items()
        for k in range(6)
    ]


def test_correlation_with_a_metric(runs):
    records = {folder.name: read_run(folder) for folder in runs.values()}
    got = summarise("mos", opinions(), runs=records, metric="si_sdr")
    system, item = got.against
    assert (system.level, system.n, item.level, item.n) == ("system", 3, "item", 18)
    # The value by another way: scores of the runs, means of the opinions.
    by_name = {r.card.name.partition(":")[0]: r for r in records.values()}
    x = [by_name[s].score("si_sdr").value for s in SYSTEMS]
    y = [v + 0.125 for v in SYSTEMS.values()]
    assert system.pearson == pytest.approx(np.corrcoef(x, y)[0, 1])
    x = [by_name[s].score("si_sdr").cells[f"u{k}"].row[0] for s in SYSTEMS for k in range(6)]
    y = [v + 0.05 * k for v in SYSTEMS.values() for k in range(6)]
    assert item.pearson == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert got.metric.startswith("si_sdr|zero_mean:True")
    lower = summarise("mos", opinions(), runs=records, metric="lsd").against[0]
    assert lower.pearson < 0 < system.pearson


def test_only_what_both_have_is_compared(runs):
    records = {f.name: read_run(f) for f in runs.values()}
    some = [r for r in opinions(SYSTEMS | {"human": 4.9}) if r.item in {"u1", "u2"}]
    got = summarise("mos", some, runs=records, metric="si_sdr")
    assert [c.n for c in got.against] == [3, 6]
    assert got.unmatched == ("human",)
    two = {f.name: read_run(f) for name, f in runs.items() if name != "resample"}
    few = summarise("mos", opinions(), runs=two, metric="si_sdr").against[0]
    assert (few.pearson, few.reason) == (None, "2 systems have both; needs 3")
    twice = {"a": next(r for n, r in records.items() if "mu_law" in n)}
    with pytest.raises(ValueError, match=r"two runs for the system 'mu_law'.*'mu_law:"):
        summarise("mos", opinions(), runs=records | twice, metric="si_sdr")
    flat = [Rating(r.listener, r.item, r.system, 3.0) for r in opinions()]
    same = summarise("mos", flat, runs=records, metric="si_sdr").against[1]
    assert (same.spearman, "all the same value" in same.reason) == (None, True)


def test_what_cannot_be_correlated(runs):
    records = {f.name: read_run(f) for f in runs.values()}
    with pytest.raises(ValueError, match="has no metric 'pesq'; it has si_sdr, lsd"):
        summarise("mos", opinions(), runs=records, metric="pesq")
    with pytest.raises(ValueError, match="no run is called like a rated system"):
        summarise("mos", opinions({"human": 4.0}), runs=records, metric="si_sdr")
    first = next(iter(records))
    score = records[first].scores[0]
    other = dataclasses.replace(score, signature=score.signature + "x")
    odd = {first: dataclasses.replace(records[first], scores=(other,))}
    with pytest.raises(Unlike, match="measured differently"):
        summarise("mos", opinions(), runs=records | odd, metric="si_sdr")


# -- the command ---------------------------------------------------------------------------------


def call(*arguments):
    return CliRunner().invoke(main, ["ratings", *map(str, arguments)])


def as_lines(given):
    return [f"{r.listener},{r.item},{r.system},{r.score}" for r in given]


def test_the_command(sheet, runs):
    path = sheet(*as_lines(opinions()))
    against = [a for folder in runs.values() for a in ("--against", folder)]
    got = call(path, "--test", "mos", *against, "--metric", "si_sdr")
    assert got.exit_code == 0, got.output
    assert "MOS: 2 listeners, 6 items" in got.output
    assert "identity" in got.output.splitlines()[2]
    assert "two-way (pigeonhole) bootstrap" in got.output
    assert "optimistic, with only 2 listeners and 6 items" in got.output
    assert "against the metric, by item: Pearson" in got.output
    as_json = call(path, "--test", "mos", *against, "--metric", "si_sdr", "--format", "json")
    (test,) = json.loads(as_json.output)["tests"]
    assert [s["system"] for s in test["systems"]] == list(SYSTEMS)
    assert test["against"][1]["n"] == 18


def test_the_command_says_who_is_out(sheet):
    path = sheet(*as_lines(mushra({"in": 0, "out": 9})))
    arguments = (path, "--test", "mushra", "--screen", "bs1534", "--reference", "ref")
    got = call(*arguments)
    assert (got.exit_code, "screened out: out: 9 of 20" in got.output) == (0, True)
    assert got.output.count("-\n") == 0
    lonely = call(sheet(*as_lines(mushra({"out": 9}))), *arguments[1:])
    assert (lonely.exit_code, "leaves none" in lonely.output) == (3, True)


def test_mistakes_are_one_line(sheet, tmp_path):
    for line, arguments, said in (
        ("a,b,c,9", [], "got '9'"),
        ("a,b,c,3", ["--metric", "pesq"], "go together"),
        ("a,b,c,3", ["--screen", "bs1534"], "screens mushra"),
        ("a,b,c,3", ["--against", tmp_path / "no", "--metric", "pesq"], "is not there"),
    ):
        got = call(sheet(line), "--test", "mos", *arguments)
        assert got.exit_code == 2
        assert said in got.output
        assert got.output.count("\n") == 1
    assert "No such file" in call(tmp_path / "none.csv", "--test", "mos").output


def test_scales_are_those_of_the_help():
    for name in ratings.SCALES:
        assert name in call("--help").output
