"""Predicted MOS by SCOREQ without a reference, from an ONNX file that has to be fetched.

Heard: ``mos``, from about 1 to 5 (a regression: it may leave that range). ``domain=natural`` for
recorded speech that was degraded, ``domain=synthetic`` for what a synthesiser made.

Source: Ragano, Skoglund and Hines, "SCOREQ: speech quality assessment with contrastive regression",
NeurIPS 2024, arXiv:2410.06675; the files of package scoreq 1.0.1 (Zenodo record 15739280):
adapt_nr_telephone.onnx (natural) and adapt_nr_synthetic.onnx. Licence: MIT, as their package.

Preparation: 16 kHz, the whole recording at once, filled with zeros to a multiple of 320 samples, as
the package does; level untouched.

Traps: two domains are two networks, whose values cannot be compared. wav2vec 2.0 base inside: slow
on a CPU, memory grows with the square of the duration, and nothing above 8 kHz is heard. The file
is run as it is: that it is SCOREQ's only its digest, in the signature, says. Deterministic.

The package is not imported: it reads files through torchaudio and fetches without asking.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from metrics.observers._base import Observation
from metrics.observers._mos import Predictor

_FILES = {"natural": "adapt_nr_telephone.onnx", "synthetic": "adapt_nr_synthetic.onnx"}
_CACHE = Path("~/.cache/scoreq/onnx-models")  # where the package puts them
_MULTIPLE = 320  # samples: one step of wav2vec 2.0


@dataclass(frozen=True)
class Scoreq(Predictor):
    """SCOREQ; `checkpoint` is the ONNX file, in the package's own cache by default."""

    name: ClassVar[str] = "scoreq"
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    hidden: ClassVar[tuple[str, ...]] = ("device", "checkpoint")
    domain: Literal["natural", "synthetic"] = "natural"
    checkpoint: str = ""

    def __post_init__(self) -> None:
        if self.domain not in _FILES:
            msg = f"scoreq: domain is one of {', '.join(_FILES)}, got {self.domain!r}"
            raise ValueError(msg)
        file = _FILES[self.domain]
        path = (Path(self.checkpoint) if self.checkpoint else _CACHE / file).expanduser()
        if not path.is_file():
            msg = (
                f"no weights of scoreq at {path}: fetch {file} of Zenodo record 15739280 and put "
                f"it there, or say checkpoint=FILE"
            )
            raise FileNotFoundError(msg)
        self.keep(path)

    def build(self, device: str) -> Any:
        """Return the session that runs the file."""
        import onnxruntime

        wanted = ["CUDAExecutionProvider"] * device.startswith("cuda") + ["CPUExecutionProvider"]
        here = set(onnxruntime.get_available_providers())
        return onnxruntime.InferenceSession(
            str(self.paths[0]), providers=[p for p in wanted if p in here]
        )

    def predict(self, network: Any, wave: NDArray[np.float32], device: str) -> Observation:
        """Return the answer."""
        filled = np.pad(wave, (0, -wave.size % _MULTIPLE))[None]
        (answer,) = network.run(None, {network.get_inputs()[0].name: filled})
        return {"mos": float(np.asarray(answer).reshape(()))}


load = Scoreq
