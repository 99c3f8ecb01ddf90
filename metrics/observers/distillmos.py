"""Predicted MOS by DistillMOS, a small network taught by a large one; weights in its package.

Heard: ``mos``, overall quality of speech from 1 to 5 (a sigmoid ends it: no more, no less).

Source: Stahl and Gamper, "Distillation and pruning for scalable self-supervised
representation-based speech quality assessment", ICASSP 2025, arXiv:2502.05356; package distillmos
0.9.1, weights distill_mos_v7.pt in it; teacher XLS-R-SQA. Licence of the weights: MIT, as their
package.

Preparation: 16 kHz. Windows of 7.68 s, spread evenly with at most 1 s between their starts, their
mean; a shorter recording is filled with zeros, which are heard. Each window is scaled to a peak of
1: the level does not count, in a window it is set by the loudest sample.

Traps: 16 kHz: what is lost or false above 8 kHz is not heard. A click sets the scale of a window.
Deterministic.

The package's network is rebuilt here from its parts (six convolutions, then the transformer of
xls-r-sqa), to the same answers: importing it would import torchaudio, which fails beside any torch
but its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metrics.observers._base import Observation
from metrics.observers._mos import Predictor, package_folder

_WINDOW = 122880  # samples: 7.68 s
_STEP = 16000  # most samples from one window's start to the next
_FFT, _HOP = 320, 160
_CHANNELS = (64, 64, 128, 256, 256, 256)
_FEATURES = 200  # of the transformer, with 8 heads and 7 layers


@dataclass(frozen=True)
class DistillMos(Predictor):
    """DistillMOS, variant 7."""

    name: ClassVar[str] = "distillmos"
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("xls-r-sqa",)

    def __post_init__(self) -> None:
        folder = package_folder("distillmos", "pip install --no-deps distillmos xls-r-sqa")
        self.keep(folder / "weights" / "distill_mos_v7.pt")

    def build(self, device: str) -> Any:
        """Return convolutions and transformer with the weights of the package."""
        import torch
        from xls_r_sqa.config import FEAT_SEQ_LEN, Config
        from xls_r_sqa.sqa_model import SingleLayerModel

        layers: list[Any] = []
        before, bands = 2, _FFT // 2 + 1
        for i, after in enumerate(_CHANNELS):
            down = (1 if i == 0 else 2, 2 if i == len(_CHANNELS) - 1 else 1)
            layers += [
                torch.nn.Conv2d(before, after, 3, stride=down, padding=(0, 1)),
                torch.nn.LeakyReLU(0.1),
            ]
            before, bands = after, (bands - 3) // down[0] + 1
        config = Config(
            "",
            None,
            feat_seq_len=FEAT_SEQ_LEN,
            dim_transformer=_FEATURES,
            nhead_transformer=8,
            nlayers_transformer=7,
        )
        config.dim_input = before * bands
        convolutions, transformer = torch.nn.Sequential(*layers), SingleLayerModel(config)
        state = torch.load(self.paths[0], map_location="cpu", weights_only=True)["model"]
        for part, module in (("cnn.cnn.", convolutions), ("transformer_pool_attn.", transformer)):
            own = {k.removeprefix(part): v for k, v in state.items() if k.startswith(part)}
            module.load_state_dict(own)
            module.eval().to(device)
        return convolutions, transformer

    def predict(self, network: Any, wave: NDArray[np.float32], device: str) -> Observation:
        """Return the mean over windows."""
        import torch

        convolutions, transformer = network
        heard = torch.from_numpy(windows(wave)).to(device)  # (windows, 122880)
        heard = heard / (heard.abs().amax(dim=1, keepdim=True) + 1e-8)
        half = (_FFT - _HOP) // 2
        padded = torch.nn.functional.pad(heard, (half, half), mode="reflect")
        spectra = torch.stft(
            padded,
            _FFT,
            _HOP,
            window=torch.hann_window(_FFT, device=device),
            center=False,
            return_complex=True,
        )  # (windows, 161, 768)
        size = spectra.abs().clamp(min=1e-12)
        planes = torch.view_as_real(spectra * size**-0.7).permute(0, 3, 1, 2)
        features = convolutions(planes).flatten(1, 2).transpose(1, 2)  # (windows, 384, features)
        return {"mos": 1 + 4 * float(transformer(features).mean())}


def windows(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the windows of a recording, shape ``(windows, 122880)``."""
    over = max(0, wave.size - _WINDOW)
    wave = np.pad(wave, (0, max(0, _WINDOW - wave.size)))
    starts = np.linspace(0, 1, -(-over // _STEP) + 1) * over
    return np.stack([wave[int(s) : int(s) + _WINDOW] for s in starts])


load = DistillMos
