"""The recognisers: loaded from tiny checkpoints in the library's own format, made here."""

import json
import shutil
import string
import sys

import numpy as np
import pytest
from material import voice

from bench import audio, plugins
from metrics.observers._base import Clip
from metrics.observers._words import threads, weighted, whisper_code

pytestmark = pytest.mark.filterwarnings(  # both are openai-whisper's own
    "ignore:__array_wrap__ must accept:DeprecationWarning",  # in its beam search
    "ignore::pytest.PytestUnraisableExceptionWarning",  # it leaves its vocabulary's file open
)
STATE, HEADS, LAYERS = 16, 1, 1  # of the tiny Whispers


def clip(seconds, language="en", seed=0):
    noise = 0.01 * np.random.default_rng(seed).standard_normal(round(16000 * seconds))
    return Clip((voice(seconds, 16000) + noise).astype(np.float32), language)


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))


@pytest.fixture(scope="module")
def openai_path(tmp_path_factory):
    """A checkpoint as openai-whisper saves it: dims and a float16 state dict."""
    pytest.importorskip("whisper", reason="needs openai-whisper: pip install 'speech-bench[asr]'")
    import torch
    from whisper.model import ModelDimensions, Whisper

    dims = ModelDimensions(80, 1500, STATE, HEADS, LAYERS, 51865, 64, STATE, HEADS, LAYERS)
    generator = torch.Generator().manual_seed(1)
    state = Whisper(dims).state_dict()
    for name, tensor in state.items():
        if name.endswith("positional_embedding") and name.startswith("encoder"):
            continue
        state[name] = 0.3 * torch.randn(tensor.shape, generator=generator)
    path = tmp_path_factory.mktemp("openai") / "tiny-random.pt"
    torch.save(
        {"dims": vars(dims), "model_state_dict": {k: v.half() for k, v in state.items()}}, path
    )
    return path


@pytest.fixture(scope="module")
def ctranslate_path(tmp_path_factory):
    """A folder as CTranslate2's converters save it, from its own specification; no transformers."""
    pytest.importorskip("faster_whisper", reason="needs faster-whisper: the extra `asr`")
    from ctranslate2.specs.whisper_spec import WhisperSpec
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    special = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>"]
    special += ["<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    special += ["<|notimestamps|>", *(f"<|{0.02 * i:.2f}|>" for i in range(1501))]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = [*letters, *special]
    tokens = Tokenizer(models.BPE({t: i for i, t in enumerate(vocabulary)}, []))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    tokens.add_special_tokens(special)

    rng = np.random.default_rng(2)

    def random(*shape):
        return (0.3 * rng.standard_normal(shape)).astype(np.float32)

    spec = WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)
    for side in (spec.encoder, spec.decoder):
        fill_norm(side.layer_norm)
        for layer in side.layer:
            fill(layer.self_attention.linear[0], random(3 * STATE, STATE))
            fill(layer.self_attention.linear[1], random(STATE, STATE))
            fill(layer.ffn.linear_0, random(4 * STATE, STATE))
            fill(layer.ffn.linear_1, random(STATE, 4 * STATE))
            fill_norm(layer.self_attention.layer_norm)
            fill_norm(layer.ffn.layer_norm)
    for layer in spec.decoder.layer:
        for linear, rows in zip(layer.attention.linear, (1, 2, 1), strict=True):
            fill(linear, random(rows * STATE, STATE))
        fill_norm(layer.attention.layer_norm)
    spec.encoder.conv1.weight, spec.encoder.conv2.weight = (
        random(STATE, 80, 3),
        random(STATE, STATE, 3),
    )
    spec.encoder.conv1.bias, spec.encoder.conv2.bias = random(STATE), random(STATE)
    spec.encoder.position_encodings.encodings = random(1500, STATE)
    spec.decoder.position_encodings.encodings = random(448, STATE)
    spec.decoder.embeddings.weight = random(len(vocabulary), STATE)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.decoder.scale_embeddings = False
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = [vocabulary.index("<|en|>"), vocabulary.index("<|de|>")]
    spec.config.alignment_heads = [(0, 0)]
    spec.register_vocabulary(vocabulary)
    spec.validate()
    folder = tmp_path_factory.mktemp("ctranslate2")
    spec.save(str(folder))
    tokens.save(str(folder / "tokenizer.json"))
    return folder


def fill(linear, weight):
    linear.weight, linear.bias = weight, np.zeros(len(weight), np.float32)


def fill_norm(norm):
    norm.gamma, norm.beta = np.ones(STATE, np.float32), np.zeros(STATE, np.float32)


@pytest.fixture(params=["whisper", "faster_whisper", "pocketsphinx"])
def observer(request):
    if request.param == "pocketsphinx":
        pytest.importorskip("pocketsphinx", reason="needs pocketsphinx: the extra `asr`")
        return plugins.load("observers", "pocketsphinx")
    path = {"whisper": "openai_path", "faster_whisper": "ctranslate_path"}[request.param]
    return plugins.load("observers", f"{request.param}:model={request.getfixturevalue(path)}")


def test_neither_order_nor_batch_nor_a_new_model_change_what_is_heard(observer):
    clips = [clip(0.8, seed=1), clip(1.1, seed=2), clip(0.5, seed=3)]
    whole = observer.observe(clips)
    assert whole == [*reversed(observer.observe(clips[::-1]))]
    observer.close()
    assert whole == [observer.observe([one])[0] for one in clips]
    observer.close()
    for heard in whole:
        assert isinstance(heard["text"], str)
        assert heard["text"] == heard["text"].strip()
        assert heard["logprob"] is None or heard["logprob"] <= 0
        assert json.dumps(heard)


def test_declares_what_it_heard_with(observer):
    assert observer.kind == "words"
    assert observer.sample_rate == 16000
    assert observer.asks == ("language",)
    assert len(observer.weights) == 12
    assert observer.signature.endswith(f"@{observer.weights}")
    assert "device" not in observer.signature
    assert "/" not in observer.signature
    for package in observer.requires:
        assert f"{package}=" in observer.signature


def test_an_unknown_language_is_said_and_not_guessed(observer):
    (heard,) = observer.observe([clip(0.5, language="tlh-Latn")])
    assert set(heard) == {"unheard"}
    assert "tlh-Latn" in heard["unheard"]
    observer.close()


def test_a_few_samples_are_heard(observer):
    for size in (1, 100):
        (heard,) = observer.observe([Clip(np.full(size, 0.1, np.float32))])
        assert isinstance(heard["text"], str)
    observer.close()


def test_whisper_hears_the_language_it_is_told(openai_path):
    made = plugins.load("observers", f"whisper:model={openai_path}")
    heard = made.observe([clip(0.5), clip(0.5, "de-AT"), clip(0.5, "nb")])
    assert all("text" in h and 0 <= h["no_speech"] <= 1 for h in heard)


def test_a_long_recording_is_heard_in_windows(openai_path, monkeypatch):
    from whisper.model import Whisper

    asked = []
    decode = Whisper.decode

    def spy(model, mel, options):
        asked.append((mel.shape, options.without_timestamps, options.prompt, options.language))
        return decode(model, mel, options)

    monkeypatch.setattr(Whisper, "decode", spy)
    made = plugins.load("observers", f"whisper:model={openai_path}")
    made.observe([clip(2.0)])
    assert [stampless for _, stampless, _, _ in asked] == [True]
    asked.clear()
    made.observe([Clip(np.tile(clip(2.0).audio, 16), "de")])  # 32 s
    assert len(asked) >= 2
    for shape, stampless, prompt, language in asked:
        assert tuple(shape) == (80, 3000)
        assert not stampless
        assert not prompt
        assert language == "de"


@pytest.mark.parametrize("name", ["whisper", "faster_whisper"])
def test_a_beam_is_another_column(request, name):
    path = {"whisper": "openai_path", "faster_whisper": "ctranslate_path"}[name]
    spec = f"{name}:model={request.getfixturevalue(path)}"
    greedy, beam = (plugins.load("observers", s) for s in (spec, f"{spec},beam=2"))
    assert "beam=1" in greedy.signature
    assert greedy.signature.replace("beam=1", "beam=2") == beam.signature
    assert "text" in beam.observe([clip(0.5)])[0]
    with pytest.raises(ValueError, match="beam"):
        plugins.load("observers", f"{spec},beam=0")


def test_other_weights_are_another_signature(openai_path, tmp_path):
    import torch

    data = torch.load(openai_path, weights_only=True)
    data["model_state_dict"]["decoder.ln.bias"] += 1
    other = tmp_path / openai_path.name
    torch.save(data, other)
    a, b = (plugins.load("observers", f"whisper:model={p}") for p in (openai_path, other))
    assert a.signature.partition("@")[0] == b.signature.partition("@")[0]
    assert a.weights != b.weights


def test_what_to_fetch_is_said_in_one_line(tmp_path):
    pytest.importorskip("whisper", reason="needs openai-whisper: pip install 'speech-bench[asr]'")
    with pytest.raises(
        FileNotFoundError, match=r"put https://.*/base.pt at .*none/whisper/base.pt"
    ):
        plugins.load("observers", "whisper")
    with pytest.raises(FileNotFoundError, match=r"large-v3-turbo.pt$"):
        plugins.load("observers", "whisper:model=turbo")
    with pytest.raises(FileNotFoundError, match=r"no Whisper checkpoint 'bass': .*base"):
        plugins.load("observers", "whisper:model=bass")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of the Hugging Face hub, whatever this machine has."""
    pytest.importorskip("faster_whisper", reason="needs faster-whisper: the extra `asr`")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.usefixtures("hub")
def test_what_to_fetch_for_ctranslate2_is_said_in_one_line(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"fetch huggingface.co/Systran/faster-whisper-base"
    ):
        plugins.load("observers", "faster_whisper")
    with pytest.raises(FileNotFoundError, match=r"fetch huggingface.co/owner/name"):
        plugins.load("observers", "faster_whisper:model=owner/name")
    with pytest.raises(FileNotFoundError, match=r"no faster-whisper model 'bass': .*base"):
        plugins.load("observers", "faster_whisper:model=bass")
    with pytest.raises(FileNotFoundError, match=r"has no model.bin"):
        plugins.load("observers", f"faster_whisper:model={tmp_path}")


def test_a_model_in_the_cache_is_found_by_name(openai_path, tmp_path, monkeypatch):
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "tiny.pt").write_bytes(openai_path.read_bytes())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    named = plugins.load("observers", "whisper:model=tiny")
    assert named.weights == plugins.load("observers", f"whisper:model={openai_path}").weights


def test_a_model_in_the_hub_s_cache_is_found_by_name(ctranslate_path, hub):
    home = hub / "models--Systran--faster-whisper-base"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("a" * 40, encoding="utf-8")
    shutil.copytree(ctranslate_path, home / "snapshots" / ("a" * 40))
    named = plugins.load("observers", "faster_whisper")
    folder = plugins.load("observers", f"faster_whisper:model={ctranslate_path}")
    assert named.weights == folder.weights
    (home / "snapshots" / ("a" * 40) / "model.bin").unlink()  # as an interrupted download leaves it
    with pytest.raises(FileNotFoundError, match="not on this machine"):
        plugins.load("observers", "faster_whisper")


@pytest.mark.parametrize("name", ["whisper", "faster_whisper", "pocketsphinx"])
def test_a_missing_package_is_said_before_anything_runs(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    assert "pip install 'speech-bench[asr]'" in plugins.lacking("observers", name)


def test_pocketsphinx_hears_english(real_speech):
    pytest.importorskip("pocketsphinx", reason="needs pocketsphinx: the extra `asr`")
    path = sorted((real_speech / "LibriSpeech").rglob("*.flac"))[0]
    wav, rate = audio.read(path)
    made = plugins.load("observers", "pocketsphinx")
    (heard,) = made.observe([Clip(audio.resample(wav, rate, 16000).astype(np.float32))])
    line = path.with_name(f"{path.stem.rpartition('-')[0]}.trans.txt").read_text(encoding="utf-8")
    said = dict(one.split(" ", 1) for one in line.splitlines())[path.stem].lower()
    assert len(set(heard["text"].split()) & set(said.split())) >= 4
    assert set(heard["text"]) <= {*string.ascii_lowercase, *" '.()1234567890-"}


def test_codes_of_languages():
    assert [whisper_code(c) for c in ("en-GB", "zh_CN", "nb", "yue", "EN")] == [
        "en", "zh", "no", "yue", "en",
    ]  # fmt: skip


def test_a_mean_over_windows_is_weighted():
    assert weighted([(-1.0, 3), (-2.0, 1), (9.0, 0)]) == pytest.approx(-1.25)
    assert weighted([]) is None


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads() == 3
