"""The LaTeX of a board: what is bold, what is escaped, and that pdfLaTeX takes it as it is."""

import shutil
import subprocess
import unicodedata

import pytest

from bench.run import Score
from leaderboards.board import Column, Leaderboard, Row
from leaderboards.latex import escape, latex

LATIN = "".join(c for c in map(chr, range(32, 0x180)) if unicodedata.category(c)[0] not in "CZ")


def score(metric, value, low=None, high=None, coverage=1.0):
    about = {"signature": f"{metric}|r:1", "title": metric, "unit": "", "better": "higher"}
    found = {"value": value, "low": low, "high": high, "n": 20, "clusters": 10}
    states = dict.fromkeys(("scored", "unscorable", "failed", "missing"), 0)
    rest = {"coverage": coverage, "states": states, "policy": "exclude"}
    return Score(metric, **about, digits=2, timed=False, **found, **rest)


def row(system, *scores, best=(False, False), rank=None, scale="paper"):
    return Row("0" * 12, system, scale, "", scores, rank, "", tied=False, best=best)


@pytest.fixture
def board():
    columns = (
        Column("si_sdr", "SI-SDR", "si_sdr|zero_mean:True|r:1", "dB", "higher", 2, 0.1),
        Column("lost", "Lost_#", "lost|r:1", "%", "lower", 1, None),
    )
    rows = (
        row("opus:kbps=12", score("si_sdr", 5.186, 4.42, 5.941), None, best=(True, False), rank=1),
        row(f"codec_2 ~^\\{{}}<>| 한 {LATIN}", score("si_sdr", -24.5, coverage=0.971), None),
    )
    about = {"dataset": "de_mo", "dataset_digest": "0123", "licence": "CC0", "notes": "100 % & #1"}
    settings = {"sort": "si_sdr", "policy": "exclude", "min_coverage": 1.0, "machine": "m"}
    return Leaderboard(**about, utterances=20, columns=columns, rows=rows, **settings)


def test_the_best_is_bold_and_intervals_come_when_asked(board):
    plain, full = latex(board), latex(board, intervals=True)
    assert r"opus:kbps=12 & \textbf{5.19} & -- \\" in plain
    assert r"\textbf{5.19} {\scriptsize [4.42, 5.94]} & -- \\" in full
    assert r"$-$24.50 {\scriptsize 97\%} & --" in plain
    assert r"System & SI-SDR (dB) $\uparrow$ & Lost\_\# (\%) $\downarrow$ \\" in plain
    assert "% SI-SDR: si_sdr|zero_mean:True|r:1\n" in plain


def test_what_latex_would_read_as_a_command_is_escaped():
    assert escape("a_b & 3 % #1") == r"a\_b \& 3 \% \#1"
    assert escape("Żółw \N{EN DASH} naïve ± 한") == r"ŻóU+0142w -- naïve U+00B1 U+D55C"


@pytest.mark.parametrize("intervals", [False, True])
def test_it_compiles_as_it_is(board, tmp_path, intervals):
    engine = shutil.which("pdflatex") or shutil.which("tectonic")
    if not engine:
        pytest.skip("neither pdflatex nor tectonic is installed")
    text = latex(board, intervals=intervals, verbose=True)
    head = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "t.tex").write_text(f"{head}{text}\\end{{document}}\n", encoding="utf-8")
    options = ["-interaction=nonstopmode", "-halt-on-error"] if "pdflatex" in engine else []
    done = subprocess.run(  # noqa: S603
        [engine, *options, "t.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 5000
