"""Pairs of recordings to time things on: speech of the demo corpus, tiled to 5 s, with noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from bench import audio, plugins

RATE = 16000


def pairs(count: int, seconds: float = 5.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return `count` pairs (reference, noisy) at 16 kHz."""
    demo, rng, made = plugins.load("datasets", "demo").utterances, np.random.default_rng(0), []
    for i in range(count):
        wav, rate = audio.read(demo[i % len(demo)].audio)
        clean = np.resize(np.roll(audio.resample(wav, rate, RATE), 97 * i), round(seconds * RATE))
        made.append((clean, clean + 0.01 * rng.standard_normal(clean.size)))
    return made


def write(folder: Path, count: int, seconds: float = 5.0) -> tuple[str, Path]:
    """Write `count` pairs; return the data set spec and the folder of outputs."""
    lines = []
    for name in ("ref", "out"):
        (folder / name).mkdir(parents=True)
    for i, (clean, noisy) in enumerate(pairs(count, seconds)):
        for name, wav in (("ref", clean), ("out", noisy)):
            soundfile.write(folder / name / f"u{i:05}.wav", wav, RATE)
        item = {"id": f"u{i:05}", "audio": f"ref/u{i:05}.wav", "speaker": f"s{i % 20}"}
        lines.append(json.dumps(item))
    manifest = folder / "pairs.jsonl"
    manifest.write_text("\n".join(lines) + "\n")
    return f"manifest:path={manifest}", folder / "out"
