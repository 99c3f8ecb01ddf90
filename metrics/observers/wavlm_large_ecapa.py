"""Voice by WavLM-large with an ECAPA-TDNN head: SIM as seed-tts-eval and its followers measure it.

Heard: ``embedding``, float32, shape (d,), d = 256 for the published model, as the network gives it
(not normalised); or ``unheard``, the reason why there is none: too short.

Source: Chen et al., "WavLM", IEEE JSTSP 2022, arXiv:2110.13900, for speaker verification with
Desplanques et al., arXiv:2005.07143; the model of microsoft/UniSpeech (downstreams/
speaker_verification, ECAPA_TDNN_SMALL over wavlm_large). ``checkpoint=`` is its file
wavlm_large_finetune.pth, in which ``model`` is the state of extractor and head. Licence of the
weights: that of UniSpeech's repository; read it before passing them on.

Preparation: 16 kHz; the recording at mean 0 and variance 1, so that its level does not count. Mean
of 25 hidden states by learned weights, each feature normalised over time, the head.

Traps: padding changes the embedding, so recordings are heard one by one. The published tables are
the cosine to the prompt (SIM-o), resampled by torchaudio; here soxr resamples.
The extractor runs in transformers, under its names of the weights; sizes are read from the file. A
file that lacks a weight of either is refused (seed-tts-eval would go on with random ones).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from metrics.observers._base import Clip, Kind, Observation, Observer, digest_of
from metrics.observers._weights import device_of

_FILE = "wavlm_large_finetune.pth"
_EXTRACTOR = "feature_extract.model."
_SHORTEST = 0.1  # s: the statistics of the head need some frames
_STRIDES = (5, 2, 2, 2, 2, 2, 2)
_DILATIONS = {"layer2": 2, "layer3": 3, "layer4": 4}
_SCALE = 8  # groups of channels in a block, one of which goes straight on
#: Names in the file -> names in transformers.
_RENAMED = (
    (r"^mask_emb$", "masked_spec_embed"),
    (r"(conv_layers\.\d+)\.0\.", r"\1.conv."),
    (r"(conv_layers\.\d+)\.2\.1\.", r"\1.layer_norm."),
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"pos_conv\.0\.bias$", "pos_conv_embed.conv.bias"),
    (r"pos_conv\.0\.weight_g$", "pos_conv_embed.conv.parametrizations.weight.original0"),
    (r"pos_conv\.0\.weight_v$", "pos_conv_embed.conv.parametrizations.weight.original1"),
    (r"self_attn\.grep_a$", "attention.gru_rel_pos_const"),
    (r"self_attn\.grep_linear\.", "attention.gru_rel_pos_linear."),
    (r"self_attn\.relative_attention_bias\.", "attention.rel_attn_embed."),
    (r"self_attn\.", "attention."),
    (r"self_attn_layer_norm\.", "layer_norm."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
)


class _State(dict[str, Any]):
    """Weights by name; one that is not there is a fault of the file."""

    def __missing__(self, name: str) -> Any:
        msg = f"the checkpoint of wavlm_large_ecapa lacks {name}"
        raise ValueError(msg)


@dataclass(frozen=True)
class WavlmLargeEcapa(Observer):
    """WavLM, weighted sum of its hidden states, ECAPA-TDNN with attentive mean and deviation."""

    name: ClassVar[str] = "wavlm_large_ecapa"
    kind: ClassVar[Kind] = "voice"
    sample_rate: ClassVar[int] = 16000
    revision: ClassVar[int] = 1
    requires: ClassVar[tuple[str, ...]] = ("transformers",)
    extra: ClassVar[str] = "speaker"
    hidden: ClassVar[tuple[str, ...]] = ("checkpoint", "device")
    checkpoint: str = ""
    device: str = "auto"

    def __post_init__(self) -> None:
        path = Path(self.checkpoint).expanduser()
        if not self.checkpoint or not path.is_file():
            at = f" at {path}" if self.checkpoint else ""
            msg = (
                f"no weights of wavlm_large_ecapa{at}: fetch {_FILE} (speaker verification of "
                "microsoft/UniSpeech, as seed-tts-eval links it) and say checkpoint=FILE"
            )
            raise FileNotFoundError(msg)
        for name, value in (("_path", path), ("_digest", digest_of(path)), ("_model", None)):
            object.__setattr__(self, name, value)

    @property
    def weights(self) -> str:
        """The digest of the checkpoint."""
        return str(vars(self)["_digest"])

    def observe(self, batch: Sequence[Clip]) -> list[Observation]:
        """Return the embedding of each recording.

        Raises:
            ValueError: the file lacks weights of the network.
        """
        import torch

        device = device_of(self.device)
        if vars(self)["_model"] is None:
            object.__setattr__(self, "_model", _built(vars(self)["_path"], device))
        extractor, state = vars(self)["_model"]
        heard: list[Observation] = []
        for clip in batch:
            if clip.audio.size < _SHORTEST * self.sample_rate:
                have = clip.audio.size / self.sample_rate
                says = f"lasts {have:.2f} s, {self.name} needs {_SHORTEST:.2f} s"
                heard.append({"unheard": says})
                continue
            with torch.inference_mode():
                wave = torch.from_numpy(clip.audio)[None].to(device)
                ready = torch.nn.functional.layer_norm(wave, wave.shape)
                given = extractor(ready, output_hidden_states=True)
                # The last one is meant after the encoder's norm, which transformers 5 leaves out.
                hidden = [*given.hidden_states[:-1], given.last_hidden_state]
                embedding = head(state, torch.stack(hidden))
            heard.append({"embedding": embedding[0].float().cpu().numpy()})
        return heard

    def close(self) -> None:
        """Let the network go."""
        object.__setattr__(self, "_model", None)


def head(state: Mapping[str, Any], hidden: Any) -> Any:
    """Return embeddings, shape ``(B, d)``, from hidden states, shape ``(layers, B, T, F)``."""
    import torch
    from torch.nn import functional

    def conv(x: Any, name: str, *, dilation: int = 1) -> Any:
        weight = state[f"{name}.weight"]
        padding = dilation * (weight.shape[2] // 2)
        return functional.conv1d(
            x, weight, state[f"{name}.bias"], padding=padding, dilation=dilation
        )

    def norm(x: Any, name: str) -> Any:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return functional.batch_norm(
            x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"]
        )

    def dense(x: Any, name: str) -> Any:
        return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def block(x: Any, name: str, dilation: int) -> Any:
        inner = norm(conv(x, f"{name}.Conv1dReluBn1.conv").relu(), f"{name}.Conv1dReluBn1.bn")
        *groups, straight = inner.chunk(_SCALE, dim=1)
        out: list[Any] = []
        for i, group in enumerate(groups):
            part = f"{name}.Res2Conv1dReluBn"
            given = group + out[-1] if out else group
            found = conv(given, f"{part}.convs.{i}", dilation=dilation).relu()
            out.append(norm(found, f"{part}.bns.{i}"))
        joined = torch.cat([*out, straight], dim=1)
        outer = norm(conv(joined, f"{name}.Conv1dReluBn2.conv").relu(), f"{name}.Conv1dReluBn2.bn")
        squeezed = dense(outer.mean(dim=2), f"{name}.SE_Connect.linear1").relu()
        gate = dense(squeezed, f"{name}.SE_Connect.linear2").sigmoid()
        return x + outer * gate[..., None]

    shares = state["feature_weight"].softmax(dim=-1)
    features = torch.einsum("l,lbtf->bft", shares, hidden) + 1e-6
    x = norm(conv(functional.instance_norm(features), "layer1.conv").relu(), "layer1.bn")
    blocks = []
    for name, dilation in _DILATIONS.items():
        x = block(x, name, dilation)
        blocks.append(x)
    x = conv(torch.cat(blocks, dim=1), "conv").relu()
    weights = conv(conv(x, "pooling.linear1").tanh(), "pooling.linear2").softmax(dim=2)
    mean = (weights * x).sum(dim=2)
    deviation = ((weights * x**2).sum(dim=2) - mean**2).clamp(min=1e-9).sqrt()
    return dense(norm(torch.cat([mean, deviation], dim=1), "bn"), "linear")


def renamed(name: str) -> str:
    """Return what transformers calls a weight of the original WavLM."""
    for pattern, other in _RENAMED:
        name = re.sub(pattern, other, name)
    return name


def _built(path: Path, device: str) -> tuple[Any, _State]:
    import torch
    from transformers import WavLMConfig, WavLMModel

    stored = torch.load(path, map_location="cpu", weights_only=True)
    if "model" not in stored:
        msg = f"{path} is no checkpoint of wavlm_large_ecapa: it has no 'model'"
        raise ValueError(msg)
    state = _State({k: v.to(device) for k, v in stored["model"].items()})
    own = _State(
        {k.removeprefix(_EXTRACTOR): v for k, v in state.items() if k.startswith(_EXTRACTOR)}
    )
    convolutions = [
        own[f"feature_extractor.conv_layers.{i}.0.weight"] for i in range(len(_STRIDES))
    ]
    positions = own["encoder.pos_conv.0.weight_v"]
    attention = own["encoder.layers.0.self_attn.relative_attention_bias.weight"]
    fed = own["encoder.layers.0.fc1.weight"]
    config = WavLMConfig(
        hidden_size=fed.shape[1],
        intermediate_size=fed.shape[0],
        num_hidden_layers=1 + max(int(k.split(".")[2]) for k in own if "encoder.layers." in k),
        num_attention_heads=attention.shape[1],
        num_buckets=attention.shape[0],
        conv_dim=[w.shape[0] for w in convolutions],
        conv_kernel=[w.shape[2] for w in convolutions],
        conv_stride=list(_STRIDES),
        num_conv_pos_embeddings=positions.shape[2],
        num_conv_pos_embedding_groups=positions.shape[0] // positions.shape[1],
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        apply_spec_augment=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        extractor = WavLMModel(config)
    report = extractor.load_state_dict({renamed(k): v for k, v in own.items()}, strict=False)
    if absent := sorted(set(report.missing_keys) - {"masked_spec_embed"}):
        msg = f"{path} lacks {len(absent)} weights of WavLM, e.g. {absent[0]}"
        raise ValueError(msg)
    return extractor.eval().to(device), state


load = WavlmLargeEcapa
