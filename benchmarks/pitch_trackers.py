"""Trackers of F0 against Praat's autocorrelation: why `pitch` is DIO and StoneMask.

python benchmarks/pitch_trackers.py COUNT SPEC...   (needs praat-parselmouth beside pyworld)

Prints, for each tracker, how many frames it calls voiced where Praat does not or the other way
round, how many of those voiced in both differ by more than 20 %, the median distance of the others
in cents, and the time as a multiple of DIO's.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import parselmouth

from bench import audio, plugins
from metrics.observers import pitch

RATE, STEP, LOW, HIGH = 16000, 0.005, 60.0, 700.0


def spread(spec: str, count: int) -> list[np.ndarray]:
    """Return `count` recordings of a data set, evenly over it, at 16 kHz."""
    every = plugins.load("datasets", spec).utterances
    places = np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int)
    return [audio.resample(*audio.read(every[i].audio), RATE) for i in places]


def praat(wave: np.ndarray, frames: int) -> np.ndarray:
    """Return Praat's F0 at the frames' times, 0 where unvoiced."""
    found = parselmouth.Sound(wave, RATE).to_pitch_ac(STEP, LOW, pitch_ceiling=HIGH)
    return np.nan_to_num([found.get_value_at_time(k * STEP) for k in range(frames)])


def main() -> None:
    """Compare the trackers over all recordings."""
    count, world = int(sys.argv[1]), pitch._world()
    waves = [wave for spec in sys.argv[2:] for wave in spread(spec, count)]
    trackers = {"dio": world.dio, "harvest": world.harvest}
    spent, frames = dict.fromkeys(trackers, 0.0), {name: [] for name in trackers}
    for wave in waves:
        for name, track in trackers.items():
            start = time.perf_counter()
            rough, times = track(wave, RATE, f0_floor=LOW, f0_ceil=HIGH, frame_period=1000 * STEP)
            f0 = world.stonemask(wave, rough, times, RATE)
            spent[name] += time.perf_counter() - start
            frames[name].append((f0, praat(wave, f0.size)))
    seconds = sum(wave.size for wave in waves) / RATE
    print(f"{len(waves)} recordings, {seconds:.0f} s")
    for name, pairs in frames.items():
        ours, theirs = (np.concatenate([p[k] for p in pairs]) for k in (0, 1))
        both = (ours > 0) & (theirs > 0)
        off = np.abs(ours[both] / theirs[both] - 1) > 0.2
        cents = 1200 * np.abs(np.log2(ours[both] / theirs[both]))[~off]
        voicing = np.mean((ours > 0) != (theirs > 0))
        print(
            f"{name:8} voicing {100 * voicing:5.1f} %   off by 20 % {100 * off.mean():4.1f} %   "
            f"median {np.median(cents):4.1f} cents   time {spent[name] / spent['dio']:5.1f}"
        )


if __name__ == "__main__":
    main()
