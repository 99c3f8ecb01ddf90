"""Histories: order, breaks, and the date and commit that a run keeps."""

import json
import subprocess
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.history import history
from bench.run import origin, read, save
from bench.suite import Options, load_metrics, load_system, run
from leaderboards.board import build
from leaderboards.plots import plots


@pytest.fixture(scope="module")
def record(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("history")
    options = Options(out=out, jobs=1, cache=out / "cache")
    system = load_system("mu_law", "cpu")
    system.card = replace(system.card, scale="unknown")
    return run(system, tiny.limit(4), load_metrics("si_sdr,rtf"), options)[0]


def later(record, day, **changes):
    """Return the run as if it had been made on another day, by another code."""
    card = replace(record.card, code=f"c{day}")
    made = {"date": f"2026-01-{day:02}T00:00:00+00:00", "commit": f"abc{day}"}
    return replace(record, card=card, made=made, **changes)


def scored(record, **changes):
    return tuple(replace(s, **changes) for s in record.scores)


def test_runs_stand_in_order_and_breaks_are_named(record):
    signature = record.scores[0].signature
    revised = signature.replace("|r:1", "|r:2")
    runs = [
        later(record, 4, scores=(replace(record.scores[0], signature=revised),)),
        later(record, 1),
        later(record, 3, dataset_digest="f" * 16),
        later(record, 2, host={**record.host, "fingerprint": "elsewhere"}),
    ]
    (quality, times) = list(history(runs))
    assert [p.commit for p in quality.points] == ["abc1", "abc2", "abc3", "abc4"]
    said = [p.breaks for p in quality.points]
    assert said[:2] == ["", ""]
    assert said[2].startswith("other data")
    assert "revision 1 to 2" in said[3]
    assert [p.breaks for p in times.points][1] == "another machine"
    assert [s.metric for s in history(runs, "rtf")] == ["rtf"]
    with pytest.raises(ValueError, match="no run has 'sisdr'"):
        list(history(runs, "sisdr"))


def test_a_run_keeps_its_date(tiny, tmp_path):
    options, metrics = Options(out=tmp_path, jobs=1), load_metrics("si_sdr")
    first, report = run(load_system("mu_law", "cpu"), tiny.limit(2), metrics, options)
    now = datetime.now(timezone.utc)
    assert abs((now - datetime.fromisoformat(first.made["date"])).total_seconds()) < 60
    early = {"date": "2020-01-01T00:00:00+00:00", "commit": "old"}
    save(replace(first, made=early), report.folder)
    again, _ = run(load_system("mu_law", "cpu"), tiny.limit(2), metrics, options)
    assert again.made == early
    assert read(report.folder).made == early


def test_commit_of_the_repository_it_is_called_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert set(origin()) == {"date"}
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    (tmp_path / "file").write_text("1")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)  # noqa: S603
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S603
    assert origin()["commit"] == head.stdout[:12]
    (tmp_path / "file").write_text("2")
    assert origin()["commit"] == f"{head.stdout[:12]}-dirty"


def test_command_and_plot(record, tmp_path):
    folders = []
    for day in (2, 1):
        folders.append(str(tmp_path / str(day)))
        save(later(record, day, scores=scored(record, timed=False)), tmp_path / str(day))
    done = CliRunner().invoke(main, ["history", *folders, "--metric", "si_sdr"])
    assert done.exit_code == 0, done.output
    lines = [li.split() for li in done.stdout.splitlines() if "2026-01" in li]
    assert [(li[0][:10], li[1]) for li in lines] == [("2026-01-01", "abc1"), ("2026-01-02", "abc2")]
    found = json.loads(CliRunner().invoke(main, ["history", *folders, "--format", "json"]).stdout)
    assert [len(s["points"]) for s in found] == [2, 2]
    assert CliRunner().invoke(main, ["history", *folders, "--metric", "x"]).exit_code == 2
    runs = [read(tmp_path / str(d)) for d in (1, 2)]
    made = list(plots(build(runs), runs))
    assert made[-1].title == "SI-SDR: over time"
    assert "2026-01-02" in made[-1].svg
