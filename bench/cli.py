"""Command line. Data goes to stdout, messages to stderr; every command is one library call."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from leaderboards.board import Leaderboard

_FORMATS = click.Choice(["table", "md", "csv", "json", "latex"])
_ISOLATE = click.option("--isolate", metavar="PYTHON", help="Interpreter to run systems in.")


@contextmanager
def mistakes() -> Iterator[None]:
    """Turn a mistake in the request into one line and exit status 2."""
    from bench.plugins import Unavailable

    try:
        yield
    except (ValueError, FileNotFoundError, Unavailable) as mistake:
        _stop(str(mistake), 2)


def _stop(message: str, status: int) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(status)


def _note(message: object) -> None:
    click.echo(str(message), err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="speech-bench")
def main() -> None:
    """Run speech codecs and TTS systems over data, measure them, and say how sure that is.

    A SPEC is NAME or NAME:key=value,key=value. Exit status: 0 yes; 1 the answer is no (coverage,
    self-check); 2 a mistake in the request; 3 cannot tell (unlike runs).
    """


def _measuring(command: Any) -> Any:
    """Add the options that `run` and `score` share."""
    options = [
        click.option("--metrics", help="Metric specs, comma-separated: pesq,stoi:align=true."),
        click.option(
            "--preset", type=click.Choice(["codec", "tts"]), help="A usual set of metrics."
        ),
        click.option("--limit", type=click.IntRange(1), help="Only the first N utterances."),
        click.option("--jobs", type=click.IntRange(0), default=0, help="Workers; 0: one a core."),
        click.option("--out", type=click.Path(path_type=Path), default="runs", show_default=True),
        click.option(
            "--on-missing",
            type=click.Choice(["exclude", "worst", "fail"]),
            default="exclude",
            show_default=True,
            help="What a failed or missing output does: left out, counted as the metric's worst, "
            "or stop.",
        ),
        click.option(
            "--min-coverage",
            type=click.FloatRange(0, 1),
            default=1.0,
            show_default=True,
            help="Share of outputs to be scored; below it a row is not ranked and the status is 1.",
        ),
        click.option(
            "--baseline",
            type=click.Path(path_type=Path),
            help="Run of the same data without steering, for against=baseline.",
        ),
        click.option(
            "--resynthesised",
            type=click.Path(path_type=Path),
            help="Run of a codec over the prompts (--prompts), for reference=resynthesised.",
        ),
        click.option("--sort", help="Column to rank by; default: the first."),
        click.option("--format", "style", type=_FORMATS, default="table", show_default=True),
        click.option("--json", "as_json", is_flag=True, help="JSON lines: progress and table."),
        click.option("-v", "--verbose", is_flag=True, help="Also the detectable differences."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.option("--system", "systems", multiple=True, required=True, help="System spec; repeatable.")
@click.option("--dataset", required=True, help="Data set spec.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--no-timing", is_flag=True, help="Score while generating; time nothing.")
@click.option("--shard", help="i/n: only every n-th utterance, from the i-th.")
@click.option("--prompts", is_flag=True, help="Render the data set's prompts as its recordings.")
@click.option("--shuffled", is_flag=True, help="Also a row in which recordings change places.")
@click.option("--offline", is_flag=True, help="Never touch the network.")
@_ISOLATE
@_measuring
def run(
    systems: tuple[str, ...],
    dataset: str,
    prompts: bool,
    shuffled: bool,
    offline: bool,
    isolate: str | None,
    **options: Any,
) -> None:
    """Render a data set with systems, score them, and print one table."""
    from bench import suite
    from bench.beside import find

    if offline:
        _offline()
    with mistakes():
        wanted = options["metrics"] or suite.PRESETS[options["preset"] or "codec"]
        suite.check_packages(wanted, () if isolate else systems)
        metrics = suite.load_metrics(wanted)
        suite.preload(metrics)
        device, specs = options["device"], dict.fromkeys(systems)
        loaded = [suite.load_system(spec, device, isolate) for spec in specs]
        data = _dataset(dataset, options["limit"], options["shard"])
        data = data.prompts() if prompts else data
        beside = find(metrics, data, options)
    settings = _settings(
        options,
        seed=options["seed"],
        timed=not options["no_timing"],
        device=options["device"],
        beside=beside,
    )
    runs = []
    with _verdicts():
        for system in loaded:
            record, report = suite.run(system, data, metrics, settings)
            _note(f"{system.card.name}: {report}")
            runs.append(record)
        if shuffled:
            record, report = suite.shuffled(data, metrics, settings)
            _note(f"shuffled: {report}")
            runs.append(record)
        _show(runs, options)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--dataset", required=True, help="Data set spec: the references.")
@_measuring
def score(folder: Path, dataset: str, **options: Any) -> None:
    """Measure audio made elsewhere: FOLDER holds <utterance id>.wav or .flac."""
    from bench import suite
    from bench.beside import find

    with mistakes():
        wanted = options["metrics"] or "pesq,stoi,estoi,si_sdr,mel_distance"
        suite.check_packages(wanted, ())
        metrics = suite.load_metrics(wanted)
        suite.preload(metrics)
        data = _dataset(dataset, options["limit"], None)
        if not folder.is_dir():
            _stop(f"no folder {folder}", 2)
        beside = find(metrics, data, options)
    with _verdicts():
        record, report = suite.score_folder(
            folder, data, metrics, _settings(options, beside=beside)
        )
        for name in report.unmatched:
            _note(f"no utterance is called that: {name}")
        _note(report)
        _show([record], options)


@main.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--sort", help="Column to rank by; default: the first.")
@click.option("--min-coverage", type=click.FloatRange(0, 1), default=1.0, show_default=True)
@click.option(
    "--format",
    "style",
    type=click.Choice([*_FORMATS.choices, "html"]),
    default="table",
    show_default=True,
)
@click.option("--mix-scales", is_flag=True, help="Rank reduced weights with the paper's.")
@click.option("--intervals", is_flag=True, help="Also intervals, where the format is latex.")
@click.option("--out", type=click.Path(path_type=Path), help="Write there instead of printing.")
@click.option(
    "--audio", type=click.Choice(["opus", "flac", "none"]), default="opus", help="In HTML."
)
@click.option("--dataset", help="Spec, for texts and recordings in HTML; default: the runs' own.")
@click.option("-v", "--verbose", is_flag=True, help="Also the detectable differences.")
def board(runs: tuple[Path, ...], out: Path | None, **options: Any) -> None:
    """Put saved runs into one table, or say why they cannot be compared; shards are joined."""
    from bench.cache import Cache
    from bench.run import read
    from bench.totals import join

    with mistakes():
        records = [read(path) for path in runs]
        if options["style"] == "html" and not out:
            _stop("a page goes to a file: --out FILE.html", 2)
    with _verdicts(), Cache() as cache:
        whole = join(records, cache)
        if options["style"] == "html" and out:
            _page(whole, dict(zip(runs, records, strict=True)), options, out)
        _show(whole, {**options, "as_json": False}, out)


def _page(runs: list, folders: dict[Path, Any], options: dict[str, Any], out: Path) -> None:
    from bench import plugins
    from leaderboards import html

    made = _built(runs, options)
    try:
        data = _dataset(options["dataset"] or runs[0].dataset, None, None)
    except (ValueError, FileNotFoundError, plugins.Unavailable) as missing:
        if options["dataset"]:
            _stop(str(missing), 2)
        _note(f"no recordings or texts in the page: {missing}")
        data = None
    try:
        text = html.render(html.collect(made, runs, folders, data), options["audio"])
    except ImportError as error:
        _stop(f"the page needs {error.name}: pip install 'speech-bench[report,baselines]'", 2)
    out.write_text(text, encoding="utf-8")
    _note(f"{out}, {out.stat().st_size / 1e6:.1f} MB")
    sys.exit(0 if made.complete else 1)


@main.command()
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--gate", type=click.Path(path_type=Path), help="TOML: a table for each metric.")
@click.option(
    "--format", "style", type=click.Choice(["table", "md", "json", "junit"]), default="table"
)
@click.option("--out", type=click.Path(path_type=Path), help="Write there instead of printing.")
@click.option("--page", default="", metavar="URL", help="HTML board that --format md links to.")
@click.option("--rerun", is_flag=True, help="Time both systems again, in alternation.")
@click.option("--rounds", type=click.IntRange(2), default=5, show_default=True, help="Of --rerun.")
@click.option("--dataset", help="What --rerun renders; default: what the runs rendered.")
@click.option("--limit", type=click.IntRange(1), help="First N utterances, for --rerun.")
@click.option("--base-python", metavar="PYTHON", help="Interpreter with the base's code.")
@click.option("--new-python", metavar="PYTHON", help="Interpreter with the new code.")
def compare(
    base: Path, new: Path, gate: Path | None, style: str, out: Path | None, page: str, **again: Any
) -> None:
    """Say whether run NEW is worse than run BASE: 0 no, 1 yes, 3 cannot tell."""
    from bench import compare as library
    from bench.run import read
    from leaderboards import verdicts

    with mistakes(), _verdicts():
        rules = library.read_gate(gate) if gate else None
        before, after = read(base), read(new)
        sitting = _timed_again([before, after], **again) if again.pop("rerun") else []
        found = library.compare(before, after, rules, sitting)
    if style == "json":
        text = json.dumps(verdicts.as_json(found), indent=1) + "\n"
    else:
        render = {"table": verdicts.terminal, "junit": verdicts.junit}
        text = verdicts.markdown(found, page) if style == "md" else render[style](found)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
    sys.exit(found.status)


def _timed_again(
    runs: list[Any],
    *,
    rounds: int,
    dataset: str | None,
    limit: int | None,
    base_python: str | None,
    new_python: str | None,
) -> list[Any]:
    from bench.cache import Cache
    from bench.progress import stage
    from bench.rerun import rerun

    data = _dataset(dataset or runs[0].dataset, limit, None)
    pythons = [base_python or sys.executable, new_python or sys.executable]
    specs = [run.card.name for run in runs]
    steps = rounds * len(data.utterances)
    with Cache() as cache, stage("time both", steps) as done:
        return rerun(specs, pythons, data, cache, rounds=rounds, seed=runs[0].seed, progress=done)


@main.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--metric", help="Spec or name; default: all.")
@click.option("--format", "style", type=click.Choice(["table", "md", "json"]), default="table")
def history(runs: tuple[Path, ...], metric: str | None, style: str) -> None:
    """Print metrics over runs, by date and commit; what cannot be compared is a break."""
    from bench import history as library
    from bench.run import read
    from leaderboards import history as tables

    with mistakes():
        found = list(library.history([read(path) for path in runs], metric))
    if style == "json":
        click.echo(json.dumps(tables.as_json(found), ensure_ascii=False))
    else:
        click.echo((tables.markdown if style == "md" else tables.terminal)(found), nl=False)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--test", help="mos, dmos, smos, cmos, mushra or abx, where no column says it.")
@click.option("--screen", default="none", show_default=True, help="Who is left out: bs1534.")
@click.option("--reference", default="reference", show_default=True, help="The hidden one's name.")
@click.option(
    "--against", "runs", multiple=True, type=click.Path(path_type=Path), help="Repeatable."
)
@click.option("--metric", help="Metric of the runs to correlate with the listeners.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the resampling.")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table")
def ratings(
    file: Path, test: str | None, runs: tuple[Path, ...], metric: str | None, style: str, **how: Any
) -> None:
    """Sum up a listening test: FILE is a CSV of listener,item,system,score[,test]."""
    from dataclasses import asdict

    from bench import ratings as listening
    from bench.run import read

    with mistakes(), _verdicts():
        if bool(runs) != bool(metric):
            _stop("--against and --metric go together", 2)
        records = {path.resolve().name: read(path) for path in runs}
        found = [
            listening.summarise(name, given, runs=records, metric=metric or "", **how)
            for name, given in listening.read(file, test).items()
        ]
    if style == "json":
        click.echo(json.dumps({"seed": how["seed"], "tests": [asdict(f) for f in found]}))
        return
    for line in (line for f in found for line in listening.lines(f)):
        click.echo(line)


@main.command("list")
@click.argument(
    "kind", type=click.Choice(["systems", "metrics", "observers", "datasets", "papers"])
)
def list_(kind: Any) -> None:
    """Print the names of a kind and what each is; nothing is imported."""
    from bench import paper
    from bench.plugins import summaries

    if kind == "papers":
        found = {name: paper.read(name) for name in paper.names()}
        lines = {n: f"{p.title} ({p.venue}), {len(p.tables)} tables" for n, p in found.items()}
    else:
        lines = summaries(kind)
    for name, line in lines.items():
        click.echo(f"{name:28}{line}")


@main.command()
@click.argument("name")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--table", "number", help="Only the table of this number.")
@click.option("--run", "running", is_flag=True, help="First run what of it can be run here.")
@click.option("--dataset", default="", help="What --run renders; default: the paper's, or demo.")
@click.option("--metrics", default="", help="Further metrics for --run, with observers you have.")
@click.option("--limit", type=click.IntRange(1), help="First N utterances, for --run.")
@click.option("--jobs", type=int, default=0, help="Worker processes; 0: one a core.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "md", "latex", "html", "json"]),
    default="table",
    show_default=True,
)
def paper(
    name: str, runs: tuple[Path, ...], number: str | None, running: bool, style: str, **how: Any
) -> None:
    """Print a paper's tables, published beside measured, and why they may differ.

    Measured is taken from the folders RUNS, by default from all those in --out.
    """
    from bench import paper as library
    from bench.run import read
    from bench.suite import Options
    from leaderboards import paper_tables

    with mistakes():
        found = library.read(name)
        tables = [t for t in found.tables if number in (None, t.number)]
        if number and not tables:
            _stop(f"{name} has no table {number!r}: {', '.join(t.number for t in found.tables)}", 2)
        here = runs or sorted(p.parent for p in how["out"].glob("*/run.json"))
        records = [read(path) for path in here]
    filled = []
    for table in tables:
        figures: Any = {}
        left_out: list[str] = []
        if running:
            timed = any(c.metric.startswith(("rtf", "first_audible")) for c in table.columns)
            settings = Options(out=how["out"], jobs=how["jobs"], timed=timed)
            chosen = {k: how[k] for k in ("dataset", "metrics", "limit")}
            with mistakes(), _verdicts():
                made, figures, left_out = library.run(table, settings, **chosen, say=_note)
            records = made + [r for r in records if r.id not in {m.id for m in made}]
        filled.append(library.fill(table, records, figures, left_out))
    render: Any = {
        "table": paper_tables.terminal,
        "md": paper_tables.markdown,
        "latex": paper_tables.latex,
        "html": paper_tables.page,
    }
    if style == "json":
        click.echo(json.dumps(paper_tables.as_json(found, filled), ensure_ascii=False))
    else:
        click.echo(render[style](found, filled), nl=False)


@main.command()
@click.argument("system")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table")
def card(system: str, style: str) -> None:
    """Measure a system's parameters, MACs/s, latency and bitrate, beside its paper's."""
    from bench import plugins
    from bench.card import measure

    with mistakes():
        loaded = plugins.load("systems", system, device="cpu")
    figures = measure(loaded)
    if style == "json":
        click.echo(json.dumps(figures))
        return
    about = loaded.card
    for key in ("name", "task", "paper", "scale", "weights", "licence", "versions"):
        click.echo(f"{key:18}{_text(getattr(about, key))}")
    click.echo(f"\n{'':18}{'measured':>16}{'published':>16}")
    for key in (k for k in figures if k not in {"paper", "scale"}):
        click.echo(f"{key:18}{_text(figures[key]):>16}{_text(figures['paper'].get(key)):>16}")
    for line in about.deviations:
        click.echo(f"deviates: {line}")


def _text(value: Any) -> str:
    if value is None or value == "" or value == ():
        return "-"
    if isinstance(value, tuple | list):
        return " ".join(_text(v) for v in value)
    return (
        f"{value:,.6g}"
        if isinstance(value, float) and value < 1e5
        else (f"{value:,.0f}" if isinstance(value, int | float) else str(value))
    )


@main.command()
@click.argument("system")
@click.argument("recording", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--offline", is_flag=True, help="Never touch the network.")
@_ISOLATE
def encode(
    system: str, recording: Path, out: Path, device: str, offline: bool, isolate: str | None
) -> None:
    """Code RECORDING with SYSTEM into OUT, a .codes file, and print its bitrate."""
    from bench import codes, suite

    if offline:
        _offline()
    with mistakes():
        saved = codes.encode(suite.load_system(system, device, isolate), recording, out)
    click.echo(codes.about(saved, out))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--system", help="Spec, where the weights lie elsewhere than when it was encoded.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--offline", is_flag=True, help="Never touch the network.")
@_ISOLATE
def decode(
    file: Path, out: Path, system: str | None, device: str, offline: bool, isolate: str | None
) -> None:
    """Turn a .codes FILE into OUT, a .wav or .flac; only with the weights that encoded it."""
    from bench import codes, suite

    if offline:
        _offline()
    with mistakes():
        saved = codes.read(file)
        loaded = suite.load_system(system or saved.system, device, isolate)
        codes.decode(loaded, saved, out)
    if loaded.card.versions != saved.versions:
        _note(f"encoded with {', '.join(saved.versions)}; here {', '.join(loaded.card.versions)}")
    click.echo(codes.about(saved, file))


@main.group()
def data() -> None:
    """Fetch a corpus from its official place, or verify a folder."""


@data.command("get")
@click.argument("name")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="The corpus's own folder; default: in $BENCH_DATA.",
)
def data_get(name: str, root: Path | None) -> None:
    """Download, verify and unpack a corpus; a broken download resumes."""
    from bench.datasets import _fetch

    with mistakes():
        click.echo(_fetch.get(name, root))


@data.command("check")
@click.argument("name")
@click.option(
    "--root", type=click.Path(path_type=Path), help="Its folder; default: in $BENCH_DATA."
)
def data_check(name: str, root: Path | None) -> None:
    """Compare a corpus folder with what its publisher says it holds; status 1 for a difference."""
    from bench.datasets import _fetch

    with mistakes():
        problems = _fetch.check(name, root)
    for problem in problems:
        click.echo(problem)
    _note(f"{name}: {len(problems)} problems" if problems else f"{name}: as published")
    sys.exit(1 if problems else 0)


@main.command()
@click.argument("system")
@click.option("--dataset", "datasets", multiple=True, required=True, help="Repeatable.")
@click.option("--config", type=click.Choice(["paper", "small"]), default="paper", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--minutes", type=float, help="Stop after this time; the schedule ends with it.")
@click.option("--steps", type=int, help="Stop after this many steps.")
@click.option("--seed", type=int, default=0, show_default=True)
def train(system: str, datasets: tuple[str, ...], out: Path, **options: Any) -> None:
    """Train a system by its recipe; repeat the command to resume."""
    from importlib import import_module

    from bench import plugins

    with mistakes():
        recipes = plugins.recipes()
        if system not in recipes:
            known = ", ".join(recipes)
            _stop(f"no recipe for {system!r}{plugins.nearest(system, recipes)} Known: {known}", 2)
        found = [_dataset(spec, None, None) for spec in datasets]
    files = [u.audio for d in found for u in d.utterances if u.audio]
    import_module(recipes[system]).train(files, out, **options)


@main.command()
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table")
def doctor(style: str) -> None:
    """Say what works here and, for what does not, exactly what to install or fetch."""
    from bench.doctor import examine

    findings = examine()
    if style == "json":
        click.echo(json.dumps([vars(f) for f in findings]))
        return
    for found in findings:
        state = "ready" if found.ready else "no"
        click.echo(f"{state:7}{found.kind:10}{found.name:28}{found.about}")


@main.command()
def selfcheck() -> None:
    """Measure shipped recordings whose values are known; status 1 if one is off."""
    from bench.selfcheck import check

    bad = 0
    for result in check():
        bad += result.verdict == "wrong"
        click.echo(f"{result.verdict:8}{result.metric:28}{result.about}")
    _note(
        "self-check passed"
        if not bad
        else f"{bad} values are wrong: do not trust this installation"
    )
    sys.exit(1 if bad else 0)


def _dataset(spec: str, limit: int | None, shard: str | None) -> Any:
    from bench import plugins

    found = plugins.load("datasets", spec)
    if shard:
        index, slash, count = shard.partition("/")
        if not (
            slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)
        ):
            msg = f"--shard takes i/n with 1 <= i <= n, got {shard!r}"
            raise ValueError(msg)
        found = found.shard(int(index), int(count))
    found = found.limit(limit)
    if not found.utterances:
        msg = f"data set {spec!r} has no utterances"
        raise ValueError(msg)
    return found


def _settings(options: dict[str, Any], **more: Any) -> Any:
    from bench.suite import Options

    kept = {"jobs": options["jobs"], "out": options["out"], "policy": options["on_missing"]}
    return Options(**kept, as_json=options["as_json"], **more)


@contextmanager
def _verdicts() -> Iterator[None]:
    from bench.ratings import TooFew
    from bench.run import Unlike
    from bench.score import MetricBug, StoppedByPolicy

    try:
        yield
    except (Unlike, TooFew) as refusal:
        _stop(str(refusal), 3)
    except StoppedByPolicy as stop:
        _stop(f"--on-missing fail: {stop}", 1)
    except KeyboardInterrupt:
        _stop("interrupted; repeat the command to go on from here", 130)
    except MetricBug as bug:
        _stop(f"a metric has a bug:\n{bug}", 2)


def _built(runs: list, options: dict[str, Any]) -> Leaderboard:
    from bench.plugins import UnknownName
    from leaderboards.board import build

    try:
        return build(
            runs,
            sort=options["sort"],
            min_coverage=options["min_coverage"],
            mix_scales=options.get("mix_scales", False),
        )
    except UnknownName as mistake:
        _stop(str(mistake), 2)


def _show(runs: list, options: dict[str, Any], out: Path | None = None) -> None:
    made = _built(runs, options)
    style = "json" if options["as_json"] else options["style"]
    text = _render(made, style, options["verbose"], intervals=options.get("intervals", False))
    if out:
        out.write_text(text, encoding="utf-8")
        _note(out)
    else:
        click.echo(text, nl=False)
    sys.exit(0 if made.complete else 1)


def _render(made: Leaderboard, style: str, verbose: bool, *, intervals: bool) -> str:
    from leaderboards import latex, text
    from leaderboards.board import as_json

    if style == "json":
        return json.dumps(as_json(made), ensure_ascii=False) + "\n"
    if style == "csv":
        return text.as_csv(made)
    if style == "latex":
        return latex.latex(made, intervals=intervals, verbose=verbose)
    render = text.markdown if style == "md" else text.terminal
    return render(made, verbose=verbose)


def _offline() -> None:
    """Tell every library that could reach for a hub not to."""
    import os

    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "BENCH_OFFLINE"):
        os.environ[name] = "1"
