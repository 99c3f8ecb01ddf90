"""Predicted STOI, PESQ and SI-SDR by SQUIM, without a reference, from weights to be fetched.

Heard: ``stoi`` (0 to 1), ``pesq`` (PESQ-WB, about 1 to 4.6) and ``si_sdr`` (dB): what those metrics
would say if there were a reference. None of them is an opinion, nor the metric itself.

Source: Kumar et al., "TorchAudio-Squim: reference-less speech quality and intelligibility measures
in TorchAudio", ICASSP 2023, arXiv:2304.01448; ``squim_objective_base`` of torchaudio. Weights:
squim_objective_dns2020.pth, models/ of torchaudio's assets, found in the folder where torchaudio
itself keeps it. Licence: torchaudio names CC BY 4.0 for them.

Preparation: 16 kHz, the whole recording at once; the network scales to a level of its own, so that
level does not count.

Traps: taught on the DNS challenge 2020, noise and reverberation: a vocoder's phase, which SI-SDR
punishes, it cannot see. Nothing above 8 kHz is heard. The network that predicts MOS from a second
recording (SQUIM_SUBJECTIVE) is not offered: what it answers depends on which recording is chosen.
Deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metrics.observers._base import Observation
from metrics.observers._mos import Predictor

_FILE = "squim_objective_dns2020.pth"
_ANSWERS = ("stoi", "pesq", "si_sdr")


@dataclass(frozen=True)
class Squim(Predictor):
    """SQUIM's objective network; `checkpoint` is its state, in torchaudio's cache by default."""

    name: ClassVar[str] = "squim"
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("torchaudio",)
    hidden: ClassVar[tuple[str, ...]] = ("device", "checkpoint")
    checkpoint: str = ""

    def __post_init__(self) -> None:
        path = Path(self.checkpoint).expanduser() if self.checkpoint else _cached()
        if not path.is_file():
            msg = (
                f"no weights of squim at {path}: fetch {_FILE} (torchaudio's assets, "
                "SQUIM_OBJECTIVE) and put it there, or say checkpoint=FILE"
            )
            raise FileNotFoundError(msg)
        self.keep(path)

    def build(self, device: str) -> Any:
        """Return torchaudio's network.

        Raises:
            RuntimeError: the file lacks weights of the network, or has others.
        """
        import torch
        from torchaudio.models import squim_objective_base

        network = squim_objective_base()
        network.load_state_dict(torch.load(self.paths[0], map_location="cpu", weights_only=True))
        return network.eval().to(device)

    def predict(self, network: Any, wave: NDArray[np.float32], device: str) -> Observation:
        """Return the three answers."""
        import torch

        answers = network(torch.from_numpy(wave)[None].to(device))
        return {name: float(a) for name, a in zip(_ANSWERS, answers, strict=True)}


def _cached() -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "torchaudio" / "models" / _FILE


load = Squim
