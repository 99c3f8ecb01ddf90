"""Make the boards of `leaderboards/published` anew; one command does all of them.

    python benchmarks/published.py [--data FOLDER] [--only NAME]

FOLDER holds LibriSpeech and VCTK-Corpus-0.92, or excerpts; without it only the board on the
shipped data set is made. Each board is JSON (with the systems' cards and what they cost), CSV,
Markdown, and the plots of quality against bitrate, computation and real-time factor. The times are
of one recording at a time on the machine that is named; leave it alone meanwhile, and begin with
an empty cache ($BENCH_CACHE), for what comes out of it is not timed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from bench import plugins
from bench.card import measure
from bench.run import Run
from bench.suite import Options, check_packages, load_metrics, load_system, preload, run, shuffled
from leaderboards import text
from leaderboards.board import as_json, build
from leaderboards.plots import plots

HOME = Path(__file__).parent.parent / "leaderboards" / "published"
#: Board -> spec of the data, and the folder in --data that has them.
BOARDS = {
    "codecs-demo": ("demo", ""),
    "codecs-librispeech": ("librispeech:split=test-other", "LibriSpeech"),
    "codecs-vctk": ("vctk", "VCTK-Corpus-0.92"),
}
METRICS = "pesq,stoi,estoi,si_sdr,si_sdr:align=true,mcd,wer,speaker_similarity,dnsmos,bitrate,rtf"
COSTS = ("parameters", "macs_per_second", "latency_seconds")
PLOTS = ("bitrate", "computation", "speed")  # in the order of `leaderboards.plots`
SYSTEMS = (
    *(f"vocodec:kbps={n}" for n in (6, 3, 1)),
    *(f"ibpcodec:kbps={n}" for n in (3, 2, 1)),
    "eulerodec",
    *(f"opus:kbps={n}" for n in (6, 8, 12)),
    "codec2",
    "amr_wb:kbps=6.6",
    "speex",
    "lc3",
    "mp3:kbps=16",
    "identity",
    "silence",
)


def main() -> None:
    """Run every system over each data set, and write the boards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", choices=BOARDS)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    asked = parser.parse_args()
    check_packages(METRICS, SYSTEMS)
    metrics = load_metrics(METRICS)
    preload(metrics)
    HOME.mkdir(exist_ok=True)
    for name, (spec, folder) in BOARDS.items():
        if asked.only not in (None, name) or (folder and not asked.data):
            continue
        root = f"{',' if ':' in spec else ':'}root={asked.data / folder}" if folder else ""
        data = plugins.load("datasets", spec + root)
        options = Options(out=asked.runs)
        runs = [run(load_system(s, "cpu"), data, metrics, options)[0] for s in SYSTEMS]
        runs.append(shuffled(data, metrics, options)[0])
        write(name, runs)


def write(name: str, runs: list[Run]) -> None:
    """Write one board."""
    board = build(runs, sort="pesq", min_coverage=0.9)
    cards = {r.id: {**dataclasses.asdict(r.card), "code": ""} for r in runs}
    costs = {r.id: costs_of(r) for r in runs}
    said = {**as_json(board), "cards": cards, "costs": costs}
    (HOME / f"{name}.json").write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n")
    (HOME / f"{name}.csv").write_text(text.as_csv(board))
    macs = {i: c["macs_per_second"] for i, c in costs.items() if c.get("macs_per_second")}
    pictures = []
    for against, plot in zip(PLOTS, plots(board, runs, macs), strict=False):
        file = f"{name}-{against}.svg"
        (HOME / file).write_text(plot.svg.replace("currentColor", "#767676") + "\n")
        pictures.append(f"![{plot.title}]({file})\n\n{plot.caption}\n")
    parts = [f"# {name}", text.markdown(board, verbose=True), table(runs, costs), *pictures]
    (HOME / f"{name}.md").write_text("\n".join(parts))


def costs_of(run: Run) -> dict[str, Any]:
    """Return what `bench card` measures of a codec."""
    if run.card.scale == "anchor":
        return {}
    return {k: v for k, v in measure(plugins.load("systems", run.card.name)).items() if k in COSTS}


def table(runs: list[Run], costs: dict[str, dict[str, Any]]) -> str:
    """Return the costs as a table of Markdown."""
    lines = ["What they cost, measured as `bench card` does:\n"]
    lines += ["| system | parameters | MAC/s | latency (s) |", "|---|---|---|---|"]
    for r in runs:
        if cost := costs[r.id]:
            cells = (f"{v:,.4g}" if (v := cost[k]) is not None else "-" for k in COSTS[1:])
            count = "-" if cost[COSTS[0]] is None else f"{cost[COSTS[0]]:,}"
            lines.append(f"| {r.card.name} | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
