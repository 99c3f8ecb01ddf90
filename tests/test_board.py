import csv
import dataclasses
import io
import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from bench import plugins
from bench.cache import Cache
from bench.cli import main
from bench.run import Unlike
from bench.suite import Options, load_metrics, load_system, run, shuffled
from bench.totals import join
from leaderboards import text
from leaderboards.board import as_json, build
from systems._base import Card, Codes

METRICS = "si_sdr,stoi,bitrate"


class Noisy:
    """Adds noise of a given level; two of one level but other seeds are equally good."""

    def __init__(self, level, seed=0, scale="paper"):
        self.level, self.seed = level, seed
        name = f"noisy:level={level},seed={seed}"
        self.card = Card(name=name, task="codec", sample_rate=16000, scale=scale)

    def encode(self, wav):
        self.wav = wav
        return Codes((), (), wav.size)

    def decode(self, codes):
        rng = np.random.default_rng([self.seed, codes.samples, int(1e6 * abs(self.wav[5]))])
        return (self.wav + self.level * rng.standard_normal(codes.samples)).astype(np.float32)


@pytest.fixture
def made(tiny, tmp_path):
    def make(system, metrics=METRICS, data=tiny, **options):
        given = {"out": tmp_path / "runs", "jobs": 2, **options}
        return run(system, data, load_metrics(metrics), Options(**given))

    return make


def test_each_scale_is_ranked_among_itself_and_anchors_are_not(made):
    systems = [
        Noisy(0.05),
        Noisy(0.01, seed=1),
        Noisy(0.01, seed=2),
        Noisy(0.001, scale="reduced"),
        Noisy(0.002, scale="unknown"),
        load_system("identity", "cpu"),
    ]
    runs = [made(s)[0] for s in systems]
    board = build(runs)
    found = {title: [(r.rank, r.tied) for r in rows] for title, rows in board.blocks.items()}
    assert found == {
        "paper scale": [(1, True), (2, True), (3, False)],
        "unknown scale": [(1, False)],
        "reduced": [(1, False)],
        "anchors": [(None, False)],
    }
    assert list(found) == ["paper scale", "unknown scale", "reduced", "anchors"]
    assert [r.best for r in board.rows[:3]] == [(True, True, False)] * 2 + [(False, False, False)]
    assert not any(best for r in board.rows[3:] for best in r.best)
    mixed = build(runs, mix_scales=True)
    assert [(r.scale, r.rank) for r in mixed.rows] == [
        ("reduced", 1),
        ("unknown", 2),
        ("paper", 3),
        ("paper", 4),
        ("paper", 5),
        ("anchor", None),
    ]
    assert list(mixed.blocks) == ["all scales", "anchors"]
    table = text.terminal(board, verbose=True)
    assert "ranked among themselves" in table
    assert "si_sdr|zero_mean:True" in table
    assert "over 4 speakers: fewer than 10" in table
    assert "detectable difference" in table


def test_detectable_difference_is_on_every_judged_column(made):
    board = build([made(Noisy(0.05))[0], made(Noisy(0.01))[0]])
    assert board.columns[0].detectable > 0
    assert board.columns[2].detectable is None  # a bitrate is neither better nor worse
    alone = build([made(Noisy(0.05))[0]])
    assert alone.columns[0].detectable > 0


def test_json_has_the_promised_shape(made):
    board = json.loads(json.dumps(as_json(build([made(load_system("mu_law", "cpu"))[0]]))))
    assert board["dataset"] == "manifest:path=tiny.jsonl"
    assert [c["metric"] for c in board["columns"]] == ["si_sdr", "stoi", "bitrate"]
    for column in board["columns"]:
        assert {"metric", "signature", "unit", "better"} <= set(column)
    (row,) = board["rows"]
    assert {"run", "system", "scale", "weights", "values"} <= set(row)
    value = row["values"]["stoi"]
    assert set(value) == {"value", "low", "high", "n", "clusters", "coverage", "states"}
    assert value["states"] == {"failed": 0, "missing": 0, "unscorable": 0}
    assert value["low"] <= value["value"] <= value["high"]
    assert (value["n"], value["clusters"], value["coverage"]) == (12, 4, 1.0)


def test_other_data_signatures_policies_and_machines_are_refused(made, tiny):
    one, _ = made(Noisy(0.05), "rtf,si_sdr")
    other, _ = made(Noisy(0.01), "rtf,si_sdr", tiny.limit(6))
    with pytest.raises(Unlike, match=r"different data sets: .*noisy:level=0\.05.*; "):
        build([one, other])
    two, _ = made(Noisy(0.01), "rtf,si_sdr")
    build([one, two])
    score = dataclasses.replace(two.scores[1], signature="si_sdr|another")
    with pytest.raises(Unlike, match="signatures of si_sdr"):
        build([one, dataclasses.replace(two, scores=(two.scores[0], score))])
    score = dataclasses.replace(two.scores[1], policy="worst")
    with pytest.raises(Unlike, match="policies"):
        build([one, dataclasses.replace(two, scores=(two.scores[0], score))])
    elsewhere = dataclasses.replace(two, host={**two.host, "cpu": "another"})
    with pytest.raises(Unlike, match="machines behind rtf"):
        build([one, elsewhere])


def test_a_row_with_holes_is_shown_marked_and_not_ranked(made):
    class Holes(Noisy):
        def decode(self, codes):
            if abs(self.wav[100]) < 0.05:
                msg = "no"
                raise RuntimeError(msg)
            return super().decode(codes)

    some = "si_sdr,stoi"
    full, holes = made(Noisy(0.05), some)[0], made(Holes(0.001, seed=3), some)[0]
    coverage = holes.score("si_sdr").coverage
    assert 0 < coverage < 1
    board = build([full, holes])
    assert not board.complete
    row = next(r for r in board.rows if r.rank is None)
    assert "coverage below 100%: SI-SDR" in row.note
    assert f"{coverage:.0%}" in text.markdown(board)
    assert build([full, holes], min_coverage=coverage).complete


def test_renderers_agree(made):
    board = build([made(load_system(s, "cpu"))[0] for s in ("mu_law", "mu_law:bits=4")])
    rows = list(csv.DictReader(io.StringIO(text.as_csv(board))))
    assert len(rows) == 6
    values = {(r["system"], r["metric"]): float(r["value"]) for r in rows}
    assert values["mu_law:bits=4", "bitrate"] == pytest.approx(32.0)
    shown = text.markdown(board)
    assert f"{values['mu_law:bits=8', 'si_sdr']:.2f} [" in shown
    assert len({line.count("|") for line in shown.splitlines()[:4]}) == 1


def test_the_command_reads_runs_and_refuses_with_three(made, tiny, tmp_path):
    (_, one), (_, two) = made(Noisy(0.05)), made(Noisy(0.01))
    done = CliRunner().invoke(main, ["board", str(one.folder), str(two.folder), "--format", "md"])
    assert done.exit_code == 0
    assert "noisy:level=0.05" in done.stdout
    _, other = made(Noisy(0.01), METRICS, tiny.limit(5))
    done = CliRunner().invoke(main, ["board", str(one.folder), str(other.folder)])
    assert done.exit_code == 3
    assert "cannot compare runs with different data sets" in done.stderr
    assert CliRunner().invoke(main, ["board", str(tmp_path)]).exit_code == 2
    out = tmp_path / "board.csv"
    args = ["board", str(one.folder), "--format", "csv", "--out", str(out)]
    assert CliRunner().invoke(main, args).exit_code == 0
    assert out.read_text().startswith("dataset,run,system")


def test_sorting_by_what_is_not_there_says_what_is(made):
    _, one = made(Noisy(0.05))
    done = CliRunner().invoke(main, ["board", str(one.folder), "--sort", "stio"])
    assert done.exit_code == 2
    assert "did you mean 'stoi'" in done.stderr


def test_shards_add_up_to_the_run_they_were_cut_from(made, tiny, tmp_path):
    whole, _ = made(load_system("mu_law", "cpu"))
    parts = [made(load_system("mu_law", "cpu"), data=tiny.shard(i, 3)) for i in (1, 2, 3)]
    with Cache(tmp_path / "c") as cache:
        (joined,) = join([r for r, _ in parts], cache)
        assert joined.dataset_digest == whole.dataset_digest
        assert {o.id for o in joined.outputs} == {u.id for u in tiny.utterances}
        for a, b in zip(joined.scores, whole.scores, strict=True):
            assert a.value == pytest.approx(b.value, rel=1e-12)
            assert (a.n, a.clusters, a.coverage) == (b.n, b.clusters, b.coverage)
        build([joined, whole])
        with pytest.raises(Unlike, match="needs each of 3 shards once, there are 1/3, 3/3"):
            join([parts[0][0], parts[2][0]], cache)
    folders = [str(report.folder) for _, report in parts]
    done = CliRunner().invoke(main, ["board", *folders, "--format", "json"])
    assert json.loads(done.stdout)["utterances"] == 12


def test_shuffling_gives_each_utterance_another_speaker_s_recording(made, tiny, tmp_path):
    options = Options(out=tmp_path / "runs", jobs=2)
    metrics = load_metrics("si_sdr,stoi,rtf")
    record, report = shuffled(tiny, metrics, options)
    waves = {u.id: soundfile.read(u.audio)[0] for u in tiny.utterances}
    speakers, used = {u.id: u.speaker for u in tiny.utterances}, []
    for output in record.outputs:
        wav, _ = soundfile.read(report.folder / output.path)
        short = min(wav.size, 2000)
        (source,) = (
            i for i, w in waves.items() if np.allclose(w[:short], wav[:short], atol=2**-20)
        )
        assert wav.size == waves[output.id].size
        assert speakers[source] != speakers[output.id]
        used.append(source)
    assert sorted(used) == sorted(waves)
    truth = made(load_system("identity", "cpu"), "si_sdr,stoi,rtf")[0]
    board = build([record, truth])
    assert [r.block for r in board.rows] == ["anchor", "anchor"]
    by_name = {r.system: r.scores for r in board.rows}
    assert by_name["shuffled"][0].value < 0 < by_name["identity"][0].value
    assert by_name["shuffled"][2].value is None  # nothing was generated, so nothing is timed
    with pytest.raises(ValueError, match="1 recordings: two are needed"):
        shuffled(tiny.limit(1), metrics, options)


def test_specs_are_split_where_they_begin():
    assert plugins.split("a,b:x=1,y=2,c") == ["a", "b:x=1,y=2", "c"]
