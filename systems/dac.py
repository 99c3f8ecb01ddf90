"""Descript Audio Codec, by transformers: residual vector quantisation at 16, 24 or 44.1 kHz.

Paper: Kumar, Seetharaman, Luebs, Kumar and Kumar, "High-Fidelity Audio Compression with Improved
RVQGAN", arXiv 2306.06546 (2023); wrapped, not rewritten: ``DacModel`` of transformers.

Licence: the weights are under MIT by Descript's repository; transformers Apache-2.0.
Traps:
    Not causal: a recording is coded whole, and no latency is claimed.
    Bits are the codes', log2 of the alphabet for each codebook and frame, without entropy coding.
    Fewer codebooks than it was trained with cost quality smoothly (quantiser dropout).
    The network gives a few samples less than whole hops where a stride is odd; zeros fill them.
"""

from __future__ import annotations

from importlib.metadata import version
from math import log2

import torch

from systems._base import Audio, Card, Codes
from systems._pretrained import (
    audio_of,
    codes_of,
    digest_of,
    folder_of,
    layers_from,
    layers_of,
    tensor_of,
    transformers_model,
)

FILES = ("config.json", "model.safetensors")
PUBLISHED = "descript/dac_16khz"


class Dac:
    """DAC with a published checkpoint, or another of its format.

    Args:
        kbps: a multiple of what one codebook takes: 0.5 for the 16 kHz model, 0.75 at 24 kHz,
            about 0.861 at 44.1 kHz.
        weights: a folder with `FILES`, or owner/name on the Hugging Face hub.
        device: of torch.

    Raises:
        ValueError: a bitrate that the model does not have.
        FileNotFoundError: the weights are not there.
        ImportError: transformers is not installed.
    """

    def __init__(self, kbps: float = 6, weights: str = PUBLISHED, device: str = "cpu") -> None:
        import transformers

        folder = folder_of(weights, FILES)
        self.net, self.device = transformers_model("DacModel", folder, device), device
        c = self.net.config
        rate = c.sampling_rate / c.hop_length
        per_layer = log2(c.codebook_size) * rate / 1000
        self.layers = layers_of(kbps, per_layer, c.n_codebooks)
        self.card = Card(
            name=f"dac:kbps={kbps:g},weights={weights}",
            task="codec",
            sample_rate=c.sampling_rate,
            paper="2306.06546",
            weights=digest_of(folder, FILES),
            scale="paper" if weights == PUBLISHED else "unknown",
            licence="MIT (descript/dac_*)",
            bitrates=tuple(per_layer * (n + 1) for n in range(c.n_codebooks)),
            frame_rate=rate,
            versions=(f"transformers=={transformers.__version__}", f"torch=={version('torch')}"),
        )

    @torch.inference_mode()
    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples, filled to whole hops, as one stream a codebook."""
        x = tensor_of(wav, self.device, self.net.config.hop_length)
        found = self.net.encode(x, n_quantizers=self.layers).audio_codes
        return codes_of(list(found[0]), self.net.config.codebook_size, wav.size)

    @torch.inference_mode()
    def decode(self, codes: Codes) -> Audio:
        """Return ``(codes.samples,)``."""
        layers = torch.stack(layers_from(codes, self.device))[None]
        return audio_of(self.net.decode(audio_codes=layers).audio_values, codes.samples)


load = Dac
