from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV brings LAME: pip install 'speech-bench[baselines]'")

from bench import plugins
from systems.mp3 import KBPS, RATES, Mp3

# ISO/IEC 13818-3: bits 16 to 19 are the rate's place in the table, 20 and 21 the sampling rate's
PLACE = {22050: 0, 24000: 1, 16000: 2}


@pytest.mark.parametrize("rate", RATES)
def test_frames_are_mpeg_2_layer_iii(rate):
    packets = Mp3(kbps=32, sample_rate=rate).encode(np.zeros(rate, np.float32)).packets
    for p in packets:
        assert p[0] == 0xFF
        assert p[1] & 0xFE == 0xF2  # sync, MPEG-2, layer III
        assert KBPS[(p[2] >> 4) - 1] == 32
        assert p[2] >> 2 & 3 == PLACE[rate]
        assert p[3] >> 6 == 3  # mono


def test_bits_by_hand():
    # a frame is 576 samples, 36 ms at 16 kHz: 24 kbps are 108 bytes; (16000 + 1105) / 576 = 29.7
    codes = Mp3(kbps=24).encode(np.zeros(16000, np.float32))
    assert [len(p) for p in codes.packets] == [108] * 30
    assert codes.bits == 30 * 108 * 8


@pytest.mark.parametrize("rate", RATES)
def test_an_impulse_comes_back_where_it_was(rate):
    wav = np.zeros(30000, np.float32)
    wav[12345] = 0.9
    system = Mp3(kbps=64, sample_rate=rate)
    assert np.argmax(np.abs(system.decode(system.encode(wav)))) == 12345


@pytest.mark.parametrize("kbps", [8, 24, 160])
def test_keeps_its_word(kbps, keeps_its_word):
    keeps_its_word(Mp3(kbps=kbps))


def test_the_end_is_there(speech):
    wav = speech(16000, 1.0)
    system = Mp3(kbps=160)
    error = system.decode(system.encode(wav)) - wav
    assert np.square(error[-800:]).mean() < 4 * np.square(error).mean() + 1e-9


def test_quality_rises_with_rate(speech, spectral_distance):
    wav = speech(16000, 2)
    far = [
        spectral_distance(s.decode(s.encode(wav)), wav, 16000) for s in map(Mp3, (8, 16, 32, 64))
    ]
    assert far == sorted(far, reverse=True)


def test_card():
    card = Mp3(kbps=32, sample_rate=24000).card
    assert card.name == "mp3:kbps=32,sample_rate=24000"
    assert replace(plugins.load("systems", card.name).card, code="") == card


@pytest.mark.parametrize(
    ("given", "what"), [({"kbps": 20}, "kbps=20"), ({"sample_rate": 8000}, "8000")]
)
def test_parameters_outside_the_range_are_refused(given, what):
    with pytest.raises(ValueError, match=what):
        Mp3(**given)
