"""Voice by WavLM with an x-vector head (transformers), as CoCoEmo measures S-SIM.

Heard: ``embedding``, float32, shape (d,), d = 512 for the published models, as the network gives
it (not normalised); or ``unheard``, the reason why there is none: too short.

Source: Chen et al., "WavLM: large-scale self-supervised pre-training for full stack speech
processing", IEEE JSTSP 2022, arXiv:2110.13900; ``WavLMForXVector`` of transformers, field
``embeddings``. ``model=microsoft/wavlm-base-sv`` (default), ``microsoft/wavlm-base-plus-sv``, or a
folder with config.json, preprocessor_config.json and model.safetensors or pytorch_model.bin.
Licence of the weights: the publisher's model card names CC BY-SA 3.0 through the licence of WavLM's
repository; read it before passing them on.

Preparation: the model's own feature extractor, which may take the mean out and scale to unit
variance; nothing is cut.

Traps: padding changes the embedding (the first layer is normalised over time, and the head's own
mask forgets its dilation), so recordings are heard one by one. Needs 0.33 s. Similarities of
unrelated voices lie well above 0: compare with the anchors of `speaker_similarity.separation`.
The publishers suggest 0.86 as threshold of the same voice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from metrics.observers._base import Clip, Kind, Observation, Observer, digest_of
from metrics.observers._weights import device_of, folder_of

_FILES = (
    ("config.json",),
    ("preprocessor_config.json",),
    ("model.safetensors", "pytorch_model.bin"),
)
#: What only training needs; a checkpoint without it is whole.
_TRAINING = ("objective.", "wavlm.masked_spec_embed")


@dataclass(frozen=True)
class WavlmSv(Observer):
    """WavLM, a weighted sum of its layers, a time-delay network, mean and deviation over time."""

    name: ClassVar[str] = "wavlm_sv"
    kind: ClassVar[Kind] = "voice"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("transformers",)
    extra: ClassVar[str] = "speaker"
    hidden: ClassVar[tuple[str, ...]] = ("device",)
    model: str = "microsoft/wavlm-base-sv"
    device: str = "auto"

    def __post_init__(self) -> None:
        folder = folder_of(self.model, _FILES)
        paths = [next(p for n in row if (p := folder / n).is_file()) for row in _FILES]
        for name, value in (("_folder", folder), ("_digest", digest_of(*paths)), ("_parts", None)):
            object.__setattr__(self, name, value)

    @property
    def weights(self) -> str:
        """The digest of the weights and of both configurations."""
        return str(vars(self)["_digest"])

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return the embedding of each recording.

        Raises:
            ValueError: the folder lacks weights of the network, or wants another rate.
        """
        device = device_of(self.device)
        extractor, network = self._loaded(device)
        return [self._embedded(clip, extractor, network, device) for clip in batch]

    def close(self) -> None:
        """Let the network go."""
        object.__setattr__(self, "_parts", None)

    def _embedded(self, clip: Clip, extractor: Any, network: Any, device: str) -> Observation:
        import torch

        if clip.audio.size < (least := shortest(network.config)):
            have, need = clip.audio.size / self.sample_rate, least / self.sample_rate
            return {"unheard": f"lasts {have:.2f} s, {self.name} needs {need:.2f} s"}
        ready = extractor(clip.audio, sampling_rate=self.sample_rate, return_tensors="pt")
        with torch.inference_mode():
            heard = network(ready.input_values.to(device)).embeddings[0]
        return {"embedding": heard.float().cpu().numpy()}

    def _loaded(self, device: str) -> tuple[Any, Any]:
        from transformers import AutoFeatureExtractor, WavLMForXVector
        from transformers.utils import logging

        known: tuple[Any, Any] | None = vars(self)["_parts"]
        if known is None:
            folder = vars(self)["_folder"]
            extractor = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
            shown = logging.is_progress_bar_enabled()
            logging.disable_progress_bar()
            try:
                loaded: Any = WavLMForXVector.from_pretrained(
                    folder, local_files_only=True, output_loading_info=True
                )
            finally:
                if shown:
                    logging.enable_progress_bar()
            network, report = loaded
            absent = [k for k in report["missing_keys"] if not k.startswith(_TRAINING)]
            if absent:
                msg = f"{self.model} has no weights for {len(absent)} parameters: {min(absent)} ..."
                raise ValueError(msg)
            if extractor.sampling_rate != self.sample_rate:
                msg = f"{self.model} wants {extractor.sampling_rate} Hz, not {self.sample_rate}"
                raise ValueError(msg)
            known = (extractor, network.eval().to(device))
            object.__setattr__(self, "_parts", known)
        return known


def shortest(config: Any) -> int:
    """Return the least number of samples that gives the head two frames to take a deviation of."""
    frames = 2 + sum(
        (kernel - 1) * step
        for kernel, step in zip(config.tdnn_kernel, config.tdnn_dilation, strict=True)
    )
    for kernel, stride in reversed(list(zip(config.conv_kernel, config.conv_stride, strict=True))):
        frames = (frames - 1) * stride + kernel
    return int(frames)


load = WavlmSv
