import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import soundfile

HERE = Path(__file__).parent
_MADE = runpy.run_path(str(HERE / "speechlike.py"))


@pytest.fixture(scope="session")
def pair():
    """``pair(seconds, rate, seed, noise=0.02)``: an estimate and its reference, made up."""
    return _MADE["pair"]


@pytest.fixture(scope="session")
def elsewhere():
    """``elsewhere(name)``: the cases of a fixture that another tool made."""

    def read(name):
        fixture = json.loads((HERE / "fixtures" / f"{name}.json").read_text(encoding="utf-8"))
        assert fixture["origin"] == "elsewhere"
        assert set(fixture["made_by"]) == {"tool", "version", "command"}
        return fixture["cases"]

    return read


@pytest.fixture(scope="session")
def speech(real_speech):
    """Noisy and clean recordings at 16 kHz, cut to one length: (estimate, reference) pairs."""
    found = []
    for clean in sorted((real_speech / "voicebank_demand" / "clean").iterdir()):
        pair = [
            soundfile.read(clean.parents[1] / kind / clean.name)[0] for kind in ("noisy", "clean")
        ]
        length = min(map(len, pair))
        found.append(tuple(signal[:length] for signal in pair))
    assert found
    return found


@pytest.fixture(scope="session")
def noisier():
    """``noisier(signal)``: four copies, each with ten times the noise amplitude of the last."""

    def copies(signal):
        noise = np.random.default_rng(9).standard_normal(signal.size)
        return [signal + level * noise for level in (1e-3, 1e-2, 1e-1, 1.0)]

    return copies


@pytest.fixture(scope="session")
def late():
    """``late(signal, n)``: the signal `n` samples later, as long as before."""

    def delayed(signal, count):
        moved = np.zeros_like(signal)
        if count >= 0:
            moved[count:] = signal[: signal.size - count]
        else:
            moved[:count] = signal[-count:]
        return moved

    return delayed
