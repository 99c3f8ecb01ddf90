"""emotion2vec through FunASR, on a tiny model with random weights in FunASR's on-disk format."""

import json
import logging
import random

import numpy as np
import pytest

from bench import plugins
from metrics.observers._base import Clip
from metrics.observers.emotion2vec import english, home_of, observation

LABELS = ["angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised"]
TOKENS = ["生气/angry", "厌恶/disgusted", "恐惧/fearful", "开心/happy", "中立/neutral"]
TOKENS += ["其他/other", "难过/sad", "吃惊/surprised", "<unk>"]

AUDIO = {
    "type": "AUDIO",
    "prenet_depth": 1,
    "prenet_layerdrop": 0.0,
    "prenet_dropout": 0.0,
    "start_drop_path_rate": 0.0,
    "end_drop_path_rate": 0.0,
    "num_extra_tokens": 2,
    "init_extra_token_zero": False,
    "mask_noise_std": 0.01,
    "mask_prob_min": None,
    "mask_prob": 0.5,
    "inverse_mask": False,
    "mask_prob_adjust": 0.05,
    "keep_masked_pct": 0.0,
    "mask_length": 5,
    "add_masks": False,
    "remove_masks": False,
    "mask_dropout": 0.0,
    "encoder_zero_mask": True,
    "mask_channel_prob": 0.0,
    "mask_channel_length": 64,
    "ema_local_encoder": False,
    "local_grad_mult": 1.0,
    "use_alibi_encoder": True,
    "alibi_scale": 1.0,
    "learned_alibi": False,
    "alibi_max_pos": None,
    "learned_alibi_scale": True,
    "learned_alibi_scale_per_head": True,
    "learned_alibi_scale_per_layer": False,
    "num_alibi_heads": 2,
    "model_depth": 2,
    "decoder": {
        "decoder_dim": 8,
        "decoder_groups": 2,
        "decoder_kernel": 3,
        "decoder_layers": 1,
        "input_dropout": 0.1,
        "add_positions_masked": False,
        "add_positions_all": False,
        "decoder_residual": True,
        "projection_layers": 1,
        "projection_ratio": 2.0,
    },
    "extractor_mode": "layer_norm",
    "feature_encoder_spec": "[(8, 10, 5)] + [(8, 3, 2)] * 4 + [(8,2,2)] + [(8,2,2)]",
    "conv_pos_width": 15,
    "conv_pos_groups": 2,
    "conv_pos_depth": 2,
    "conv_pos_pre_ln": False,
}
MODEL = {
    "depth": 2,
    "start_drop_path_rate": 0.0,
    "end_drop_path_rate": 0.0,
    "num_heads": 2,
    "norm_eps": 1e-5,
    "norm_affine": True,
    "encoder_dropout": 0.1,
    "post_mlp_drop": 0.1,
    "attention_dropout": 0.1,
    "activation_dropout": 0.0,
    "dropout_input": 0.0,
    "layerdrop": 0.0,
    "embed_dim": 16,
    "mlp_ratio": 2.0,
    "layer_norm_first": False,
    "average_top_k_layers": 2,
    "end_of_block_targets": False,
    "clone_batch": 1,
    "normalize": True,
    "supported_modality": "AUDIO",
    "modalities": {"audio": AUDIO},
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def tensors():
    """Random weights of the tiny model, without the decoder: as the released files are."""
    reason = "funasr is not installed: pip install 'speech-bench[emotion]'"
    pytest.importorskip("funasr", reason=reason, exc_type=ImportError)
    import torch

    from metrics.observers.emotion2vec import undisturbed

    with undisturbed():
        from funasr.models.emotion2vec.model import Emotion2vec

        torch.manual_seed(3)
        net = Emotion2vec(model_conf=MODEL, vocab_size=len(TOKENS))
        for values in net.parameters():
            torch.nn.init.normal_(values, std=0.3)
    return {k: v.clone() for k, v in net.state_dict().items() if ".decoder." not in k}


def saved(folder, tensors, tokens=TOKENS):
    """Write a checkpoint as FunASR keeps it."""
    import torch

    folder.mkdir(parents=True)
    config = {
        "model": "Emotion2vec",
        "model_conf": MODEL,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    (folder / "tokens.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    metas = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"token_list": "tokens.txt"},
    }
    plain = {"framework": "pytorch", "task": "emotion-recognition", "file_path_metas": metas}
    (folder / "configuration.json").write_text(json.dumps(plain))
    torch.save({"model": tensors}, folder / "model.pt")
    return folder


@pytest.fixture
def tiny(tensors, tmp_path):
    return saved(tmp_path / "tiny", tensors)


def clips(*seconds):
    rng = np.random.default_rng(5)
    return [Clip(0.1 * rng.standard_normal(round(s * 16000)).astype(np.float32)) for s in seconds]


def test_a_checkpoint_in_its_own_format(tiny):
    ear = plugins.load("observers", f"emotion2vec:model={tiny}", device="cpu")
    (heard,) = ear.observe(clips(1.0))
    assert heard["labels"] == [*LABELS, "unknown"]
    assert heard["posterior"].dtype == heard["embedding"].dtype == np.float32
    assert heard["posterior"].sum() == pytest.approx(1, abs=1e-5)  # "other" and "unknown" included
    assert heard["embedding"].shape == (16,)
    assert ear.signature.startswith("emotion2vec(model=tiny,funasr=")
    assert ear.signature.endswith(f",r=1)@{ear.weights}")
    ear.close()
    (again,) = ear.observe(clips(1.0))
    assert np.array_equal(heard["posterior"], again["posterior"])


def test_the_posterior_is_that_of_the_mean_embedding(tiny, tensors):
    # proj is linear: softmax(W mean + b), worked out here from the tensors in the file.
    (heard,) = plugins.load("observers", f"emotion2vec:model={tiny}").observe(clips(0.8))
    weight, bias = (tensors[f"proj.{name}"].numpy().astype(float) for name in ("weight", "bias"))
    logits = weight @ heard["embedding"].astype(float) + bias
    shares = np.exp(logits - logits.max())
    assert heard["posterior"] == pytest.approx(shares / shares.sum(), abs=1e-5)


def test_neither_batch_nor_order_counts(tiny):
    ear = plugins.load("observers", f"emotion2vec:model={tiny}")
    some = clips(0.5, 1.3, 0.7)
    together = ear.observe(some)
    for clip, heard in zip(reversed(some), reversed(together), strict=True):
        (alone,) = ear.observe([clip])
        assert np.array_equal(alone["posterior"], heard["posterior"])
        assert np.array_equal(alone["embedding"], heard["embedding"])
    assert not np.allclose(together[0]["embedding"], together[1]["embedding"])


def test_level_does_not_count_and_short_recordings_pass(tiny):
    ear = plugins.load("observers", f"emotion2vec:model={tiny}")
    (clip,) = clips(0.6)
    plain, loud, short = ear.observe([clip, Clip(clip.audio * 4), Clip(clip.audio[:7])])
    assert loud["posterior"] == pytest.approx(plain["posterior"], abs=1e-3)  # the wave is whitened
    assert np.isfinite(short["embedding"]).all()


def test_nothing_of_the_process_changes(tiny, capsys):
    import torch

    ear = plugins.load("observers", f"emotion2vec:model={tiny}")
    before = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist()
    state = torch.get_num_threads(), logging.getLogger().level, list(logging.getLogger().handlers)
    ear.observe(clips(0.5))
    after = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist()
    assert before == after
    now = torch.get_num_threads(), logging.getLogger().level, list(logging.getLogger().handlers)
    assert now == state
    assert capsys.readouterr().out == ""  # FunASR prints its missing keys


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("blocks.1.attn.qkv.weight"), "1 missing .blocks.1.attn.qkv.weight"),
        (lambda t: t.pop("proj.bias"), "1 missing .proj.bias"),
        (lambda t: t.update(extra=t["proj.bias"]), "1 left over .extra"),
        (lambda t: t.update({"proj.weight": t["proj.weight"][:5]}), "1 of another shape"),
        (lambda t: t.clear(), r"\d\d missing .*\.\.\."),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(tensors, tmp_path, change, said):
    damaged = dict(tensors)
    change(damaged)
    ear = plugins.load("observers", f"emotion2vec:model={saved(tmp_path / 'bad', damaged)}")
    with pytest.raises(ValueError, match=said):
        ear.observe(clips(0.5))


def test_the_decoder_of_the_pretraining_may_come_along(tensors, tmp_path, tiny):
    more = {**tensors, "modality_encoders.AUDIO.decoder.proj.weight": tensors["proj.weight"]}
    wrapped = {f"module.{k}": v for k, v in more.items()}
    ear = plugins.load("observers", f"emotion2vec:model={saved(tmp_path / 'more', wrapped)}")
    plain = plugins.load("observers", f"emotion2vec:model={tiny}")
    (heard,), (known,) = ear.observe(clips(0.5)), plain.observe(clips(0.5))
    assert np.array_equal(heard["posterior"], known["posterior"])


def test_other_labels_are_another_column(tensors, tmp_path, tiny):
    five = [f"unuse_{i}" if i in {1, 2, 5, 7} else token for i, token in enumerate(TOKENS)]
    folder = saved(tmp_path / "five" / "tiny", tensors, five)
    ear = plugins.load("observers", f"emotion2vec:model={folder}")
    assert ear.signature != plugins.load("observers", f"emotion2vec:model={tiny}").signature
    (heard,) = ear.observe(clips(0.5))
    assert heard["labels"] == ["angry", "happy", "neutral", "sad", "unknown"]
    assert heard["posterior"].sum() == pytest.approx(1, abs=1e-5)


def test_labels_in_english():
    assert [english(token) for token in TOKENS] == [*LABELS, "unknown"]
    assert english("Angry") == "angry"


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ({"labels": [], "scores": []}, "0 shares"),
        ({"labels": ["a/sad", "b/sad"], "scores": [0.5, 0.5]}, "2 shares"),
        ({"labels": ["sad"], "scores": [0.5, 0.5]}, "2 shares"),
        ({"labels": ["sad"], "scores": [float("nan")]}, "not finite"),
    ],
)
def test_what_is_no_posterior_is_refused(heard, said):
    with pytest.raises(ValueError, match=said):
        observation({**heard, "feats": [1.0]})


def test_missing_weights_say_what_to_fetch():
    pytest.importorskip("huggingface_hub", reason="huggingface_hub comes with funasr")
    with pytest.raises(FileNotFoundError, match="emotion2vec/emotion2vec_plus_large") as caught:
        home_of("iic/emotion2vec_plus_large")
    assert "\n" not in str(caught.value)
    assert "model.pt" in str(caught.value)


def test_a_folder_must_be_whole(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        home_of(str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"has no config\.yaml"):
        home_of(str(tmp_path / "empty"))


@pytest.mark.parametrize("inside", ["models/iic", "iic"])
def test_the_cache_of_modelscope_is_found(tmp_path, inside):
    folder = tmp_path / "modelscope" / inside / "emotion2vec_plus_base"
    folder.mkdir(parents=True)
    for name in ("config.yaml", "model.pt", "tokens.txt"):
        (folder / name).write_text("x")
    assert home_of("iic/emotion2vec_plus_base") == folder
    assert home_of("emotion2vec/emotion2vec_plus_base") == folder
