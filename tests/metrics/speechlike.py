"""A signal with the shape of speech, made from formulas, the same on every machine."""

import numpy as np


def speechlike(seconds, rate, seed):
    """Return gliding harmonics under formants and syllables, pauses between, faint noise."""
    random = np.random.RandomState(seed)
    t = np.arange(round(seconds * rate)) / rate
    base = 110 + 25 * seed % 90
    f0 = base * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * t) + 0.03 * np.sin(2 * np.pi * 4.3 * t))
    phase = 2 * np.pi * np.cumsum(f0) / rate
    wave = np.zeros_like(t)
    for k in range(1, 40):
        pitch = k * f0
        gain = sum(
            level / (1 + ((pitch - centre * (1 + 0.2 * np.sin(2 * np.pi * speed * t))) / 120) ** 2)
            for centre, level, speed in ((500, 1.0, 1.9), (1500, 0.5, 2.7), (2600, 0.25, 3.1))
        )
        wave += np.where(pitch < 0.45 * rate, gain, 0) * np.sin(k * phase)
    syllables = np.clip(np.sin(2 * np.pi * 1.7 * t + 0.4), 0, None) * (
        np.sin(2 * np.pi * t / 2) > -0.8
    )
    return 0.1 * wave * syllables + 1e-3 * random.standard_normal(t.size)


def pair(seconds, rate, seed, noise=0.02):
    """Return an estimate and its reference, shape (T,) each."""
    reference = speechlike(seconds, rate, seed)
    random = np.random.RandomState(seed + 1000)
    muffled = np.convolve(reference, [0.25, 0.5, 0.25], mode="same")
    return muffled + noise * random.standard_normal(reference.size), reference
