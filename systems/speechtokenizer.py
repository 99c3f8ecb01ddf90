"""SpeechTokenizer, by its package: eight codebooks at 50 Hz, the first one close to phonemes.

Paper: Zhang et al., "SpeechTokenizer: Unified Speech Tokenizer for Speech Large Language Models",
arXiv 2308.16692 (2023); wrapped, not rewritten: package `speechtokenizer`.

Licence: package and weights ``fnlp/SpeechTokenizer`` are under Apache 2.0 by their repository.
Traps:
    The LSTM of the encoder reads in both directions: not causal, no latency is claimed.
    Where the last stride does not divide a recording the network ends up to 20 ms early; zeros
    are put at the end of what goes in, as many as fill the frame.
    Importing the model imports its trainer, so the package needs more than it declares: beartype
    and tensorboard. The extra `tokenizers` brings them.
"""

from __future__ import annotations

import json
import warnings
from importlib.metadata import version
from math import log2, prod

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
)

_PART = "speechtokenizer_hubert_avg"
FILES = (f"{_PART}/config.json", f"{_PART}/SpeechTokenizer.pt")
PUBLISHED = "fnlp/SpeechTokenizer"


class SpeechTokenizer:
    """SpeechTokenizer with a published checkpoint, or another of its format.

    Args:
        kbps: a multiple of one codebook's rate, 0.5 kbps for the published one, up to 4.
        weights: a folder with `FILES`, or owner/name on the Hugging Face hub.
        device: of torch.

    Raises:
        FileNotFoundError: the weights are not there.
        ImportError: speechtokenizer is not installed.
        ValueError: a bitrate that the model does not have.
    """

    def __init__(self, kbps: float = 4.0, weights: str = PUBLISHED, device: str = "cpu") -> None:
        with warnings.catch_warnings():  # a file of it is written with torch.jit
            warnings.simplefilter("ignore")
            from speechtokenizer.model import SpeechTokenizer as Net

        folder = folder_of(weights, FILES)
        settings = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch, on weight_norm
            net = Net(settings)
        net.load_state_dict(torch.load(folder / FILES[1], map_location="cpu", weights_only=True))
        self.net, self.device = net.eval().to(device), device
        self.alphabet, self.hop = int(settings["codebook_size"]), prod(settings["strides"])
        frames = net.sample_rate / self.hop
        per_layer = log2(self.alphabet) * frames / 1000
        self.layers = layers_of(kbps, per_layer, net.n_q)
        self.card = Card(
            name=f"speechtokenizer:kbps={kbps:g},weights={weights}",
            task="codec",
            sample_rate=net.sample_rate,
            paper="2308.16692",
            weights=digest_of(folder, FILES),
            scale="paper" if weights == PUBLISHED else "unknown",
            licence="Apache-2.0 (fnlp/SpeechTokenizer)",
            bitrates=tuple(per_layer * n for n in range(1, net.n_q + 1)),
            frame_rate=frames,
            versions=(
                f"speechtokenizer=={version('speechtokenizer')}",
                f"torch=={version('torch')}",
            ),
        )

    @torch.inference_mode()
    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples as one stream a codebook."""
        found = self.net.encode(tensor_of(wav, self.device, self.hop), n_q=self.layers)
        return codes_of(list(found[:, 0]), self.alphabet, wav.size)

    @torch.inference_mode()
    def decode(self, codes: Codes) -> Audio:
        """Return ``(codes.samples,)``."""
        layers = torch.stack(layers_from(codes, self.device))
        return audio_of(self.net.decode(layers[:, None]), codes.samples)


load = SpeechTokenizer
