"""SNAC, by its package: quantisers at three or four time scales, 0.98 kbps for speech.

Paper: Siuzdak, Groetschla and Lanzendoerfer, "SNAC: Multi-Scale Neural Audio Codec",
arXiv 2410.14411 (2024); wrapped, not rewritten: package `snac`.

Licence: package and the weights ``hubertsiuzdak/snac_*`` are under MIT by their repository.
Traps:
    The decoder adds noise that it draws. Here every decoding draws it from one seed of its own, so
    that equal codes give equal samples.
    A recording is filled to whole windows of the attention and of the slowest quantiser, up to
    0.5 s: on short recordings the bitrate is above the nominal one.
    Not causal: no latency is claimed. 24 kHz is the speech model; the others are for music.
"""

from __future__ import annotations

import json
import warnings
from importlib.metadata import version
from math import log2

import torch
from torch import Tensor

from systems._base import Audio, Card, Codes
from systems._pretrained import audio_of, codes_of, digest_of, folder_of, layers_from, tensor_of

FILES = ("config.json", "pytorch_model.bin")
PUBLISHED = "hubertsiuzdak/snac_24khz"


class Snac:
    """SNAC with a published checkpoint, or another of its format.

    Args:
        weights: a folder with `FILES`, or owner/name on the Hugging Face hub.
        device: of torch.

    Raises:
        FileNotFoundError: the weights are not there.
        ImportError: snac is not installed.
    """

    def __init__(self, weights: str = PUBLISHED, device: str = "cpu") -> None:
        with warnings.catch_warnings():  # it is written with torch.jit
            warnings.simplefilter("ignore", DeprecationWarning)
            from snac import SNAC
            from snac.layers import NoiseBlock

        folder = folder_of(weights, FILES)
        settings = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
        with torch.random.fork_rng(devices=[]):  # constructors draw values that are replaced below
            net = SNAC(**settings)
        state = torch.load(folder / FILES[1], map_location="cpu", weights_only=True)
        net.load_state_dict(state)
        self.net, self.device = net.eval().to(device), device
        self.noise = torch.Generator(device)
        for block in net.modules():
            if isinstance(block, NoiseBlock):
                block.forward = _Noise(block.linear, self.noise)
        frames = net.sampling_rate / int(net.hop_length)
        kbps = sum(log2(net.codebook_size) * frames / s for s in net.vq_strides) / 1000
        self.card = Card(
            name=f"snac:weights={weights}",
            task="codec",
            sample_rate=net.sampling_rate,
            paper="2410.14411",
            weights=digest_of(folder, FILES),
            scale="paper" if weights == PUBLISHED else "unknown",
            licence="MIT (hubertsiuzdak/snac_*)",
            bitrates=(kbps,),
            frame_rate=frames / min(net.vq_strides),
            versions=(f"snac=={version('snac')}", f"torch=={version('torch')}"),
        )

    @torch.inference_mode()
    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples as one stream a quantiser, the slowest first."""
        found = self.net.encode(tensor_of(wav, self.device))
        return codes_of([layer[0] for layer in found], self.net.codebook_size, wav.size)

    @torch.inference_mode()
    def decode(self, codes: Codes) -> Audio:
        """Return ``(codes.samples,)``."""
        self.noise.manual_seed(0)
        layers = [layer[None] for layer in layers_from(codes, self.device)]
        return audio_of(self.net.decode(layers), codes.samples)


class _Noise:
    """The package's noise block, x + n W x, n drawn from a generator of its own."""

    def __init__(self, linear: torch.nn.Module, generator: torch.Generator) -> None:
        self.linear, self.generator = linear, generator

    def __call__(self, x: Tensor) -> Tensor:
        shape = (x.shape[0], 1, x.shape[2])
        noise = torch.randn(shape, generator=self.generator, device=x.device, dtype=x.dtype)
        return x + noise * self.linear(x)


load = Snac
