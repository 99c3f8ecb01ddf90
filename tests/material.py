"""Signals and small data sets that tests make for themselves."""

import json

import numpy as np
import soundfile


def voice(seconds=1.0, rate=16000, pitch=120.0, seed=0):
    """A buzzing, syllable-like signal: harmonics under a slow envelope, with a little noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    f0 = pitch * (1 + 0.1 * np.sin(2 * np.pi * 1.3 * t + seed))
    phase = 2 * np.pi * np.cumsum(f0) / rate
    buzz = sum(np.sin(k * phase) / k for k in range(1, 20))
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * t + seed)
    wav = 0.2 * envelope * buzz + 0.002 * rng.standard_normal(t.size)
    return wav / max(1.0, np.abs(wav).max() / 0.9)


def write_manifest(folder, count=12, speakers=4, seconds=0.8, rate=16000):
    """Write `count` voices and the manifest that lists them; return the manifest's path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i in range(count):
        wav = voice(seconds, rate, pitch=90 + 15 * (i % speakers), seed=i)
        soundfile.write(folder / f"{i}.wav", wav, rate, subtype="PCM_16")
        lines.append(
            {"id": f"u{i}", "audio": f"{i}.wav", "text": "ah", "speaker": f"s{i % speakers}"}
        )
    path = folder / "tiny.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return path
