"""EnCodec at 24 kHz, by transformers: residual vector quantisation, 1.5 to 24 kbps.

Paper: Defossez, Copet, Synnaeve and Adi, "High Fidelity Neural Audio Compression",
arXiv 2210.13438 (2022); wrapped, not rewritten: ``EncodecModel`` of transformers.

Licence: MIT (the weights ``facebook/encodec_24khz``, by their card), Apache-2.0 (transformers).
Traps:
    Trained on speech, noise and music: at 24 kHz it is a general codec, not a speech codec.
    Bits are the codes', 10 a codebook and frame, without the entropy coding that the paper's
    language model adds (about a quarter less).
    The model is causal. The latency on the card is one hop; `bench card` measures what it needs.
    The 48 kHz model is stereo, in chunks with a loudness each, and is refused.
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
PUBLISHED = "facebook/encodec_24khz"


class Encodec:
    """EnCodec with a published checkpoint, or another of its format.

    Args:
        kbps: 1.5, 3, 6, 12 or 24 for the published model.
        weights: a folder with `FILES`, or owner/name on the Hugging Face hub.
        device: of torch.

    Raises:
        ValueError: a bitrate that the model does not have, or a model for more than one channel.
        FileNotFoundError: the weights are not there.
        ImportError: transformers is not installed.
    """

    def __init__(self, kbps: float = 6, weights: str = PUBLISHED, device: str = "cpu") -> None:
        import transformers

        folder = folder_of(weights, FILES)
        self.net = transformers_model("EncodecModel", folder, device)
        c = self.net.config
        if c.audio_channels != 1 or c.normalize or c.chunk_length_s is not None:
            msg = f"{weights} codes {c.audio_channels} channels in chunks; want the mono model"
            raise ValueError(msg)
        if kbps not in c.target_bandwidths:
            msg = f"kbps={kbps:g} is none of {', '.join(f'{b:g}' for b in c.target_bandwidths)}"
            raise ValueError(msg)
        rate = c.sampling_rate / c.hop_length
        self.layers = layers_of(kbps, log2(c.codebook_size) * rate / 1000, c.num_quantizers)
        self.kbps, self.device = float(kbps), device
        self.card = Card(
            name=f"encodec:kbps={kbps:g},weights={weights}",
            task="codec",
            sample_rate=c.sampling_rate,
            paper="2210.13438",
            weights=digest_of(folder, FILES),
            scale="paper" if weights == PUBLISHED else "unknown",
            licence="MIT (facebook/encodec_24khz)",
            bitrates=tuple(map(float, c.target_bandwidths)),
            frame_rate=rate,
            latency_seconds=1 / rate,
            versions=(f"transformers=={transformers.__version__}", f"torch=={version('torch')}"),
        )

    @torch.inference_mode()
    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples as one stream a codebook, ceil(T / hop) codes each."""
        found = self.net.encode(tensor_of(wav, self.device), bandwidth=self.kbps).audio_codes
        return codes_of(list(found[0, 0]), self.net.config.codebook_size, wav.size)

    @torch.inference_mode()
    def decode(self, codes: Codes) -> Audio:
        """Return ``(codes.samples,)``."""
        layers = torch.stack(layers_from(codes, self.device))[None, None]
        return audio_of(self.net.decode(layers, [None]).audio_values, codes.samples)


load = Encodec
