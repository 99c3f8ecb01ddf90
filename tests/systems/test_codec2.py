import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pycodec2 = pytest.importorskip(
    "pycodec2", reason="it brings libcodec2: pip install 'speech-bench[baselines]'"
)

from bench import plugins  # noqa: E402
from systems.codec2 import LEAD, MODES, Codec2  # noqa: E402

# Codec 2's own table: bits per frame and frame length in ms
FRAMES = {
    "3200": (64, 20),
    "2400": (48, 20),
    "1600": (64, 40),
    "1400": (56, 40),
    "1300": (52, 40),
    "1200": (48, 40),
    "700C": (28, 40),
}

ELSEWHERE = """
import sys
import numpy as np
import pycodec2
pcm = np.frombuffer(sys.stdin.buffer.read(), np.int16)
coder = pycodec2.Codec2({mode})
size = coder.samples_per_frame()
sent = [coder.encode(pcm[i : i + size]) for i in range(0, pcm.size, size)]
sys.stdout.buffer.write(b"".join(coder.decode(p).tobytes() for p in sent))
"""


@pytest.mark.parametrize("mode", MODES)
def test_frames(mode):
    system = Codec2(mode)
    bits, ms = FRAMES[mode]
    assert (system.frame_bits, system.frame) == (bits, 8 * ms)
    assert system.card.bitrates == (bits / ms,)
    assert system.card.frame_rate == 1000 / ms


def test_bits_by_hand():
    # mode 1300: (8000 + 160) samples need ceil(8160 / 320) = 26 frames of 52 bits = 1352 bits =
    # 169 bytes; frame 0 completes 6 bytes and half of the 7th, frame 1 the 7th to the 13th.
    codes = Codec2(1300).encode(np.zeros(8000, np.float32))
    assert [len(p) for p in codes.packets] == [6, 7] * 13
    assert codes.bits == 1352


@pytest.mark.parametrize("mode", MODES)
def test_rate_is_the_one_of_the_mode(mode):
    bits = Codec2(mode).encode(np.random.default_rng(0).uniform(-0.1, 0.1, 80000)).bits
    assert bits / 10 == pytest.approx(int(mode.rstrip("C")), rel=0.02)


@pytest.mark.parametrize("mode", ["3200", "1300", "700C"])
def test_equals_the_package_in_a_process_of_its_own(mode, speech):
    system = Codec2(mode)
    wav = speech(8000, 1.2)
    pcm = np.zeros(-(-(wav.size + LEAD[mode]) // system.frame) * system.frame, np.int16)
    pcm[: wav.size] = np.round(wav * 32768)
    script = ELSEWHERE.format(mode=MODES[mode][0])
    command = [sys.executable, "-W", "ignore", "-c", script]
    run = subprocess.run(command, input=pcm.tobytes(), capture_output=True, check=True)  # noqa: S603
    expected = np.frombuffer(run.stdout, np.int16)[LEAD[mode] :][: wav.size] / 32768
    assert np.array_equal(system.decode(system.encode(wav)), expected.astype(np.float32))


def test_the_same_codes_sound_the_same_whatever_ran_before(speech):
    system, wav = Codec2(1200), speech(8000, 1)
    codes = system.encode(wav)
    first = system.decode(codes)
    other = pycodec2.Codec2(1200)
    packets = [bytes(6 * [k]) for k in range(20)]
    noise = [[other.decode(p) for p in packets] for _ in range(2)]
    assert not np.array_equal(*noise), "the library's generator no longer runs on: simplify decode"
    assert np.array_equal(system.decode(codes), first)


@pytest.mark.parametrize("mode", [3200, 1300, "700C"])
def test_keeps_its_word(mode, keeps_its_word):
    keeps_its_word(Codec2(mode))


@pytest.mark.parametrize("mode", MODES)
def test_envelopes_are_aligned(mode, speech):
    system, wav = Codec2(mode), speech(8000, 6)
    out = system.decode(system.encode(wav))
    power = [np.convolve(x.astype(float) ** 2, np.ones(160) / 160, "same") for x in (out, wav)]
    a, b = (np.sqrt(p) - np.sqrt(p).mean() for p in power)
    together = np.fft.irfft(np.fft.rfft(a, 2 * a.size) * np.fft.rfft(b, 2 * b.size).conj())
    best = int(np.argmax(np.roll(together, 400)[:801])) - 400
    assert abs(best) <= 48, f"{best / 8} ms"  # energies are coded every 10 to 40 ms


def test_more_bits_sound_closer(speech, spectral_distance):
    wav = speech(8000, 6)
    far = [spectral_distance(s.decode(s.encode(wav)), wav, 8000) for s in map(Codec2, (700, 3200))]
    assert far[1] < far[0]


def test_card():
    assert Codec2("700c").card.name == Codec2(700).card.name == "codec2:mode=700C"
    card = Codec2(2400).card
    assert replace(plugins.load("systems", card.name).card, code="") == card
    assert card.latency_seconds == 0.04
    assert card.versions[0].startswith("pycodec2==")


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode=450 is none of 3200"):
        Codec2(450)


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycodec2", None)
    with pytest.raises(plugins.Unavailable, match=r"pip install 'speech-bench\[baselines\]'"):
        plugins.load("systems", "codec2")
