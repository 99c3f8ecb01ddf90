"""What works on this machine and, for what does not, exactly what to install or fetch."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from bench import execute, plugins
from bench.cache import home


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    kind: str  # machine, metric, observer, system, dataset
    name: str
    ready: bool
    about: str  # what it is, or the line that brings it


def examine() -> Iterator[Finding]:
    """Yield findings: the machine first, then every plug-in, loaded for real."""
    yield from _machine()
    kinds: tuple[plugins.Kind, ...] = ("metrics", "observers", "systems", "datasets")
    before = os.environ.get("BENCH_OFFLINE")
    os.environ["BENCH_OFFLINE"] = "1"  # to look is not to download
    try:
        for kind in kinds:
            for name in plugins.names(kind):
                yield _plugin(kind, name)
    finally:
        if before is None:
            del os.environ["BENCH_OFFLINE"]
        else:
            os.environ["BENCH_OFFLINE"] = before


def _machine() -> Iterator[Finding]:
    yield Finding("machine", "python", True, platform.python_version())
    yield Finding("machine", "cores", True, str(execute.cores()))
    yield Finding("machine", "torch", True, _torch())
    for package in ("torchaudio", "soundfile", "soxr", "pesq"):
        try:
            yield Finding("machine", package, True, version(package))
        except PackageNotFoundError:
            extra = plugins.EXTRA_OF.get(package, "")
            yield Finding("machine", package, False, f"pip install 'speech-bench[{extra}]'")
    folder = home()
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6
    yield Finding("machine", "cache", True, f"{folder} ({size:.0f} MB); $BENCH_CACHE moves it")
    corpora = os.environ.get("BENCH_DATA")
    yield Finding("machine", "corpora", bool(corpora), corpora or "set $BENCH_DATA to their folder")


def _torch() -> str:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
    return f"{torch.__version__}, {torch.get_num_threads()} threads, {device}"


def _plugin(kind: plugins.Kind, name: str) -> Finding:
    try:
        plugin = plugins.load(kind, name)
    except (plugins.Unavailable, FileNotFoundError, ValueError, TypeError) as missing:
        return Finding(kind[:-1], name, False, str(missing).partition("\n")[0])
    if kind == "systems":
        card = plugin.card
        return Finding("system", name, True, f"{card.scale}; weights {card.weights[:20]}")
    if kind == "datasets":
        return Finding("dataset", name, True, f"{len(plugin.utterances)} utterances")
    return Finding(kind[:-1], name, True, plugin.signature)
