"""A tiny random checkpoint in the format of UniSpeech's file; the original code beside it."""

import importlib.util
import sys
import types
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bench import plugins
from metrics.observers._base import Clip

pytest.importorskip("torch")
pytest.importorskip("transformers", reason="transformers is not installed: pip install .[speaker]")

import torch

HIDDEN, LAYERS, HEADS, FED, CONV, CHANNELS, WIDE = 32, 3, 4, 48, 16, 16, 24


def random_state(generator):
    """Weights under the names and in the shapes of the published file, only smaller."""

    def of(*shape):
        return 0.2 * torch.randn(*shape, generator=generator)

    def norm(name, size, *, running=False):
        found = {f"{name}.weight": 1 + of(size), f"{name}.bias": of(size)}
        if running:
            found |= {f"{name}.running_mean": of(size), f"{name}.running_var": 1 + of(size).abs()}
        return found

    def dense(name, after, before, *kernel):
        return {f"{name}.weight": of(after, before, *kernel), f"{name}.bias": of(after)}

    wavlm = {"mask_emb": of(HIDDEN)}
    for i, kernel in enumerate((10, 3, 3, 3, 3, 2, 2)):
        conv = f"feature_extractor.conv_layers.{i}"
        wavlm[f"{conv}.0.weight"] = of(CONV, CONV if i else 1, kernel)
        wavlm |= norm(f"{conv}.2.1", CONV)
    wavlm |= dense("post_extract_proj", HIDDEN, CONV) | norm("layer_norm", CONV)
    wavlm |= {
        "encoder.pos_conv.0.bias": of(HIDDEN),
        "encoder.pos_conv.0.weight_g": 1 + of(1, 1, 16).abs(),
        "encoder.pos_conv.0.weight_v": of(HIDDEN, HIDDEN // 4, 16),
        "encoder.layers.0.self_attn.relative_attention_bias.weight": of(320, HEADS),
    }
    for i in range(LAYERS):
        layer = f"encoder.layers.{i}"
        wavlm[f"{layer}.self_attn.grep_a"] = 1 + of(1, HEADS, 1, 1)
        wavlm |= dense(f"{layer}.self_attn.grep_linear", 8, HIDDEN // HEADS)
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            wavlm |= dense(f"{layer}.self_attn.{name}", HIDDEN, HIDDEN)
        wavlm |= norm(f"{layer}.self_attn_layer_norm", HIDDEN)
        wavlm |= norm(f"{layer}.final_layer_norm", HIDDEN)
        wavlm |= dense(f"{layer}.fc1", FED, HIDDEN) | dense(f"{layer}.fc2", HIDDEN, FED)
    wavlm |= norm("encoder.layer_norm", HIDDEN)

    state = {f"feature_extract.model.{k}": v for k, v in wavlm.items()}
    state["feature_weight"] = of(LAYERS + 1)
    state |= dense("layer1.conv", CHANNELS, HIDDEN, 5) | norm("layer1.bn", CHANNELS, running=True)
    for layer in ("layer2", "layer3", "layer4"):
        for part in ("Conv1dReluBn1", "Conv1dReluBn2"):
            state |= dense(f"{layer}.{part}.conv", CHANNELS, CHANNELS, 1)
            state |= norm(f"{layer}.{part}.bn", CHANNELS, running=True)
        for i in range(7):
            res = f"{layer}.Res2Conv1dReluBn"
            state |= dense(f"{res}.convs.{i}", CHANNELS // 8, CHANNELS // 8, 3)
            state |= norm(f"{res}.bns.{i}", CHANNELS // 8, running=True)
        state |= dense(f"{layer}.SE_Connect.linear1", 128, CHANNELS)
        state |= dense(f"{layer}.SE_Connect.linear2", CHANNELS, 128)
    state |= dense("conv", WIDE, 3 * CHANNELS, 1)
    state |= dense("pooling.linear1", 128, WIDE, 1) | dense("pooling.linear2", WIDE, 128, 1)
    return state | norm("bn", 2 * WIDE, running=True) | dense("linear", 8, 2 * WIDE)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("unispeech") / "wavlm_large_finetune.pth"
    torch.save({"model": random_state(torch.Generator().manual_seed(0))}, path)
    return path


@pytest.fixture
def observer(checkpoint):
    return plugins.load("observers", f"wavlm_large_ecapa:checkpoint={checkpoint}", device="cpu")


def wave(seconds, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, round(16000 * seconds)).astype(np.float32)


def original(state):
    """UniSpeech's network as f5-tts keeps it, over WavLM's own code as Audiobox keeps it."""
    for package in ("f5_tts", "audiobox_aesthetics"):
        if find_spec(package) is None:
            pytest.skip(f"{package}, which has the original code, is not installed")
    from audiobox_aesthetics.model.aes import DEFAULT_AUDIO_CFG
    from audiobox_aesthetics.model.wavlm import WavLM, WavLMConfig

    home = Path(find_spec("f5_tts").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("_ecapa", home / "eval" / "ecapa_tdnn.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = WavLMConfig(
        vars(DEFAULT_AUDIO_CFG)
        | {
            "extractor_mode": "layer_norm",
            "layer_norm_first": True,
            "encoder_layers": LAYERS,
            "encoder_embed_dim": HIDDEN,
            "encoder_ffn_embed_dim": FED,
            "encoder_attention_heads": HEADS,
            "conv_feature_layers": f"[({CONV},10,5)] + [({CONV},3,2)] * 4 + [({CONV},2,2)] * 2",
            "conv_pos": 16,
            "conv_pos_groups": 4,
        }
    )

    class Extractor(torch.nn.Module):
        """What s3prl's `wavlm_large` gives: the input of each layer, and the encoder's output."""

        def __init__(self):
            super().__init__()
            self.model = WavLM(config)

        def forward(self, waves):
            seen = []
            hooks = [
                layer.register_forward_hook(
                    lambda module, given, out: seen.append(given[0].transpose(0, 1))
                )
                for layer in self.model.encoder.layers
            ]
            hooks.append(
                self.model.encoder.register_forward_hook(lambda m, given, out: seen.append(out[0]))
            )
            self.model.extract_features(torch.stack([self.ready(w) for w in waves]))
            for hook in hooks:
                hook.remove()
            return {"hidden_states": seen}

        @staticmethod
        def ready(samples):
            return torch.nn.functional.layer_norm(samples, samples.shape)

    class Small(module.ECAPA_TDNN):
        """Of the same parts with fewer channels before the pooling."""

    hub = types.SimpleNamespace(load=lambda *given, **named: Extractor())
    kept, torch.hub = torch.hub, hub
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = Small(feat_dim=HIDDEN, channels=CHANNELS, emb_dim=8)
            network.conv = torch.nn.Conv1d(3 * CHANNELS, WIDE, kernel_size=1)
            network.pooling = module.AttentiveStatsPool(WIDE)
            network.bn = torch.nn.BatchNorm1d(2 * WIDE)
            network.linear = torch.nn.Linear(2 * WIDE, 8)
    finally:
        torch.hub = kept
    report = network.load_state_dict(state, strict=False)
    assert report.unexpected_keys == []
    assert all(k.endswith("num_batches_tracked") for k in report.missing_keys)
    return network.eval()


def test_the_original_code(observer, checkpoint):
    network = original(torch.load(checkpoint, weights_only=True)["model"])
    for seconds in (0.1, 0.5, 1.3):
        samples = wave(seconds)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = network(torch.from_numpy(samples)[None])[0].numpy()
        found = observer.observe([Clip(samples)])[0]["embedding"]
        assert np.allclose(found, expected, atol=2e-4 * np.abs(expected).max())


def test_shapes_and_levels(observer):
    samples = wave(0.7)
    loud, quiet = observer.observe([Clip(samples), Clip(samples * 0.05)])
    assert loud["embedding"].shape == (8,)
    assert loud["embedding"].dtype == np.float32
    assert np.allclose(loud["embedding"], quiet["embedding"], atol=1e-3)
    assert "unheard" in observer.observe([Clip(samples[:1599])])[0]


def test_batch_and_order_do_not_matter(observer):
    clips = [Clip(wave(s, seed)) for seed, s in enumerate((0.4, 1.0, 0.2))]
    together = observer.observe(clips)
    observer.close()
    backwards = observer.observe(clips[::-1])[::-1]
    for clip, one, other in zip(clips, together, backwards, strict=True):
        (alone,) = observer.observe([clip])
        assert np.array_equal(one["embedding"], other["embedding"])
        assert np.array_equal(one["embedding"], alone["embedding"])


@pytest.mark.parametrize(
    "name",
    [
        "feature_extract.model.encoder.layers.1.self_attn.grep_a",
        "layer3.SE_Connect.linear1.weight",
        "feature_weight",
    ],
)
def test_a_file_without_a_weight_is_refused(name, tmp_path):
    state = random_state(torch.Generator().manual_seed(1))
    del state[name]
    torch.save({"model": state}, tmp_path / "w.pth")
    spec = f"wavlm_large_ecapa:checkpoint={tmp_path / 'w.pth'}"
    with pytest.raises(ValueError, match="lacks"):
        plugins.load("observers", spec, device="cpu").observe([Clip(wave(0.3))])


def test_another_file_is_refused(tmp_path):
    torch.save({"state": {}}, tmp_path / "w.pth")
    spec = f"wavlm_large_ecapa:checkpoint={tmp_path / 'w.pth'}"
    with pytest.raises(ValueError, match="has no 'model'"):
        plugins.load("observers", spec, device="cpu").observe([Clip(wave(0.3))])


@pytest.mark.parametrize("spec", ["wavlm_large_ecapa", "wavlm_large_ecapa:checkpoint=/nowhere.pth"])
def test_missing_weights_are_named_in_one_line(spec):
    with pytest.raises(FileNotFoundError, match=r"fetch wavlm_large_finetune\.pth") as caught:
        plugins.load("observers", spec, device="cpu")
    assert "\n" not in str(caught.value)


def test_the_signature_has_the_weights_and_not_their_place(observer, checkpoint):
    assert observer.signature.endswith(f"@{observer.weights}")
    assert str(checkpoint.parent) not in observer.signature
    assert sys.modules["metrics.observers.wavlm_large_ecapa"].renamed("encoder.layers.0.fc1.bias")
