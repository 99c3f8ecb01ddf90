from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV decodes AMR-WB: pip install 'speech-bench[baselines]'")

from bench import plugins
from systems import amr_wb
from systems.amr_wb import BITS, AmrWb

if amr_wb.find_library("vo-amrwbenc") is None:
    pytest.skip("needs libvo-amrwbenc: apt-get install libvo-amrwbenc0", allow_module_level=True)


@pytest.mark.parametrize("kbps", BITS)
def test_bits_are_the_standards(kbps):
    # a frame is 20 ms; one second and the delay of 95 samples take 51 frames
    codes = AmrWb(kbps).encode(np.zeros(16000, np.float32))
    assert BITS[kbps] == pytest.approx(20 * kbps)
    assert len(codes.packets) == 51
    assert codes.bits == 8 * -(-51 * BITS[kbps] // 8)


@pytest.mark.parametrize("kbps", BITS)
def test_output_is_aligned(kbps, speech, lag):
    wav = speech(16000, 2)
    system = AmrWb(kbps)
    assert abs(lag(system.decode(system.encode(wav)), wav, 16000)) <= 1


@pytest.mark.parametrize("kbps", [6.6, 12.65, 23.85])
def test_keeps_its_word(kbps, keeps_its_word):
    keeps_its_word(AmrWb(kbps))


def test_quality_rises_with_rate(speech, spectral_distance):
    wav = speech(16000, 2)
    far = [
        spectral_distance(s.decode(s.encode(wav)), wav, 16000)
        for s in map(AmrWb, (6.6, 12.65, 23.05))
    ]
    assert far == sorted(far, reverse=True)


def test_another_decoder_agrees(speech):
    """FFmpeg's own decoder, written apart from OpenCORE's, on the same frames."""
    import av

    wav = speech(16000, 2)
    system = AmrWb(12.65)
    codes = system.encode(wav)
    bits = np.unpackbits(np.frombuffer(b"".join(codes.packets), np.uint8))[: 101 * 253]
    decoder = av.CodecContext.create("amrwb", "r")
    header = bytes([2 << 3 | 4])  # mode 2, a good frame
    frames = [header + np.packbits(f).tobytes() for f in bits.reshape(-1, 253)]
    pcm = [f.to_ndarray()[0] for p in frames for f in decoder.decode(av.Packet(p))]
    other, ours = np.concatenate(pcm)[95 : 95 + wav.size], system.decode(codes)
    error = ours[: other.size] - other
    assert 10 * np.log10(np.square(ours).sum() / np.square(error).sum()) > 20


def test_card_and_refusal():
    card = AmrWb(6.6).card
    assert replace(plugins.load("systems", card.name).card, code="") == card
    with pytest.raises(ValueError, match=r"kbps=7 is none of 6\.6, 8\.85"):
        AmrWb(7)


def test_a_missing_library_is_one_line(monkeypatch):
    monkeypatch.setattr(amr_wb, "find_library", lambda name: None)
    with pytest.raises(plugins.Unavailable, match="Debian package: libvo-amrwbenc0"):
        plugins.load("systems", "amr_wb")
