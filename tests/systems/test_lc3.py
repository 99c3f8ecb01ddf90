import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("lc3", reason="lc3py brings liblc3: pip install 'speech-bench[baselines]'")

from bench import plugins
from systems.lc3 import Lc3


def test_bits_by_hand():
    # 32 kbps at 10 ms: 40 bytes; a look-ahead of 2.5 ms is 60 samples at 24 kHz, so that
    # 24000 + 60 samples need ceil(24060 / 240) = 101 packets.
    system = Lc3(kbps=32)
    assert system.lead == 60
    codes = system.encode(np.zeros(24000, np.float32))
    assert [len(p) for p in codes.packets] == [40] * 101
    assert codes.bits == 101 * 320


@pytest.mark.parametrize("kbps", [16, 24, 32, 64])
def test_rate_is_the_one_asked_for(kbps):
    wav = np.random.default_rng(0).uniform(-0.1, 0.1, 240000).astype(np.float32)
    assert Lc3(kbps=kbps).encode(wav).bits / 10 == pytest.approx(1000 * kbps, rel=0.02)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 32000, 48000])
@pytest.mark.parametrize("ms", [7.5, 10])
def test_output_is_aligned(rate, ms, speech, lag):
    system, wav = Lc3(kbps=96, frame_ms=ms, sample_rate=rate), speech(rate, 1)
    assert abs(lag(system.decode(system.encode(wav)), wav, rate)) <= max(0.25, rate / 60000)
    impulse = np.zeros(rate // 2, np.float32)
    impulse[rate // 5 + 17] = 0.9
    assert np.argmax(np.abs(system.decode(system.encode(impulse)))) == rate // 5 + 17


@pytest.mark.parametrize("given", [{}, {"kbps": 40, "frame_ms": 7.5, "sample_rate": 16000}])
def test_keeps_its_word(given, keeps_its_word):
    keeps_its_word(Lc3(**given))


def test_quality_rises_with_rate(speech):
    wav = speech(24000, 3)
    errors = [np.square(s.decode(s.encode(wav)) - wav).sum() for s in map(Lc3, (16, 24, 48, 96))]
    assert errors == sorted(errors, reverse=True)


def test_card():
    card = Lc3(kbps=40, frame_ms=7.5, sample_rate=16000).card
    assert replace(plugins.load("systems", card.name).card, code="") == card
    # 40 kbps * 7.5 ms / 8 = 37.5 bytes, of which 37 are left: 37 * 8 / 7.5 kbps
    assert card.bitrates == (pytest.approx(39.4667, abs=1e-4),)
    assert card.latency_seconds == pytest.approx(0.0115)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"kbps": 15}, "kbps=15 is outside 16 to"),
        ({"frame_ms": 5}, "frame_ms=5"),
        ({"sample_rate": 1}, "=1 "),
    ],
)
def test_parameters_outside_the_range_are_refused(given, what):
    with pytest.raises(ValueError, match=what):
        Lc3(**given)


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "lc3", None)
    with pytest.raises(plugins.Unavailable, match=r"pip install 'speech-bench\[baselines\]'"):
        plugins.load("systems", "lc3")
