"""Running a system: what is recorded, what a second call costs, and what a kill leaves behind."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from material import write_manifest

from bench import cells, plugins
from bench.cells import Cell, Cells
from bench.run import Output, journal, read, read_outputs
from bench.suite import Options, load_metrics, load_system, run
from systems._base import Card, Codes

METRICS = "stoi,si_sdr,bitrate,rtf"


class Faulty:
    """A codec that does to each utterance what its length tells it to."""

    card = Card(name="faulty", task="codec", sample_rate=16000)

    def encode(self, wav):
        return Codes((np.zeros(4, np.int64),), (2,), wav.size)

    def decode(self, codes):
        fault = {16000: "raise", 16001: "nan", 16002: "empty", 16003: "stereo"}[codes.samples]
        if fault == "raise":
            msg = "the decoder lost its place"
            raise RuntimeError(msg)
        out = np.zeros(codes.samples, np.float32)
        out[7] = np.nan
        return {"nan": out, "empty": out[:0], "stereo": np.zeros((8, 2), np.float32)}[fault]


def go(spec, data, tmp_path, metrics=METRICS, **options):
    given = {"out": tmp_path / "runs", "jobs": 2, **options}
    return run(load_system(spec, "cpu"), data, load_metrics(metrics), Options(**given))


def test_a_run_survives_the_disk(tiny, tmp_path):
    record, report = go("mu_law", tiny, tmp_path)
    again = read(report.folder)
    assert again == record
    assert [s.cells for s in again.scores] == [s.cells for s in record.scores]
    assert again.id in report.folder.name
    assert again.score("bitrate").value == pytest.approx(64.0)  # 8000 x 8 bits
    assert {o.status for o in again.outputs} == {"ok"}
    assert (report.folder / again.outputs[0].path).exists()


def test_cells_in_columns_are_the_cells(tmp_path):
    given = {
        "loud": {
            "b": Cell("scored", (1.0, 2.5)),
            "a/한": Cell("failed", (0.0, 3.0), "counted as\nthe worst"),
            "c": Cell("missing", reason="no output"),
        },
        "quiet": {"c": Cell("unscorable", reason="silent"), "b": Cell("scored", (7.0,))},
    }
    columns = {name: Cells.of(some) for name, some in given.items()}
    cells.write(tmp_path / "scores.parquet", columns)
    found = cells.read(tmp_path / "scores.parquet")
    assert {name: dict(some) for name, some in found.items()} == given
    assert list(found["quiet"]) == ["c", "b"]
    assert [i for i, _ in found["loud"].holes()] == ["a/한", "c"]
    assert found["loud"].counts() == {"scored": 1, "unscorable": 0, "failed": 1, "missing": 1}
    assert found["loud"].digest == columns["loud"].digest != found["quiet"].digest
    rows, there = found["loud"].on(("c", "d", "b"))
    assert there.tolist() == [False, False, True]
    assert rows[2].tolist() == [1.0, 2.5]
    with pytest.raises(ValueError, match=r"differ in length: \[1, 2\]"):
        Cells.of({"a": Cell("scored", (1.0,)), "b": Cell("scored", (1.0, 2.0))})


def test_a_table_of_plain_columns_is_read(tmp_path):
    table = pa.table(
        {
            "metric": ["loud", "loud", "quiet", "quiet"],
            "id": ["a", "b", "a", "b"],
            "state": ["scored", "failed", "scored", "scored"],
            "reason": ["", "broke", "", ""],
            "row": pa.array([[1.0], [], [2.0, 3.0], [4.0, 5.0]], pa.list_(pa.float64())),
        }
    )
    pq.write_table(table, tmp_path / "scores.parquet")
    found = cells.read(tmp_path / "scores.parquet")
    assert dict(found["loud"]) == {"a": Cell("scored", (1.0,)), "b": Cell("failed", (), "broke")}
    assert found["quiet"]["b"].row == (4.0, 5.0)


def test_another_schema_is_refused(tiny, tmp_path):
    _, report = go("mu_law", tiny, tmp_path)
    path = report.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 0}))
    with pytest.raises(ValueError, match="schema 0"):
        read(report.folder)


def test_a_second_identical_run_computes_nothing_and_says_so(tiny, tmp_path):
    first, one = go("mu_law", tiny, tmp_path)
    second, two = go("mu_law", tiny, tmp_path)
    assert (one.generated, one.measured) == (12, 24)  # what needs no audio is not worth a cache
    assert (two.generated, two.from_cache, two.measured) == (0, 0, 0)
    assert "nothing to compute" in str(two)
    assert first == second  # the record keeps the timing it was made with


def test_a_changed_parameter_recomputes_that_metric_only(tiny, tmp_path):
    go("mu_law", tiny, tmp_path)
    _, report = go("mu_law", tiny, tmp_path, "stoi,si_sdr:zero_mean=false")
    assert (report.generated, report.measured, report.remembered) == (0, 12, 12)


def test_a_changed_reference_recomputes_that_utterance_only(tmp_path):
    path = write_manifest(tmp_path / "data")
    go("mu_law", plugins.load("datasets", f"manifest:path={path}"), tmp_path)
    wav, rate = soundfile.read(tmp_path / "data" / "3.wav")
    soundfile.write(tmp_path / "data" / "3.wav", 0.5 * wav, rate)
    changed = plugins.load("datasets", f"manifest:path={path}")
    record, report = go("mu_law", changed, tmp_path)
    assert (report.generated, report.from_cache) == (1, 11)
    assert (report.measured, report.remembered) == (2, 22)
    assert [o.id for o in record.outputs if o.wall_seconds is not None] == ["u3"]


def test_outputs_from_the_cache_are_not_timed(tiny, tmp_path):
    go("mu_law", tiny, tmp_path)
    record, report = go("mu_law", tiny, tmp_path, out=tmp_path / "elsewhere")
    assert (report.generated, report.from_cache) == (0, 12)
    rtf = record.score("rtf")
    assert rtf.value is None
    assert rtf.states["unscorable"] == 12
    assert "cache" in rtf.cells["u0"].reason
    assert record.score("stoi").n == 12


def test_an_output_that_was_written_over_is_made_again(tiny, tmp_path):
    record, report = go("mu_law", tiny, tmp_path)
    victim = report.folder / record.outputs[2].path
    with victim.open("r+b") as file:  # in place: the cached bytes share the same inode
        file.seek(200)
        file.write(b"scribble")
    again, second = go("mu_law", tiny, tmp_path)
    assert second.generated == 1
    assert again.outputs[2].sha256 == record.outputs[2].sha256
    other, third = go("mu_law", tiny, tmp_path, out=tmp_path / "elsewhere")
    assert third.generated + third.from_cache == 12
    assert [o.sha256 for o in other.outputs] == [o.sha256 for o in record.outputs]


def test_a_system_s_faults_are_states(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    lines = []
    for i in range(4):
        tone = 0.1 * np.sin(np.arange(16000 + i) / 10)
        soundfile.write(folder / f"{i}.wav", tone, 16000)
        lines.append(json.dumps({"id": f"u{i}", "audio": f"{i}.wav"}))
    (folder / "m.jsonl").write_text("\n".join(lines))
    data = plugins.load("datasets", f"manifest:path={folder / 'm.jsonl'}")
    record, _ = run(Faulty(), data, load_metrics(METRICS), Options(out=tmp_path / "r"))
    reasons = {o.id: (o.status, o.reason) for o in record.outputs}
    assert {status for status, _ in reasons.values()} == {"failed"}
    assert "the decoder lost its place" in reasons["u0"][1]
    assert "in decode" in reasons["u0"][1]  # the last lines of its traceback
    for identity, part in (("u1", "1 non-finite"), ("u2", "empty"), ("u3", "2 channels")):
        assert part in reasons[identity][1]
    for score in record.scores:
        assert (score.value, score.n, score.coverage) == (None, 0, 0.0)
        assert score.states["failed"] == 4
    _, again = run(Faulty(), data, load_metrics(METRICS), Options(out=tmp_path / "r"))
    assert again.generated == 4  # a failure is tried again, never remembered


def test_an_aligned_column_takes_out_one_delay_for_the_system(tiny, tmp_path):
    class Late(Faulty):
        card = dataclasses.replace(Faulty.card, name="late")

        def encode(self, wav):
            self.wav = wav
            return Codes((), (), wav.size)

        def decode(self, codes):
            return np.concatenate([np.zeros(480, np.float32), self.wav[:-480]])  # 30 ms

    metrics = load_metrics("delay,stoi,stoi:align=true,si_sdr:align=true,estoi:align=true")
    record, _ = run(Late(), tiny, metrics, Options(out=tmp_path))
    assert record.score("delay").value == pytest.approx(30.0)
    assert record.score("stoi").value < 0.8
    assert record.score("stoi:align=true").value > 0.99
    assert record.score("estoi:align=true").value > 0.99
    assert record.score("si_sdr:align=true").value > 60
    assert record.score("stoi").signature != record.score("stoi:align=true").signature


def test_every_metric_measures_a_codec_in_one_run(tiny, tmp_path):
    names = [n for n in plugins.names("metrics") if not plugins.load("metrics", n).listens]
    record, _ = go("mu_law", tiny, tmp_path, ",".join(names))
    for score in record.scores:
        unscored = score.metric == "first_audible"  # a codec streams nothing
        assert score.n == (0 if unscored else 12), score.metric


def test_without_timing_nothing_is_timed(tiny, tmp_path):
    record, _ = go("mu_law", tiny, tmp_path, timed=False)
    assert {o.wall_seconds for o in record.outputs} == {None}
    assert record.timing["warm_up_seconds"] == 0
    assert record.score("stoi").n == 12


def test_the_clock_leaves_out_the_warm_up(tiny, tmp_path):
    class Slow(Faulty):
        card = dataclasses.replace(Faulty.card, name="slow")
        calls = 0

        def decode(self, codes):
            type(self).calls += 1
            time.sleep(0.3 if type(self).calls == 1 else 0.0)
            return np.full(codes.samples, 0.1, np.float32)

    record, _ = run(Slow(), tiny, load_metrics("rtf"), Options(out=tmp_path / "r"))
    assert Slow.calls == 13
    assert record.timing["warm_up_seconds"] >= 0.3
    assert max(o.wall_seconds for o in record.outputs) < 0.3
    assert record.timing["rtf_p50"] <= record.timing["rtf_p90"] <= record.timing["rtf_p99"] < 0.4
    for key in ("cpu", "cores", "threads", "device", "fingerprint"):
        assert record.host[key]


def test_a_torn_journal_loses_its_last_line_only(tmp_path):
    with journal(tmp_path) as add:
        add(Output("a", "ok"))
    with (tmp_path / "outputs.jsonl").open("a") as file:
        file.write('{"id": "b", "sta')
    assert [o.id for o in read_outputs(tmp_path)] == ["a"]
    with journal(tmp_path) as add:
        add(Output("c", "ok"))
    assert [o.id for o in read_outputs(tmp_path)] == ["a", "c"]


SCRIPT = """
import sys, time
from pathlib import Path
from bench import plugins
from bench.cache import Cache
from bench.suite import Options, load_metrics, load_system, run
keep = Cache.put
def slowly(self, table, key, value):
    time.sleep(0.05 if table == "scores" else 0)  # 36 of them: two seconds in which to be killed
    keep(self, table, key, value)
Cache.put = slowly
system = load_system("mu_law", "cpu")
plain = system.decode
def slow(codes):
    time.sleep(0.02)
    return plain(codes)
system.decode = slow
data = plugins.load("datasets", "manifest:path=" + sys.argv[1])
if __name__ == "__main__":
    metrics = load_metrics("pesq,stoi,si_sdr,bitrate")
    run(system, data, metrics, Options(out=Path(sys.argv[2]), jobs=2))
"""


KILLS = ["outputs:1", "outputs:5", "outputs:11", "scores:0.1", "scores:0.4"]


@pytest.mark.parametrize("when", KILLS)
def test_a_killed_run_resumes_and_ends_with_the_same_scores(tiny_path, tmp_path, when, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tiny_path)]
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "broken-cache"))
    process = subprocess.Popen([*command, str(tmp_path / "broken")], start_new_session=True)  # noqa: S603
    stage, _, much = when.partition(":")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        made = list((tmp_path / "broken").glob("*/outputs.jsonl"))
        lines = made[0].read_text().count("\n") if made else 0
        if stage == "outputs" and lines >= int(much):
            break
        if stage == "scores" and lines == 12:
            time.sleep(float(much))
            break
        time.sleep(0.002)
    was_running = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if was_running:
        (folder,) = (tmp_path / "broken").iterdir()
        assert not (folder / "run.json").exists() or stage == "scores"
    subprocess.run([*command, str(tmp_path / "broken")], check=True)  # noqa: S603
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "whole-cache"))
    subprocess.run([*command, str(tmp_path / "whole")], check=True)  # noqa: S603
    (broken,), (whole,) = (tmp_path / "broken").iterdir(), (tmp_path / "whole").iterdir()
    a, b = read(broken), read(whole)
    assert was_running
    assert [s.cells for s in a.scores] == [s.cells for s in b.scores]
    assert a.scores == b.scores
    assert [o.sha256 for o in a.outputs] == [o.sha256 for o in b.outputs]
