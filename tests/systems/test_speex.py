from dataclasses import replace

import numpy as np
import pytest

from bench import plugins
from systems import speex
from systems.speex import Speex

if speex.find_library("speex") is None:
    pytest.skip("needs libspeex: apt-get install libspeex1", allow_module_level=True)


# Manual of Speex, table of wideband bit rates: quality -> kbps; a packet ends on a whole byte
@pytest.mark.parametrize(("quality", "kbps"), [(0, 3.95), (4, 12.8), (8, 27.8), (10, 42.2)])
def test_rates_are_the_manuals(quality, kbps):
    system = Speex(quality)
    codes = system.encode(np.zeros(16000, np.float32))
    assert {len(p) for p in codes.packets} == {int(np.ceil(kbps * 20 / 8))}
    assert system.card.bitrates[0] == pytest.approx(codes.bits / len(codes.packets) / 20)


@pytest.mark.parametrize("quality", [4, 8, 10])
def test_output_is_aligned(quality, speech, lag):
    wav = speech(16000, 2)
    system = Speex(quality)
    assert abs(lag(system.decode(system.encode(wav)), wav, 16000)) <= 1


@pytest.mark.parametrize("quality", [0, 4, 10])
def test_keeps_its_word(quality, keeps_its_word):
    keeps_its_word(Speex(quality))


def test_quality_rises_with_rate(speech, spectral_distance):
    wav = speech(16000, 2)
    far = [spectral_distance(s.decode(s.encode(wav)), wav, 16000) for s in map(Speex, (0, 4, 8))]
    assert far == sorted(far, reverse=True)


def test_card_and_refusal():
    card = Speex(8).card
    assert card.latency_seconds == pytest.approx(0.034, abs=5e-4)  # as the manual says
    assert replace(plugins.load("systems", card.name).card, code="") == card
    with pytest.raises(ValueError, match="quality=11 is outside 0 to 10"):
        Speex(11)


def test_a_missing_library_is_one_line(monkeypatch):
    monkeypatch.setattr(speex, "find_library", lambda name: None)
    with pytest.raises(plugins.Unavailable, match="Debian package: libspeex1"):
        plugins.load("systems", "speex")
