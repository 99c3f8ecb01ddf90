"""The command line as its user meets it: one line for a mistake, data apart from talk."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from bench import plugins
from bench.cli import main


def invoke(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture
def base(tiny_path, tmp_path):
    return ["--dataset", f"manifest:path={tiny_path}", "--out", tmp_path / "runs", "--jobs", "2"]


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--system", "mu_lwa"], "did you mean 'mu_law'"),
        (["--system", "mu_law:bit=8"], "did you mean 'bits'"),
        (["--system", "mu_law:bits=x"], "mu_law: bits takes a whole number, got 'x'"),
        (["--system", "mu_law:bits"], "not of the form key=value"),
        (["--system", "mu_law", "--metrics", "peqs"], "did you mean 'pesq'"),
        (["--system", "mu_law", "--metrics", "pesq:band=xb"], "band must be"),
        (["--system", "mu_law", "--metrics", "stoi,stoi"], "asked for twice"),
        (["--system", "mu_law", "--shard", "3/2"], "--shard takes i/n"),
    ],
)
def test_a_mistake_is_one_line_and_status_two(base, args, part):
    done = invoke("run", *args, *base)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_corpus_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    done = invoke("run", "--system", "mu_law", "--dataset", "vctk")
    assert done.exit_code == 2
    assert "BENCH_DATA" in done.stderr


def test_a_missing_package_stops_before_anything_is_loaded(base, tmp_path, monkeypatch):
    plain = plugins.find_spec
    monkeypatch.setattr(plugins, "find_spec", lambda n: None if n == "av" else plain(n))
    monkeypatch.setattr(plugins, "load", lambda *a, **k: pytest.fail("loaded something"))
    done = invoke("run", "--system", "vocodec", "--system", "opus:kbps=6", *base)
    assert done.exit_code == 2
    assert "pip install 'speech-bench[baselines]'" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_run_prints_one_table_and_talks_on_stderr(base):
    args = ["run", "--system", "mu_law", "--system", "identity", "--metrics", "stoi,bitrate", *base]
    done = invoke(*args)
    assert done.exit_code == 0
    for part in ("mu_law:bits=8", "identity", "STOI", "stoi|align:False", "95 % bootstrap"):
        assert part in done.stdout
    assert "outputs made" in done.stderr
    assert "nothing to compute" in invoke(*args).stderr


def test_json_lines_for_machines(base):
    done = invoke("run", "--system", "mu_law", "--metrics", "stoi", "--json", *base)
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["rows"][0]["values"]["stoi"]["n"] == 12
    events = [json.loads(li) for li in done.stderr.splitlines() if li.startswith("{")]
    assert {"generate mu_law:bits=8", "score"} == {e["stage"] for e in events}
    assert events[-1]["done"] == events[-1]["total"] == 12


@pytest.mark.parametrize("kind", ["systems", "metrics", "observers", "datasets"])
def test_every_listed_name_says_what_it_is(kind):
    done = invoke("list", kind)
    assert done.exit_code == 0
    for line in done.stdout.splitlines():
        name, _, about = line.partition(" ")
        assert name in plugins.names(kind)
        assert about.strip().endswith(".")


def test_selfcheck_notices_a_wrong_value(monkeypatch, tmp_path):
    assert invoke("selfcheck").exit_code == 0
    from bench import selfcheck

    cases = json.loads(selfcheck.FIXTURES.read_text())
    cases["cases"][0]["value"] += 0.01
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(cases))
    monkeypatch.setattr(selfcheck, "FIXTURES", bad)
    done = invoke("selfcheck")
    assert done.exit_code == 1
    assert done.stdout.count("wrong") == 1


def test_doctor_looks_at_everything():
    findings = json.loads(invoke("doctor", "--format", "json").stdout)
    found = {(f["kind"], f["name"]) for f in findings}
    for kind in ("metrics", "systems", "datasets"):
        assert {(kind[:-1], name) for name in plugins.names(kind)} <= found
    ready = {f["name"] for f in findings if f["ready"]}
    assert {"pesq", "stoi", "mu_law", "demo"} <= ready


def test_help_needs_no_heavy_import():
    code = "import sys; sys.argv = ['bench', '--help']\nfrom bench.cli import main\ntry: main()\n"
    code += "except SystemExit: pass\nprint('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.splitlines()[-1] == "False False"
