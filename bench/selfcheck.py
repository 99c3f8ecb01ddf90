"""Measure shipped recordings whose values are known, before trusting a run.

The recordings are from the demo corpus, degraded in a way that leaves no room for rounding: samples
rounded to a few levels, or moved by a whole number of samples. ``selfcheck.json`` says which
package, called directly, gave each value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import audio, plugins
from metrics._base import Unscorable

FIXTURES = Path(__file__).with_name("selfcheck.json")


@dataclass(frozen=True)
class Result:
    """One known value, measured here."""

    metric: str
    verdict: str  # right, wrong, or skipped
    about: str


def degrade(wav: audio.Wave, how: str) -> audio.Wave:
    """Return `wav` rounded to ``levels:N`` a unit, moved by ``delay:N`` samples, or ``silent``."""
    name, _, amount = how.partition(":")
    if name == "levels":
        return np.round(wav * int(amount)) / int(amount)
    if name == "delay":
        return np.concatenate([np.zeros(int(amount)), wav[: -int(amount)]])
    return np.zeros_like(wav)


def check() -> Iterator[Result]:
    """Yield one result per known value."""
    fixtures = json.loads(FIXTURES.read_text(encoding="utf-8"))
    demo = {u.id: u for u in plugins.load("datasets", "demo").utterances}
    for case in fixtures["cases"]:
        try:
            metric = plugins.load("metrics", case["metric"])
        except plugins.Unavailable as missing:
            yield Result(case["metric"], "skipped", str(missing))
            continue
        wav, rate = audio.read(demo[case["utterance"]].audio)
        wanted = metric.sample_rate or rate
        pair = {
            "estimate": audio.resample(degrade(wav, case["degrade"]), rate, wanted),
            "reference": audio.resample(wav, rate, wanted),
            "sample_rate": wanted,
        }
        found = _measure(metric, pair)
        yield _judge(case, found)


def _measure(metric: Any, inputs: dict[str, Any]) -> float | str:
    try:
        row = metric.statistic(**{name: inputs[name] for name in metric.needs})
    except Unscorable:
        return "unscorable"
    return metric.value(row[None])


def _judge(case: dict[str, Any], found: float | str) -> Result:
    wanted, name = case["value"], f"{case['metric']} {case['degrade']}"
    if isinstance(wanted, str) or isinstance(found, str):
        verdict = "right" if wanted == found else "wrong"
        return Result(name, verdict, f"{found}, known to be {wanted}")
    verdict = "right" if abs(found - wanted) <= case["tolerance"] else "wrong"
    about = f"{found:.6f}, known to be {wanted:.6f} within {case['tolerance']} ({case['from']})"
    return Result(name, verdict, about)
