"""Mimi, the codec of Moshi, by transformers: 12.5 frames a second, 0.14 kbps a codebook.

Paper: Defossez et al., "Moshi: a speech-text foundation model for real-time dialogue",
arXiv 2410.00037 (2024), section 3.3; wrapped, not rewritten: ``MimiModel`` of transformers.

Licence: the weights ``kyutai/mimi`` are under CC BY 4.0 by their card; transformers Apache-2.0.
Traps:
    Moshi uses 8 codebooks, 1.1 kbps, the default; the checkpoint has 32.
    The first codebook was taught words (distilled from WavLM), the others sound.
    Causal, in frames of 80 ms, which is the latency on the card. Its transformers look back 250
    frames at most. Trained without waveform losses: SI-SDR says little about it.
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
    tensor_of,
    transformers_model,
)

FILES = ("config.json", "model.safetensors")
PUBLISHED = "kyutai/mimi"


class Mimi:
    """Mimi with the published checkpoint, or another of its format.

    Args:
        codebooks: 1 to 32, each 11 bits a frame.
        weights: a folder with `FILES`, or owner/name on the Hugging Face hub.
        device: of torch.

    Raises:
        ValueError: more codebooks than the model has.
        FileNotFoundError: the weights are not there.
        ImportError: transformers is not installed.
    """

    def __init__(self, codebooks: int = 8, weights: str = PUBLISHED, device: str = "cpu") -> None:
        import transformers

        folder = folder_of(weights, FILES)
        self.net, self.device = transformers_model("MimiModel", folder, device), device
        c = self.net.config
        if not c.num_semantic_quantizers <= codebooks <= c.num_quantizers:
            msg = f"codebooks={codebooks} is outside 1 to {c.num_quantizers}"
            raise ValueError(msg)
        self.layers = codebooks
        per_layer = log2(c.codebook_size) * c.frame_rate / 1000
        self.card = Card(
            name=f"mimi:codebooks={codebooks},weights={weights}",
            task="codec",
            sample_rate=c.sampling_rate,
            paper="2410.00037",
            weights=digest_of(folder, FILES),
            scale="paper" if weights == PUBLISHED else "unknown",
            licence="CC BY 4.0 (kyutai/mimi)",
            bitrates=tuple(per_layer * (n + 1) for n in range(c.num_quantizers)),
            frame_rate=float(c.frame_rate),
            latency_seconds=1 / c.frame_rate,
            versions=(f"transformers=={transformers.__version__}", f"torch=={version('torch')}"),
        )

    @torch.inference_mode()
    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples as one stream a codebook."""
        x = tensor_of(wav, self.device)
        found = self.net.encode(x, num_quantizers=self.layers).audio_codes
        return codes_of(list(found[0]), self.net.config.codebook_size, wav.size)

    @torch.inference_mode()
    def decode(self, codes: Codes) -> Audio:
        """Return ``(codes.samples,)``."""
        layers = torch.stack(layers_from(codes, self.device))[None]
        return audio_of(self.net.decode(layers).audio_values, codes.samples)


load = Mimi
