import numpy as np
import pytest


@pytest.fixture
def speech():
    """Something like speech: gliding harmonics under moving formants, syllables, hiss between."""

    def make(rate, seconds, seed=0):
        rng = np.random.default_rng(seed)
        t = np.arange(round(rate * seconds)) / rate
        pitch = 125 + 25 * np.sin(2 * np.pi * 0.7 * t)
        phase = 2 * np.pi * np.cumsum(pitch) / rate
        wav = np.zeros_like(t)
        for k in range(1, int(min(4000, 0.45 * rate) / 150)):
            gain = sum(
                np.exp(-(((k * pitch - f - 150 * np.sin(2 * np.pi * 1.3 * t)) / w) ** 2))
                for f, w in ((500, 150), (1500, 250), (2500, 350))
            )
            wav += (gain + 0.01) * np.sin(k * phase)
        syllables = np.clip(np.sin(2 * np.pi * 3 * t), 0, 1) ** 0.5
        hiss = np.clip(-np.sin(2 * np.pi * 3 * t), 0, 1) ** 4 * rng.standard_normal(t.size)
        wav = wav * syllables / np.abs(wav).max() + 0.05 * hiss
        return (0.5 * wav / np.abs(wav).max()).astype(np.float32)

    return make


@pytest.fixture
def keeps_its_word():
    """What any codec must do with any recording."""

    def check(codec):
        rng = np.random.default_rng(3)
        quiet = [0.1 * rng.standard_normal(n) for n in (1, 799, 8000, 100001)]
        square = np.where(np.arange(8000) // 40 % 2, 1.0, -1.0)
        for signal in [*quiet, np.zeros(800), np.ones(800), -np.ones(800), square]:
            wav = signal.astype(np.float32)
            before = wav.copy()
            codes = codec.encode(wav)
            out = codec.decode(codes)
            assert codes.samples == wav.size
            assert out.shape == wav.shape
            assert out.dtype == np.float32
            assert np.isfinite(out).all()
            assert np.abs(out).max() <= 1
            assert np.array_equal(wav, before), "encode changed its input"
            assert codec.encode(wav).packets == codes.packets, "encode is not deterministic"
            assert np.array_equal(codec.decode(codes), out), "decode is not deterministic"
            out[:] = 7
            assert np.array_equal(wav, before), "decode gave the input itself away"

    return check


@pytest.fixture
def lag():
    """Samples by which the estimate is late, to an eighth, from phases between 300 and 3400 Hz."""

    def measure(estimate, reference, rate):
        n = 2 * reference.size
        cross = np.fft.rfft(estimate, n) * np.fft.rfft(reference, n).conj()
        f = np.fft.rfftfreq(n, 1 / rate)
        cross[(f < 300) | (f > 3400)] = 0
        cross /= np.abs(cross) + 1e-6 * np.abs(cross).max()
        near = np.fft.fftshift(np.fft.irfft(cross, 8 * n))
        return (int(np.argmax(near)) - 4 * n) / 8

    return measure


@pytest.fixture
def spectral_distance():
    """dB between log spectra, 20 ms frames, within 60 dB of the loudest."""

    def measure(estimate, reference, rate):
        size = rate // 50
        a, b = (
            np.abs(np.fft.rfft(x[: x.size // size * size].reshape(-1, size) * np.hanning(size)))
            for x in (estimate.astype(float), reference.astype(float))
        )
        floor = b.max() / 1000
        return np.sqrt(np.mean((20 * np.log10((a + floor) / (b + floor))) ** 2))

    return measure
