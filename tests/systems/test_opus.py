import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV brings libopus: pip install 'speech-bench[baselines]'")

from bench import plugins
from systems.opus import Opus, header, lead_samples


def test_header_by_hand():
    # magic, version 1, one channel, nothing to skip, 24000 = 0x5DC0, gain 0, mapping 0
    assert header(24000) == b"OpusHead\x01\x01\x00\x00\xc0\x5d\x00\x00\x00\x00\x00"


def test_lead_by_hand():
    # bytes 10 and 11 are 0x38 0x01 = 312 samples at 48 kHz = 6.5 ms, which is 104 at 16 kHz
    found = b"OpusHead\x01\x01\x38\x01" + bytes(7)
    assert lead_samples(found, 48000) == 312
    assert lead_samples(found, 16000) == 104
    assert Opus(sample_rate=16000).lead == 104


# RFC 6716, table 2: the first five bits of a packet are its configuration. 1: SILK, narrow band,
# 20 ms; 9: SILK, wide band, 20 ms; 27: CELT, super-wide band, 20 ms; 3: SILK, narrow band, 60 ms.
@pytest.mark.parametrize(
    ("kbps", "ms", "config"), [(6, 20, 1), (12, 20, 9), (96, 20, 27), (6, 60, 3)]
)
def test_packets_are_opus(kbps, ms, config, speech):
    codes = Opus(kbps=kbps, frame_ms=ms).encode(speech(24000, 1))
    assert {p[0] >> 3 for p in codes.packets[2:]} == {config}


def test_bits_by_hand():
    # (24000 + 156) samples need ceil(24156 / 480) = 51 packets, each of 6000 * 0.02 / 8 = 15 bytes
    codes = Opus(kbps=6).encode(np.zeros(24000, np.float32))
    assert [len(p) for p in codes.packets] == [15] * 51
    assert codes.bits == 51 * 15 * 8


@pytest.mark.parametrize("kbps", [6, 8, 12, 16, 24, 64])
def test_rate_is_the_one_asked_for(kbps):
    wav = np.random.default_rng(0).uniform(-0.1, 0.1, 240000).astype(np.float32)
    assert Opus(kbps=kbps).encode(wav).bits / 10 == pytest.approx(1000 * kbps, rel=0.02)


def test_half_a_byte_per_packet_is_rounded():
    assert {len(p) for p in Opus(kbps=9).encode(np.zeros(24000, np.float32)).packets} == {23}


def test_variable_rate_saves_in_pauses(speech):
    wav = speech(24000, 4)
    wav[wav.size // 2 :] = 0
    constant, free = (Opus(kbps=16, vbr=v).encode(wav) for v in (False, True))
    assert free.bits < 0.8 * constant.bits
    assert len({len(p) for p in free.packets}) > 5


@pytest.mark.parametrize("rate", [8000, 12000, 16000, 24000, 48000])
def test_output_is_aligned(rate, speech, lag):
    wav = speech(rate, 2)
    for kbps, late in ((6, 0.1), (24, 0.1), (96, 0.01)):  # ms; the transform mode is exact
        system = Opus(kbps=kbps, sample_rate=rate)
        found = lag(system.decode(system.encode(wav)), wav, rate)
        assert abs(found) <= max(0.125, late * rate / 1000), (kbps, found)


def test_an_impulse_comes_back_where_it_was():
    wav = np.zeros(24000, np.float32)
    wav[12345] = 0.9
    system = Opus(kbps=128)
    assert np.argmax(np.abs(system.decode(system.encode(wav)))) == 12345


@pytest.mark.parametrize(
    "given", [{}, {"kbps": 24, "sample_rate": 48000}, {"vbr": True, "frame_ms": 60, "kbps": 13.2}]
)
def test_keeps_its_word(given, keeps_its_word):
    keeps_its_word(Opus(**given))


def test_quality_rises_with_rate(speech, spectral_distance):
    wav = speech(24000, 2)
    far = [
        spectral_distance(s.decode(s.encode(wav)), wav, 24000) for s in map(Opus, (6, 12, 24, 96))
    ]
    assert far == sorted(far, reverse=True)
    assert far[-1] < 0.5 * far[0]


def test_silence_stays_silent():
    system = Opus()
    assert np.abs(system.decode(system.encode(np.zeros(24000, np.float32)))).max() < 1e-3


def test_card():
    card = Opus(kbps=9.5, vbr=True, frame_ms=40, sample_rate=48000).card
    assert card.name == "opus:kbps=9.5,vbr=true,frame_ms=40,sample_rate=48000"
    assert replace(plugins.load("systems", card.name).card, code="") == card
    assert card.latency_seconds == pytest.approx(0.0465)
    assert card.frame_rate == 25
    assert any(v.startswith("libavcodec==") for v in card.versions)


@pytest.mark.parametrize(
    ("given", "what"),
    [({"kbps": 5}, "kbps=5"), ({"frame_ms": 30}, "frame_ms=30"), ({"sample_rate": 44100}, "44100")],
)
def test_parameters_outside_the_range_are_refused(given, what):
    with pytest.raises(ValueError, match=what):
        Opus(**given)


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(plugins.Unavailable, match=r"pip install 'speech-bench\[baselines\]'"):
        plugins.load("systems", "opus")
