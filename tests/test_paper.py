"""Papers' tables: every file by its schema, hand-made runs beside them, every renderer."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as Xml

import pytest
from click.testing import CliRunner

from bench import paper, plugins
from bench.cache import Cache
from bench.cli import main
from bench.run import Cell, Output, Run, save
from bench.totals import total
from leaderboards import paper_tables
from systems._base import Card

#: Bound to rows before they are written here; whoever writes one takes it out.
PENDING = {"syncspeech", "int_meanflow", "fc_tts"}


def made(system, metrics, dataset="libritts:split=test-clean", scale="paper", notes="", n=3):
    ids, scores = [f"u{i}" for i in range(n)], []
    with Cache() as cache:
        for spec, row in metrics.items():
            cells = {i: Cell("scored", (row,)) for i in ids}
            metric = plugins.load("metrics", spec)
            scores.append(total(metric, cells, {i: i for i in ids}, "exclude", cache))
    card = Card(system, "codec", 16000, scale=scale, weights="sha256:0")
    outputs = tuple(Output(i, "ok") for i in ids)
    speakers = {i: i for i in ids}
    return Run(card, dataset, "0" * 16, "", notes, "", 0, {}, {}, outputs, speakers, tuple(scores))


@pytest.mark.parametrize("name", paper.names())
def test_every_file_keeps_to_the_schema(name):
    found = paper.read(name)
    assert found.venue
    assert len({t.number for t in found.tables}) == len(found.tables)
    for table in found.tables:
        assert table.caption
        assert table.dataset
        for column in table.columns:
            assert any(column.key in row.values for row in table.rows), column.key
            if column.metric:
                metric = plugins.load("metrics", column.metric)
                assert metric.spec == column.metric
                assert column.better in {metric.better, "lower" if column.key == "kbps" else ""}
            if column.figure:
                from systems._base import FIGURES

                assert column.figure in {*FIGURES, "macs_receive"}
        for row in table.rows:
            known = {*plugins.names("systems"), *PENDING}
            assert not row.system or row.system.partition(":")[0] in known
            if row.data:
                assert row.data.partition(":")[0] in plugins.names("datasets")
            if row.system.startswith(("vocodec", "ibpcodec", "eulerodec")):  # spelt as its card is
                assert plugins.load("systems", row.system).card.name == row.system


def test_pending_systems_are_not_here_yet():
    assert not PENDING & set(plugins.names("systems"))


@pytest.mark.parametrize(
    ("name", "number", "row", "values"),
    [
        ("ibpcodec", "1", "IBPCodec, 1 kbps", {"pesq": 2.238, "si_sdr": 3.944, "mcd": 4.654}),
        ("ibpcodec", "3", "P = 0.75 without TAM", {"pesq": 1.441, "stoi": 0.776}),
        ("eulerodec", "1", "AudioDec, 6 kbps, test-clean", {"si_sdr": -14.48, "gdd": 197}),
        ("vocodec", "3-4", "VoCodec, track 1, 1 kbps", {"mushra": 65.2}),
        ("syncspeech", "1", "SyncSpeech, test-zh", {"wer": 1.43, "rtf": 0.05, "mos": 4.57}),
        ("int_meanflow", "2", "4 CosyVoice2, IMF, 1 NFE", {"utmos": 4.28, "rtf": 0.026}),
        ("fc_tts", "5", "without consistency loss, RAVDESS", {"wer": 9.36, "spk": 0.21}),
        ("cocoemo", "2", "IndexTTS2, CoCoEmo, alpha 5.0", {"rho": 0.240, "n_mos": 4.13}),
    ],
)
def test_figures_as_they_were_read(name, number, row, values):
    (table,) = [t for t in paper.read(name).tables if t.number == number]
    (found,) = [r for r in table.rows if r.name == row]
    assert {k: found.values[k].value for k in values} == values


FILE = {
    "paper": "Hand",
    "title": "Made by hand",
    "venue": "nowhere",
    "columns": {
        "pesq": {"title": "PESQ", "metric": "pesq", "digits": 2},
        "wer": {"title": "WER", "metric": "wer:asr=whisper,asr.model=large-v3", "better": "lower"},
        "sim": {"title": "SIM", "metric": "speaker_similarity", "factor": 100, "P": "unknown"},
        "size": {"title": "Size", "unit": "M", "figure": "parameters", "per": 1e6},
    },
    "tables": [
        {
            "number": "1",
            "caption": "By hand",
            "dataset": "LibriTTS",
            "data": "libritts:split=test-clean",
            "mark": "S1",
            "columns": ["pesq", "wer", "sim", "size"],
            "rows": [
                {"name": "theirs", "pesq": 3.0},
                {"name": "ours", "system": "mine", "pesq": 2.5, "wer": 2.0, "sim": 60, "size": 5},
                {"name": "sure", "system": "mine", "pesq": {"value": 2.5, "mark": "A"}},
            ],
        }
    ],
}


def filled(*runs, figures=None):
    found = paper.parse("hand", FILE)
    return found, paper.fill(found.tables[0], runs, figures)


def test_letters_are_found_by_comparison():
    _, same = filled(made("mine", {"pesq": 2.0}))
    cell = same.cells[1, "pesq"]
    assert (cell.value, cell.difference, cell.letters) == (2.0, -0.5, "S")
    assert same.cells[2, "pesq"].letters == ""
    assert same.cells[0, "pesq"].value is None
    for more, letters in (
        ({"dataset": "libritts:split=test-other"}, "DS"),
        ({"notes": "excerpt: 3 of 4837 utterances"}, "ES"),
        ({"scale": "reduced"}, "WS"),
        ({"dataset": "demo", "scale": "reduced", "notes": "excerpt"}, "DWS"),
    ):
        assert filled(made("mine", {"pesq": 2.0}, **more))[1].cells[1, "pesq"].letters == letters
    heard = {"wer": 3.0, "speaker_similarity": 0.5, "pesq:band=nb": 2.0}
    counts = {"wer": (1, 0, 0, 30)}
    run = made("mine", {k: v for k, v in heard.items() if k not in counts})
    _, found = filled(run)
    assert found.cells[1, "pesq"].letters == "PS"  # the other band
    assert found.cells[1, "sim"].letters == "PS"  # as the file says
    assert found.cells[1, "sim"].value == pytest.approx(50)


def test_the_nearest_run_and_score_are_taken():
    other = made("mine", {"pesq": 1.0}, dataset="demo", n=5)
    part = made("mine", {"pesq": 2.0}, notes="excerpt", n=5)
    whole = made("mine", {"pesq:band=nb": 4.0, "pesq": 3.0})
    assert filled(other, part, whole)[1].cells[1, "pesq"].value == 3.0
    assert filled(other, part)[1].cells[1, "pesq"].value == 2.0
    assert filled(other, made("else", {"pesq": 3.0}))[1].cells[1, "pesq"].value == 1.0
    assert filled(made("else", {"pesq": 3.0}))[1].runs == {}


def test_observers_are_compared_by_what_the_paper_states():
    wer = plugins.load("metrics", "wer:asr=whisper,asr.model=large-v3")
    base = plugins.load("metrics", "wer:asr=whisper,asr.model=base")
    assert paper._unlike(wer, base) == "O"
    assert paper._unlike(wer, plugins.load("metrics", "wer:asr=pocketsphinx")) == "O"
    said = "wer:asr=whisper,asr.model=large-v3,asr.beam=5,average=utterance"
    assert paper._unlike(wer, plugins.load("metrics", said)) == "P"
    assert paper._unlike(wer, wer) == ""


def test_figures_of_the_card():
    _, found = filled(figures={"mine": {"parameters": 5_200_000}})
    cell = found.cells[1, "size"]
    assert (cell.value, cell.letters) == (5.2, "S")
    assert cell.difference == pytest.approx(0.2)


def test_every_renderer():
    about, found = filled(made("mine", {"pesq": 2.0}, scale="reduced"))
    text = paper_tables.terminal(about, [found])
    assert re.search(r"measured, mine\s+2\.00", text)
    assert re.search(r"difference\s+-0\.50 WS", text)
    assert "W: reduced weights" in text
    assert "S1: one secondary source" in text
    table = [li for li in paper_tables.markdown(about, [found]).splitlines() if li.startswith("|")]
    assert {line.count("|") for line in table} == {7}
    assert len(table) == 2 + 3 + 2 * 2
    Xml.fromstring(f"<div>{paper_tables.html(about, [found])}</div>")  # noqa: S314 - our own
    data = json.loads(json.dumps(paper_tables.as_json(about, [found])))
    assert data["tables"][0]["rows"][1]["values"]["pesq"]["difference"] == -0.5


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_compiles(tmp_path):
    texts = []
    for name in paper.names():
        found = paper.read(name)
        texts.append(paper_tables.latex(found, [paper.fill(t, []) for t in found.tables]))
    body = "\\clearpage\n".join(texts)
    head = "\\documentclass{article}\\usepackage{booktabs}\\usepackage[landscape]{geometry}"
    (tmp_path / "t.tex").write_text(f"{head}\\begin{{document}}x\n{body}\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def test_mistakes_in_a_file():
    for change, said in (
        ({"papre": "x"}, "unknown key 'papre'; did you mean 'paper'"),
        ({"columns": {"pesq": {"title": "x", "metrik": "pesq"}}}, "did you mean 'metric'"),
        ({"columns": {"pesq": {"title": "x", "better": "up"}}}, "higher, lower or neither"),
        ({"tables": [{**FILE["tables"][0], "columns": ["pesk"]}]}, "unknown key 'pesk'"),
        ({"tables": [{**FILE["tables"][0], "mark": "S3"}]}, "mark 'S3' is none of"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            paper.parse("hand", {**FILE, **change})


def call(*args):
    done = CliRunner().invoke(main, [str(a) for a in args])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done


def test_command(tmp_path):
    assert call("list", "papers").stdout.count("\n") == 8
    save(made("ibpcodec:kbps=1", {"pesq": 2.0}), tmp_path / "runs" / "one")
    done = call("paper", "ibpcodec", "--table", "3", "--out", tmp_path / "runs")
    assert done.exit_code == 0
    assert re.search(r"difference\s+-0\.238 PS", done.stdout)
    assert call("paper", "ibpcodek").exit_code == 2
    done = call("paper", "ibpcodec", "--table", "9")
    assert (done.exit_code, "1, 2, 3" in done.stderr) == (2, True)


def test_running_what_can_be_run(tmp_path, tiny_path):
    done = call(
        *("paper", "vocodec", "--table", "size", "--run", "--out", tmp_path, "--format", "json")
    )
    (row, cascade) = json.loads(done.stdout)["tables"][0]["rows"]
    for key, tolerance in (("params", 0.03), ("macs", 0.03), ("receive", 0.03), ("latency", 0.05)):
        cell = row["values"][key]
        assert cell["value"] == pytest.approx(cell["published"]["value"], rel=tolerance), key
    assert cascade["values"]["params"]["value"] == pytest.approx(5.34, rel=0.03)
    args = ("--run", "--out", tmp_path, "--dataset", f"manifest:path={tiny_path}", "--limit", "2")
    done = call("paper", "ibpcodec", "--table", "2", *args, "--format", "json", "--jobs", "1")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["tables"][0]["rows"]
    assert [bool(r["run"]) for r in rows] == [False, True, True, True]
    assert set(rows[1]["values"]["pesq"]["letters"]) >= {"D", "S"}
