"""Verdicts between two runs: hand-made rows, so that the right answer is known beforehand."""

import json
import re
import sys
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from bench import plugins
from bench.cache import Cache
from bench.cli import main
from bench.compare import Rule, compare, margin_of, read_gate
from bench.run import Cell, Output, Run, Unlike, save
from bench.totals import total
from leaderboards import verdicts
from systems._base import Card

SAME = {f"u{i}": f"s{i}" for i in range(40)}  # forty utterances of forty speakers


def made(columns, name="codec", speakers=SAME, failed=(), digest="d" * 16, timed=None):
    """Return a run with these rows, by metric: an array of one number for each utterance."""
    scores = []
    with Cache() as cache:
        for spec, values in columns.items():
            cells = {
                i: Cell("failed", reason="broke") if i in failed else Cell("scored", row)
                for i, row in zip(speakers, np.reshape(values, (len(speakers), -1)), strict=True)
            }
            cells = {i: Cell(c.state, tuple(map(float, c.row)), c.reason) for i, c in cells.items()}
            scores.append(total(plugins.load("metrics", spec), cells, speakers, "exclude", cache))
    outputs = tuple(Output(i, "failed" if i in failed else "ok") for i in speakers)
    card = Card(name, "codec", 16000, scale="unknown")
    return Run(card, "hand", digest, "", "", "", 0, {}, {}, outputs, speakers, tuple(scores))


def levels(n=40, seed=0):
    return 10 + 3 * np.random.default_rng(seed).standard_normal(n)


def verdict(base, new, gate=None, metric="si_sdr"):
    found = compare(base, new, gate)
    (row,) = [r for r in found.rows if r.metric == metric]
    return row, found.status


def test_a_system_against_its_copy_passes():
    row, status = verdict(made({"si_sdr": levels()}), made({"si_sdr": levels()}))
    assert (row.verdict, row.p, row.difference, row.low, row.high) == ("equivalent", 1, 0, 0, 0)
    assert status == 0


def test_better_and_worse():
    base = made({"si_sdr": levels()})
    shift = 1 + 0.1 * np.random.default_rng(1).standard_normal(40)
    row, status = verdict(base, made({"si_sdr": levels() + shift}))
    assert (row.verdict, status) == ("better", 0)
    row, status = verdict(base, made({"si_sdr": levels() - shift}))
    assert (row.verdict, status) == ("worse", 1)
    assert row.difference == pytest.approx(-np.mean(shift))
    assert row.low < row.difference < row.high
    assert row.worst[0] == (f"u{np.argmax(shift)}", pytest.approx(-shift.max()))


def test_lower_is_better_for_a_distance():
    base, new = levels(), levels() + 1 + 0.01 * levels(seed=3)
    row, status = verdict(made({"mcd": base}), made({"mcd": new}), metric="mcd")
    assert (row.verdict, status) == ("worse", 1)
    row, status = verdict(made({"mcd": new}), made({"mcd": base}), metric="mcd")
    assert (row.verdict, status) == ("better", 0)


def test_a_sure_loss_within_the_tolerance_is_no_regression():
    shift = -0.1 + 0.01 * np.random.default_rng(1).standard_normal(40)
    row, status = verdict(made({"si_sdr": levels()}), made({"si_sdr": levels() + shift}))
    assert row.p < 0.01
    assert (row.verdict, row.tolerance, status) == ("equivalent", 0.3, 0)
    strict = {"si_sdr": Rule(tolerance=0.05)}
    row, status = verdict(made({"si_sdr": levels()}), made({"si_sdr": levels() + shift}), strict)
    assert (row.verdict, status) == ("worse", 1)


def test_cannot_tell_is_no_pass_unless_the_gate_says_so():
    noise = np.random.default_rng(2).standard_normal(40) * 3
    base, new = made({"si_sdr": levels()}), made({"si_sdr": levels() + noise})
    row, status = verdict(base, new)
    assert (row.verdict, status) == ("cannot tell", 3)
    assert row.reason == "the interval reaches beyond the tolerance"
    row, status = verdict(base, new, {"default": Rule(cannot_tell="pass")})
    assert (row.verdict, row.passes, status) == ("cannot tell", True, 0)


def test_twenty_utterances_with_a_tiny_change():
    twenty = {f"u{i}": f"s{i}" for i in range(20)}
    base, change = levels(20), 0.01 * np.random.default_rng(4).standard_normal(20)
    runs = [made({"si_sdr": v}, speakers=twenty) for v in (base, base + change)]
    row, status = verdict(*runs)
    assert (row.verdict, status) == ("cannot tell", 3)
    assert row.reason == "20 shared utterances, fewer than 30"
    row, status = verdict(*runs, {"default": Rule(min_n=20)})
    assert (row.verdict, status) == ("equivalent", 0)


def test_bound_against_the_paired_t_interval():
    """With one utterance a speaker the bound is Student's; scipy gives it in closed form."""
    si_sdr = plugins.load("metrics", "si_sdr")
    for n in (4, 12, 60):
        a, b = levels(n)[:, None], levels(n, seed=9)[:, None]
        difference, margin, clusters = margin_of(a, b, range(n), si_sdr, 0.05)
        want = stats.ttest_rel(b[:, 0], a[:, 0]).confidence_interval(0.9)
        got = difference - margin, difference + margin
        assert got == pytest.approx((want.low, want.high), abs=0.06 * (want.high - want.low))
        assert clusters == n


def test_bound_over_speakers_is_that_of_their_means():
    """Equally many utterances of each: the bound is Student's over the speakers' means."""
    si_sdr = plugins.load("metrics", "si_sdr")
    speakers = np.repeat(np.arange(8), 5)
    moved = np.random.default_rng(1).standard_normal(8)[speakers] + 0.1 * levels()
    difference, margin, clusters = margin_of(
        levels()[:, None], (levels() + moved)[:, None], speakers.tolist(), si_sdr, 0.05
    )
    means = moved.reshape(8, 5).mean(axis=1)
    want = stats.ttest_1samp(means, 0).confidence_interval(0.9)
    assert clusters == 8
    got = difference - margin, difference + margin
    assert got == pytest.approx((want.low, want.high), abs=0.06 * (want.high - want.low))


def test_lost_outputs_are_a_regression_whatever_the_rest_scores():
    base = made({"si_sdr": levels()})
    row, status = verdict(base, made({"si_sdr": levels() + 1}, failed={"u3", "u7"}))
    assert (row.verdict, status) == ("worse", 1)
    assert row.reason == "coverage 95.0%, below 100.0%: u3, u7"
    row, status = verdict(base, made({"si_sdr": levels()}, failed=set(SAME)))
    assert (row.verdict, row.n, status) == ("worse", 0, 1)
    lenient = {"si_sdr": Rule(min_coverage=0.9)}
    _, status = verdict(base, made({"si_sdr": levels() + 1}, failed={"u3", "u7"}), lenient)
    assert status == 0


def test_holm_counts_every_gated_metric():
    shift = np.zeros(40)
    shift[:6] = -2  # six of forty speakers lost: p of about 0.03
    columns = {"si_sdr": levels()}
    row, status = verdict(made(columns), made({"si_sdr": levels() + shift}))
    assert row.p == pytest.approx(2 / 2**6, abs=0.01)
    assert (row.verdict, status) == ("worse", 1)
    more = {"stoi": levels() / 20, "estoi": levels() / 20}
    row, status = verdict(made(columns | more), made({"si_sdr": levels() + shift} | more))
    assert row.p == pytest.approx(3 * 2 / 2**6, abs=0.03)
    assert (row.verdict, status) == ("cannot tell", 3)


def test_a_gate_that_names_metrics_gates_those_alone():
    base = made({"si_sdr": levels(), "stoi": levels() / 20})
    new = made({"si_sdr": levels() - 5, "stoi": levels() / 20})
    found = compare(base, new, {"stoi": Rule()})
    assert [r.verdict for r in found.rows] == ["not gated", "equivalent"]
    assert found.rows[0].difference == pytest.approx(-5)  # shown all the same
    assert found.status == 0


def test_metrics_without_a_direction_and_times():
    rates = np.full((40, 2), [6000.0, 1.0])
    base, new = ({"bitrate": r, "rtf": [[0.1, 1.0]] * 40} for r in (rates, rates * [1.1, 1]))
    found = compare(made(base), made(new))
    assert [r.verdict for r in found.rows] == ["not gated", "not gated"]
    assert found.status == 3  # nothing was gated
    row, status = verdict(made(base), made(new), {"bitrate": Rule(better="lower")}, "bitrate")
    assert (row.verdict, status) == ("worse", 1)
    row, status = verdict(made(base), made(new), {"rtf": Rule()}, "rtf")
    assert (row.verdict, status) == ("cannot tell", 3)
    assert "--rerun" in row.reason
    with pytest.raises(ValueError, match="'lower' of 'si_sdr', which is 'higher'"):
        compare(
            made({"si_sdr": levels()}), made({"si_sdr": levels()}), {"si_sdr": Rule(better="lower")}
        )


def test_what_cannot_be_compared():
    base = made({"si_sdr": levels()})
    with pytest.raises(Unlike, match="different data"):
        compare(base, made({"si_sdr": levels()}, digest="e" * 16))
    row, status = verdict(base, made({"stoi": levels()}))
    assert (row.verdict, row.reason, status) == ("cannot tell", "the new run does not have it", 3)
    aligned = made({"si_sdr:align=true": levels()})
    row, status = verdict(base, aligned)
    assert status == 3
    with pytest.raises(ValueError, match="asks for 'stio', which the base does not have"):
        compare(base, base, {"stio": Rule()})


def test_gate_files(tmp_path):
    file = tmp_path / "gate.toml"
    file.write_text(
        '[default]\nalpha = 0.01\n["wer:asr=whisper"]\ntolerance = 1\n[bitrate]\nbetter = "lower"\n'
    )
    rules = read_gate(file)
    assert rules["wer:asr=whisper"] == Rule(tolerance=1, alpha=0.01)
    assert rules["bitrate"] == Rule(alpha=0.01, better="lower")
    for text, said in (
        ("alpha = ", "is not TOML"),
        ("pesq = 1", r"'pesq' is not a table"),
        ("[pesq]\ntolerence = 1", r"\[pesq\] has no key 'tolerence'; did you mean 'tolerance'"),
        ("[pesq]\ntolerance = -1", "want a number, 0 or more"),
        ("[pesq]\nalpha = true", "want a number, 0 or more"),
        ('[pesq]\ncannot_tell = "maybe"', 'want "stop" or "pass"'),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=said):
            read_gate(file)


@pytest.fixture
def runs(tmp_path):
    for name, shift in (("base", 0), ("copy", 0), ("worse", -1)):
        save(made({"si_sdr": levels() + shift, "rtf": [[0.1, 1.0]] * 40}), tmp_path / name)
    return tmp_path


def bench(*args):
    done = CliRunner().invoke(main, ["compare", *map(str, args)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done


def test_command(runs):
    done = bench(runs / "base", runs / "copy")
    assert done.exit_code == 0
    assert "equivalent: identical" in done.stdout
    done = bench(runs / "base", runs / "worse")
    assert done.exit_code == 1
    assert "regression" in done.stdout
    assert "worst utterances: u" in done.stdout
    done = bench(runs / "base", runs / "none")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    gate = runs / "gate.toml"
    gate.write_text("[si_sdr]\ntolerance = 2\n")
    assert bench(runs / "base", runs / "worse", "--gate", gate).exit_code == 0
    save(made({"si_sdr": levels()}, digest="e" * 16), runs / "other")
    assert bench(runs / "base", runs / "other").exit_code == 3


def test_formats(runs):
    out = runs / "junit.xml"
    assert bench(runs / "base", runs / "worse", "--format", "junit", "--out", out).exit_code == 1
    (suite,) = ElementTree.parse(out).getroot()  # noqa: S314 - our own file
    counted = {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": "2", "failures": "1", "errors": "0", "skipped": "1"}
    assert [[e.tag for e in case] for case in suite] == [
        ["failure", "system-out"],
        ["skipped", "system-out"],
    ]
    found = json.loads(bench(runs / "base", runs / "worse", "--format", "json").stdout)
    assert (found["status"], found["rows"][0]["verdict"]) == (1, "worse")
    lines = bench(runs / "base", runs / "worse", "--format", "md").stdout.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert lines[0] == "**regression**"
    assert {line.count("|") for line in table} == {len(verdicts.HEADS) + 1}
    linked = ("--format", "md", "--page", "https://ci.example/board.html")
    text = bench(runs / "base", runs / "worse", *linked).stdout
    ((name, place),) = re.findall(r"\[([^\]]+)\]\(https://ci\.example/board\.html(#\S+?)\)", text)[
        :1
    ]
    assert place == f"#/utterance/{quote(name)}"


def test_rerun_times_both_in_one_sitting(tiny_path, tmp_path):
    args = ("--dataset", f"manifest:path={tiny_path}", "--metrics", "si_sdr", "--no-timing")
    folder = tmp_path / "runs"
    for system in ("mu_law", "identity"):
        done = CliRunner().invoke(main, ["run", "--system", system, *args, "--out", str(folder)])
        assert done.exit_code == 0, done.output
    (run,) = folder.glob("mu_law*")
    again = ("--rerun", "--rounds", "5", "--limit", "4", *args[:2])
    gate = tmp_path / "gate.toml"
    gate.write_text("[si_sdr]\n[rtf]\ntolerance = 1\nmin_n = 4\n[peak_memory]\ntolerance = 20\n")
    done = bench(run, run, *again, "--gate", gate, "--format", "json")
    rows = {r["metric"]: r for r in json.loads(done.stdout)["rows"]}
    assert done.exit_code == 0
    assert (rows["rtf"]["n"], rows["peak_memory"]["n"]) == (4, 5)
    assert 0 < rows["rtf"]["base"] < 1
    assert 20 < rows["peak_memory"]["base"] < 500  # MB: an interpreter with numpy
    done = bench(run, run, *again, "--base-python", str(tmp_path / "none"))
    assert done.exit_code == 2
    assert "No such file" in done.stderr


def test_a_system_that_holds_more_memory_is_stopped(tiny_path, tmp_path):
    """Two checkouts of a toy system, each with its own interpreter's path."""
    from bench.compare import MIN_N
    from bench.rerun import rerun

    code = (
        "import numpy as np\nHELD = np.ones({held}, np.uint8)\nfrom systems.identity import load\n"
    )
    pythons = []
    for name, held in (("base", 1), ("new", 200_000_000)):
        home = tmp_path / name
        home.mkdir()
        (home / "sitecustomize.py").write_text(code.format(held=held))
        python = tmp_path / f"python-{name}"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={home} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        pythons.append(str(python))
    data = plugins.load("datasets", f"manifest:path={tiny_path}").limit(2)
    with Cache() as cache:
        pairs = rerun(["identity", "identity"], pythons, data, cache, rounds=MIN_N["peak_memory"])
    base = made({"si_sdr": levels()})
    found = compare(base, base, sitting=pairs)
    (memory,) = [r for r in found.rows if r.metric == "peak_memory"]
    assert memory.verdict == "worse"
    assert memory.difference == pytest.approx(200, rel=0.1)
