"""Predicted MOS by UTMOS (the strong learner of UTMOS22), from weights that have to be fetched.

Heard: ``mos``, naturalness of synthetic speech from about 1 to 5 (a regression, in the scale of
``2 x + 3``: it may leave that range).

Source: Saeki et al., "UTMOS: UTokyo-SaruLab system for VoiceMOS Challenge 2022", Interspeech 2022,
arXiv:2204.02152; package utmos-pytorch 0.1, which runs wav2vec 2.0 base, listener and data-set
embedding and LSTM without fairseq. As usual for it: listener 288, data set 0, mean over frames.
Weights: utmos_state_dict.pt of Blinorot/UTMOS-PyTorch on the Hugging Face hub, from the authors'
checkpoint; licence MIT, as their code.

Preparation: 16 kHz, the whole recording at once, level untouched.

Traps: taught on synthesis and voice conversion of challenges up to 2020: what is beyond the voices
of that time is ranked with little to go by. Each frame counts, those of silence at the ends too.
Nothing above 8 kHz is heard. Memory grows with the square of the duration.
Deterministic. The package itself accepts a file that has nothing to do with the network and then
predicts from random numbers; here a missing weight is refused.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metrics.observers._base import Observation
from metrics.observers._mos import Predictor
from metrics.observers._weights import folder_of

_FILE = "utmos_state_dict.pt"


@dataclass(frozen=True)
class Utmos(Predictor):
    """UTMOS's strong learner; `model` is a folder with its state, or a repository of the hub."""

    name: ClassVar[str] = "utmos"
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("utmos-pytorch",)
    model: str = "Blinorot/UTMOS-PyTorch"

    def __post_init__(self) -> None:
        self.keep(folder_of(self.model, [[_FILE]]) / _FILE)

    def build(self, device: str) -> Any:
        """Return the package's scorer.

        Raises:
            ValueError: the file lacks weights of the network.
        """
        import torch
        from utmos_pytorch import utmos_torch

        with warnings.catch_warnings():  # of its weight norm
            warnings.simplefilter("ignore", FutureWarning)
            with torch.device("meta"):
                wanted = utmos_torch.UTMOSModel().state_dict()
            stored = torch.load(self.paths[0], map_location="cpu", weights_only=True, mmap=True)
            if missing := sorted(set(wanted) - set(stored)):
                msg = f"{self.paths[0]} lacks {len(missing)} weights of UTMOS, e.g. {missing[0]}"
                raise ValueError(msg)
            return utmos_torch.UTMOSScoreTorch(str(self.paths[0]), device=device)

    def predict(self, network: Any, wave: NDArray[np.float32], device: str) -> Observation:
        """Return the mean over frames."""
        import torch

        return {"mos": float(network.score(torch.from_numpy(wave).to(device)))}


load = Utmos
