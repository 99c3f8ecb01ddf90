"""Voice by ECAPA-TDNN, the speaker verification model of SpeechBrain.

Heard: ``embedding``, float32, shape (d,), d = 192 for the published model, as the network gives it
(not normalised); or ``unheard``, the reason why there is none: too short.

Source: Desplanques, Thienpondt and Demuynck, "ECAPA-TDNN: emphasized channel attention, propagation
and aggregation in TDNN based speaker verification", Interspeech 2020, arXiv:2005.07143;
``EncoderClassifier.encode_batch`` of SpeechBrain. ``source=speechbrain/spkrec-ecapa-voxceleb``
(default), or a folder with the files of such a model: hyperparams.yaml, embedding_model.ckpt,
mean_var_norm_emb.ckpt, classifier.ckpt and label_encoder.txt. Trained on VoxCeleb1 and VoxCeleb2.
Licence of the weights: Apache-2.0.

Preparation: the model's own filter bank and, per recording, mean; nothing is cut.

Traps: hyperparams.yaml is a program: SpeechBrain builds whatever it names, so take it only from
those you trust. Padding changes the embedding (the convolutions see it), so recordings are heard
one by one. SpeechBrain below 1.1 does not import beside torchaudio 2.9 or later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from metrics.observers._base import Clip, Kind, Observation, Observer, digest_of
from metrics.observers._weights import device_of, folder_of

_FILES = (
    ("hyperparams.yaml",),
    ("embedding_model.ckpt",),
    ("mean_var_norm_emb.ckpt",),
    ("classifier.ckpt",),
    ("label_encoder.txt", "label_encoder.ckpt"),
)
_SHORTEST = 0.1  # s; below, the convolutions have less than they mirror at the edges


@dataclass(frozen=True)
class Ecapa(Observer):
    """Filter bank, ECAPA-TDNN, attentive mean and deviation over time, one dense layer."""

    name: ClassVar[str] = "ecapa"
    kind: ClassVar[Kind] = "voice"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("speechbrain",)
    extra: ClassVar[str] = "speaker"
    hidden: ClassVar[tuple[str, ...]] = ("device",)
    source: str = "speechbrain/spkrec-ecapa-voxceleb"
    device: str = "auto"

    def __post_init__(self) -> None:
        folder = folder_of(self.source, _FILES, parameter="source")
        heard_by = [folder / row[0] for row in _FILES[:2]]
        digest = digest_of(*heard_by)
        for name, value in (("_folder", folder), ("_digest", digest), ("_model", None)):
            object.__setattr__(self, name, value)

    @property
    def weights(self) -> str:
        """The digest of what makes the embedding: network and hyperparameters."""
        return str(vars(self)["_digest"])

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return the embedding of each recording."""
        model = self._loaded()
        return [self._embedded(clip, model) for clip in batch]

    def close(self) -> None:
        """Let the network go."""
        object.__setattr__(self, "_model", None)

    def _embedded(self, clip: Clip, model: Any) -> Observation:
        import torch

        if clip.audio.size < _SHORTEST * self.sample_rate:
            have = clip.audio.size / self.sample_rate
            return {"unheard": f"lasts {have:.2f} s, {self.name} needs {_SHORTEST:.2f} s"}
        with torch.inference_mode():
            heard = model.encode_batch(torch.from_numpy(clip.audio)[None])[0, 0]
        return {"embedding": heard.float().cpu().numpy()}

    def _loaded(self) -> Any:
        from speechbrain.inference.classifiers import EncoderClassifier

        if vars(self)["_model"] is None:
            folder = str(vars(self)["_folder"])
            model = EncoderClassifier.from_hparams(
                source=folder,
                overrides={"pretrained_path": folder},  # else it asks the hub for each file
                overrides_must_match=False,
                run_opts={"device": device_of(self.device)},
            )
            object.__setattr__(self, "_model", model.eval())
        return vars(self)["_model"]


load = Ecapa
