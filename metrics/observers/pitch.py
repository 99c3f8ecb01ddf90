"""Fundamental frequency and level over time, every 5 ms.

Heard: ``f0`` (Hz, 0 where unvoiced, shape (frames,)), ``energy`` (dB, 0 for a square wave at full
scale, not under -80, shape (frames,)) and ``hop_seconds`` (0.005). Frame k lies at k *
hop_seconds. The energy is the mean square under a 25 ms Hann window, with zeros beyond both ends.

Source: Morise, Yokomori and Ozawa, "WORLD", IEICE Trans. Inf. & Syst. E99-D(7), 2016: the DIO
tracker, refined by StoneMask; package pyworld. On 51 recordings (20 of RAVDESS, 20 of LibriSpeech
test-other, 11 of VCTK; 228 s), of the frames that it and Praat's autocorrelation (parselmouth
0.4.7) both call voiced 2.6 % differ by more than 20 %, the others by 8 cents in the median; the two
disagree on the voicing of 13 % of all frames. WORLD's other tracker, Harvest, is 23 times slower
and further off in each: 3.6 %, 8 cents, 20 % (``benchmarks/pitch_trackers.py``).

Weights: none. Licence of pyworld: MIT.

Traps: creaky voice is often heard an octave off or as unvoiced, and noise as voiced. A level is not
a loudness, and it moves with the gain of the recording. pyworld's own front imports pkg_resources,
which setuptools 82 took away: the compiled module behind it is loaded instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from metrics.observers._base import Clip, Kind, Observation, Observer

HOP = 80  # samples of 16 kHz: 5 ms
WINDOW = 400  # 25 ms
FLOOR = -80.0  # dB


@dataclass(frozen=True)
class Pitch(Observer):
    """DIO and StoneMask on recordings at 16 kHz; F0 is looked for between two frequencies."""

    name: ClassVar[str] = "pitch"
    kind: ClassVar[Kind] = "prosody"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("pyworld",)
    extra: ClassVar[str] = "prosody"
    floor: float = 60.0  # Hz
    ceiling: float = 700.0  # Hz

    def __post_init__(self) -> None:
        if not 0 < self.floor < self.ceiling <= self.sample_rate / 4:
            msg = (
                f"pitch: floor and ceiling must be rising, in Hz, up to {self.sample_rate // 4}, "
                f"got {self.floor:g} and {self.ceiling:g}"
            )
            raise ValueError(msg)

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return what is heard in each recording, by itself."""
        world = _world()
        heard: list[Observation] = []
        for clip in batch:
            wave = np.ascontiguousarray(clip.audio, dtype=np.float64)
            rough, times = world.dio(
                wave,
                self.sample_rate,
                f0_floor=self.floor,
                f0_ceil=self.ceiling,
                frame_period=1000 * HOP / self.sample_rate,
            )
            f0 = world.stonemask(wave, rough, times, self.sample_rate)
            heard.append(
                {
                    "f0": f0.astype(np.float32),
                    "energy": energy(wave, f0.size).astype(np.float32),
                    "hop_seconds": HOP / self.sample_rate,
                }
            )
        return heard


def energy(wave: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Return the level around every `HOP`-th sample in dB, shape ``(frames,)``."""
    window = np.hanning(WINDOW + 1)
    padded = np.zeros((frames - 1) * HOP + WINDOW + 1)
    power = wave[: padded.size - WINDOW // 2] ** 2
    padded[WINDOW // 2 : WINDOW // 2 + power.size] = power
    around = np.lib.stride_tricks.sliding_window_view(padded, WINDOW + 1)[::HOP]
    level = around @ window / window.sum()
    return 10 * np.log10(np.maximum(level, 10 ** (FLOOR / 10)))


@cache  # a compiled module can be started once in a process
def _world() -> ModuleType:
    """Return pyworld's compiled module without running the package around it."""
    home = find_spec("pyworld")
    places = home.submodule_search_locations if home else None
    spec = PathFinder.find_spec("pyworld.pyworld", places) if places else None
    if spec is None or spec.loader is None:
        msg = "No module named 'pyworld'"
        raise ModuleNotFoundError(msg, name="pyworld")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


load = Pitch
