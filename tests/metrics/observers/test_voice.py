"""Observers of kind "voice": the weights and formats of their libraries, and the same answers."""

import json
import runpy
import sys
import types
import urllib.error
import warnings
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
from material import voice

from bench import plugins
from bench.cache import Cache
from bench.observe import Hearing, Subject
from metrics.observers import _weights, ecapa, resemblyzer, wavlm_sv
from metrics.observers._base import Clip
from metrics.observers._weights import folder_of

NEEDS_RESEMBLYZER = pytest.mark.skipif(
    find_spec("resemblyzer") is None, reason="needs the speaker extra"
)

speechlike = runpy.run_path(str(Path(__file__).parents[1] / "speechlike.py"))["speechlike"]
# Torch computes a batch of another size in another order, which moves the last bits.
ROUNDING = 1e-6


def clips(*seconds):
    return [
        Clip(voice(s, pitch=90 + 30 * i, seed=i).astype(np.float32)) for i, s in enumerate(seconds)
    ]


def embeddings(heard):
    return np.stack([observation["embedding"] for observation in heard])


@pytest.fixture(scope="module")
def wavlm_folder(tmp_path_factory):
    """A WavLM x-vector network with random weights, as transformers saves it."""
    transformers = pytest.importorskip("transformers", reason="needs the speaker extra")
    import torch

    folder = tmp_path_factory.mktemp("wavlm-tiny")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = transformers.WavLMForXVector(
            transformers.WavLMConfig(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=64,
                conv_dim=(16, 16, 16),
                conv_kernel=(10, 8, 4),
                conv_stride=(5, 4, 4),
                num_conv_pos_embeddings=16,
                num_conv_pos_embedding_groups=4,
                use_weighted_layer_sum=True,
                tdnn_dim=(24, 24, 24, 24, 48),
                xvector_output_dim=20,
                num_labels=3,
                initializer_range=0.3,  # else all recordings are alike
            )
        )
        network.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


HYPERPARAMS = """
pretrained_path: speechbrain/not-on-this-machine
n_mels: 16
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: !ref <n_mels>
    channels: [16, 16, 16, 16, 48]
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 8
    lin_neurons: 12
classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
    input_size: 12
    out_neurons: 3
mean_var_norm_emb: !new:speechbrain.processing.features.InputNormalization
    norm_type: global
    std_norm: False
modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    mean_var_norm_emb: !ref <mean_var_norm_emb>
    classifier: !ref <classifier>
label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        embedding_model: !ref <embedding_model>
        mean_var_norm_emb: !ref <mean_var_norm_emb>
        classifier: !ref <classifier>
        label_encoder: !ref <label_encoder>
    paths:
        embedding_model: !ref <pretrained_path>/embedding_model.ckpt
        mean_var_norm_emb: !ref <pretrained_path>/mean_var_norm_emb.ckpt
        classifier: !ref <pretrained_path>/classifier.ckpt
        label_encoder: !ref <pretrained_path>/label_encoder.txt
"""


@pytest.fixture(scope="module")
def ecapa_folder(tmp_path_factory):
    """An ECAPA-TDNN with random weights, in the files of SpeechBrain's published model."""
    pytest.importorskip("speechbrain", reason="needs the speaker extra")
    import torch
    from hyperpyyaml import load_hyperpyyaml

    folder = tmp_path_factory.mktemp("ecapa-tiny")
    (folder / "hyperparams.yaml").write_text(HYPERPARAMS, encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = load_hyperpyyaml(HYPERPARAMS)
        for name in ("embedding_model", "classifier"):
            torch.save(made[name].state_dict(), folder / f"{name}.ckpt")
    made["mean_var_norm_emb"](torch.ones(2, 1, 12), torch.ones(2))
    made["mean_var_norm_emb"]._save(folder / "mean_var_norm_emb.ckpt")
    made["label_encoder"].update_from_iterable(["a", "b", "c"])
    made["label_encoder"].save(folder / "label_encoder.txt")
    return folder


@pytest.fixture(params=[pytest.param("resemblyzer", marks=NEEDS_RESEMBLYZER), "wavlm_sv", "ecapa"])
def observer(request):
    """Each observer, by the same spec that a user writes."""
    spec = {
        "resemblyzer": lambda: "resemblyzer",
        "wavlm_sv": lambda: f"wavlm_sv:model={request.getfixturevalue('wavlm_folder')}",
        "ecapa": lambda: f"ecapa:source={request.getfixturevalue('ecapa_folder')}",
    }[request.param]()
    return plugins.load("observers", spec, device="cpu")


def test_batch_and_order_do_not_count(observer):
    batch = clips(0.5, 1.3, 2.4, 1.9)
    together = embeddings(observer.observe(batch))
    backwards = embeddings(observer.observe(batch[::-1]))[::-1]
    alone = embeddings([observer.observe([clip])[0] for clip in batch])
    assert together.dtype == np.float32
    assert together == pytest.approx(alone, abs=ROUNDING)
    assert together == pytest.approx(backwards, abs=ROUNDING)
    assert np.isfinite(together).all()
    observer.close()
    assert embeddings(observer.observe(batch)) == pytest.approx(together, abs=ROUNDING)
    observer.close()


def test_the_signature_names_the_weights(observer):
    assert observer.signature.startswith(f"{observer.name}(")
    assert observer.signature.endswith(f"@{observer.weights}")
    assert len(observer.weights) == 12
    assert "device" not in observer.signature


def test_nothing_is_loaded_before_it_listens(observer):
    kept = [vars(observer).get(name) for name in ("_layers", "_parts", "_model")]
    assert kept == [None, None, None]


def test_what_was_heard_is_kept(observer, tmp_path):
    path = tmp_path / "voice.wav"
    soundfile.write(path, voice(1.0), 16000, subtype="FLOAT")
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(16000), 16000)
    with Cache(tmp_path / "cache") as cache:
        hearing = Hearing(observer, cache)
        hearing.listen([Subject(path), Subject(silence)])
        again = Hearing(observer, cache)
        again.listen([Subject(path), Subject(silence)])
        assert (again.computed, again.cached) == (0, 2)
        first, second = (h[Subject(path)].observation["embedding"] for h in (hearing, again))
        assert np.array_equal(first, second)
        assert hearing[Subject(silence)].observation == {"silent": True}


def test_too_short_is_said(observer):
    if observer.name == "resemblyzer":  # fills its window with zeros, as the package does
        assert np.linalg.norm(observer.observe(clips(0.01))[0]["embedding"]) == pytest.approx(1)
        return
    (heard,) = observer.observe(clips(0.01))
    assert set(heard) == {"unheard"}
    assert heard["unheard"].startswith("lasts 0.01 s, ")
    observer.close()


# Resemblyzer


@NEEDS_RESEMBLYZER
def test_resemblyzer_gives_what_the_package_gave(elsewhere):
    cases = elsewhere("resemblyzer")
    wavs = [c["gain"] * speechlike(c["seconds"], 16000, c["seed"]) for c in cases]
    observer = resemblyzer.load(level="package")
    heard = observer.observe([Clip(w.astype(np.float32)) for w in wavs])
    assert embeddings(heard) == pytest.approx(np.array([c["embedding"] for c in cases]), abs=1e-6)


def test_resemblyzer_equals_the_package(package, real_speech):
    files = sorted((real_speech / "LibriSpeech" / "test-other").rglob("*.flac"))[:3]
    encoder = package.VoiceEncoder("cpu", verbose=False)
    wavs = [soundfile.read(path, dtype="float32")[0] for path in files]
    wavs += [wavs[0][:30000] * 1e-3]
    for level in ("fixed", "package"):
        only = level == "package"
        normal = [package.normalize_volume(w, -30, increase_only=only) for w in wavs]
        theirs = np.stack([encoder.embed_utterance(wav) for wav in normal])
        ours = embeddings(resemblyzer.load(level=level).observe([Clip(w) for w in wavs]))
        assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.fixture(scope="module")
def package():
    """Resemblyzer itself; the detector of pauses that it imports is not used here."""
    known = dict(sys.modules)
    sys.modules.setdefault("webrtcvad", types.ModuleType("webrtcvad"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports from a place that SciPy will close
            yield pytest.importorskip("resemblyzer", reason="compared only where it is installed")
    finally:
        if "webrtcvad" not in known:
            del sys.modules["webrtcvad"]


@pytest.mark.parametrize(
    ("samples", "starts"),
    [
        # A window is 25600 samples, the next starts 12320 later; the last needs 19200 of its own.
        (1, [0]),
        (25600, [0]),
        (12320 + 19199, [0]),
        (12320 + 19200, [0, 77]),
        (2 * 12320 + 19200, [0, 77, 154]),
    ],
)
def test_windows_by_hand(samples, starts):
    assert resemblyzer.windows(samples).tolist() == starts


def test_levels_by_hand():
    # RMS 0.1 is -20 dBFS, RMS 0.001 is -60 dBFS; -30 dBFS is 10^-1.5.
    loud, quiet, target = np.full(4, 0.1), np.full(4, 1e-3), np.full(4, 10**-1.5)
    assert resemblyzer.levelled(loud, "fixed") == pytest.approx(target)
    assert resemblyzer.levelled(quiet, "fixed") == pytest.approx(target)
    assert resemblyzer.levelled(quiet, "package") == pytest.approx(target)
    assert resemblyzer.levelled(loud, "package") == pytest.approx(loud)


@NEEDS_RESEMBLYZER
@pytest.mark.parametrize("gain", [1e-3, 0.3, 2.0])
def test_level_does_not_count(gain):
    wav = voice(2.0).astype(np.float32)
    one, other = embeddings(resemblyzer.load().observe([Clip(wav), Clip(gain * wav)]))
    assert one == pytest.approx(other, abs=1e-5)


@NEEDS_RESEMBLYZER
def test_another_level_is_another_signature():
    assert "(level=package," in resemblyzer.load(level="package").signature
    with pytest.raises(ValueError, match="level is fixed or package, got 'loud'"):
        resemblyzer.load(level="loud")


# WavLM


def test_wavlm_equals_transformers(wavlm_folder):
    import torch
    from transformers import AutoFeatureExtractor, WavLMForXVector

    extractor = AutoFeatureExtractor.from_pretrained(wavlm_folder)
    network = WavLMForXVector.from_pretrained(wavlm_folder).eval()
    batch = clips(0.7, 2.1)
    with torch.inference_mode():
        theirs = [
            network(**extractor(c.audio, sampling_rate=16000, return_tensors="pt")).embeddings[0]
            for c in batch
        ]
    ours = embeddings(wavlm_sv.load(model=str(wavlm_folder), device="cpu").observe(batch))
    assert ours == pytest.approx(np.stack([t.numpy() for t in theirs]), abs=1e-5)
    assert ours.shape == (2, 20)
    assert np.abs(ours[0] - ours[1]).max() > 1e-3


def test_padding_would_change_what_wavlm_hears(wavlm_folder):
    import torch

    observer = wavlm_sv.load(model=str(wavlm_folder), device="cpu")
    (clip,) = clips(0.7)
    extractor, network = observer._loaded("cpu")
    both = [clip.audio, clips(2.1)[0].audio]
    padded = extractor(both, sampling_rate=16000, padding=True, return_tensors="pt")
    with torch.inference_mode():
        batch = network(**padded).embeddings[0].numpy()
    (alone,) = observer.observe([clip])
    assert np.abs(alone["embedding"] - batch).max() > 1e-3


def test_wavlm_needs_two_frames(wavlm_folder):
    # Head: kernels 5, 3, 3, 1, 1 at steps 1, 2, 3, 1, 1 take 4 + 4 + 6 = 14 frames; 2 must be left:
    # 16 frames. Layers (4, 4), (8, 4), (10, 5) backwards: 64, 260, 1305 samples.
    observer = wavlm_sv.load(model=str(wavlm_folder), device="cpu")
    enough, short = (Clip(voice(1.0)[:n].astype(np.float32)) for n in (1305, 1304))
    assert np.isfinite(observer.observe([enough])[0]["embedding"]).all()
    assert observer.observe([short])[0] == {"unheard": "lasts 0.08 s, wavlm_sv needs 0.08 s"}


def test_wavlm_refuses_a_network_without_weights(wavlm_folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((wavlm_folder / name).read_bytes())
    state = load_file(wavlm_folder / "model.safetensors")
    whole = {k: v for k, v in state.items() if not k.startswith("objective.")}
    save_file(whole, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert wavlm_sv.load(model=str(tmp_path)).observe(clips(0.5))  # only training needs it
    for name in ("projector.weight", "layer_weights"):
        del whole[name]
    save_file(whole, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="has no weights for 2 parameters: layer_weights"):
        wavlm_sv.load(model=str(tmp_path)).observe(clips(0.5))


def test_wavlm_refuses_another_rate(wavlm_folder, tmp_path):
    for path in wavlm_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "preprocessor_config.json").read_text(encoding="utf-8"))
    text = json.dumps(config | {"sampling_rate": 8000})
    (tmp_path / "preprocessor_config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="wants 8000 Hz, not 16000"):
        wavlm_sv.load(model=str(tmp_path)).observe(clips(0.5))


# ECAPA


def test_ecapa_equals_speechbrain(ecapa_folder):
    import torch
    from speechbrain.inference.classifiers import EncoderClassifier

    network = EncoderClassifier.from_hparams(
        source=str(ecapa_folder), overrides={"pretrained_path": str(ecapa_folder)}
    )
    batch = clips(0.7, 2.1)
    theirs = [network.encode_batch(torch.from_numpy(c.audio))[0, 0].numpy() for c in batch]
    ours = embeddings(ecapa.load(source=str(ecapa_folder), device="cpu").observe(batch))
    assert ours == pytest.approx(np.stack(theirs), abs=1e-5)
    assert ours.shape == (2, 12)
    assert np.abs(ours[0] - ours[1]).max() > 1e-3


def test_ecapa_writes_nothing(ecapa_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(ecapa_folder.iterdir())
    ecapa.load(source=str(ecapa_folder), device="cpu").observe(clips(0.5))
    assert sorted(ecapa_folder.iterdir()) == before
    assert list(tmp_path.iterdir()) == []


def test_ecapa_at_its_shortest(ecapa_folder):
    observer = ecapa.load(source=str(ecapa_folder), device="cpu")
    assert np.isfinite(observer.observe(clips(0.1))[0]["embedding"]).all()


def test_ecapa_without_a_pretrained_path(ecapa_folder, tmp_path):
    for path in ecapa_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = HYPERPARAMS.replace("pretrained_path: speechbrain/not-on-this-machine\n", "")
    text = text[: text.index("    paths:")]  # then each file is looked for by its key
    (tmp_path / "hyperparams.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "label_encoder.txt").rename(tmp_path / "label_encoder.ckpt")
    batch = clips(0.5)
    one, other = (ecapa.load(source=str(f)).observe(batch) for f in (ecapa_folder, tmp_path))
    assert embeddings(one) == pytest.approx(embeddings(other), abs=ROUNDING)


# Where weights are looked for


@pytest.mark.parametrize(
    "spec", ["wavlm_sv", "wavlm_sv:model=microsoft/wavlm-base-plus-sv", "ecapa"]
)
def test_missing_weights_are_one_line(spec, monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub", reason="needs the speaker extra")
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"are not on this machine: .*=FOLDER$") as caught:
        plugins.load("observers", spec)
    assert "\n" not in str(caught.value)
    assert ("model=FOLDER" if "wavlm" in spec else "source=FOLDER") in str(caught.value)


def test_the_cache_of_the_hub_is_enough(wavlm_folder, monkeypatch, tmp_path):
    home = tmp_path / "models--somebody--tiny"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("0123", encoding="utf-8")
    (home / "snapshots").mkdir()
    (home / "snapshots" / "0123").symlink_to(wavlm_folder)
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    known = wavlm_sv.load(model="somebody/tiny")
    assert known.weights == wavlm_sv.load(model=str(wavlm_folder)).weights
    assert "model=tiny" in known.signature


def test_the_hub_is_asked_last(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub", reason="needs the speaker extra")
    asked = []

    def download(model, name, local_files_only):
        asked.append((name, local_files_only))
        if local_files_only or name == "w.safetensors":
            raise hub.errors.EntryNotFoundError
        (tmp_path / name).write_text("", encoding="utf-8")
        return str(tmp_path / name)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    monkeypatch.setattr(_weights, "_reached", lambda: True)
    assert folder_of("some/model", [["c.json"], ["w.safetensors", "w.bin"]]) == tmp_path
    assert [name for name, local in asked if not local] == ["c.json", "w.safetensors", "w.bin"]
    assert asked[0] == ("c.json", True)


def test_a_hub_out_of_reach_is_tried_once(monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub", reason="needs the speaker extra")
    tried = []

    def unreachable(url, timeout):
        tried.append(url)
        raise urllib.error.URLError("no network")  # noqa: EM101

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("BENCH_OFFLINE", raising=False)
    with pytest.raises(
        FileNotFoundError, match="the weights of some/model are not on this machine"
    ):
        folder_of("some/model", [["c.json"], ["w.bin"]])
    assert len(tried) == 1


def test_an_answer_is_an_answer(monkeypatch):
    pytest.importorskip("huggingface_hub", reason="needs the speaker extra")

    def refused(url, timeout):
        raise urllib.error.HTTPError(url, 401, "who are you", {}, None)

    monkeypatch.setattr("urllib.request.urlopen", refused)
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    assert not _weights._reached()
    monkeypatch.delenv("BENCH_OFFLINE")
    assert _weights._reached()


def test_a_folder_that_lacks_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder .* has no config\.json$"):
        wavlm_sv.load(model=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"has no hyperparams\.yaml$"):
        ecapa.load(source=str(tmp_path))


def test_a_folder_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=r"no folder /nowhere/at/all \(model is a folder"):
        wavlm_sv.load(model="/nowhere/at/all")


def test_a_package_that_is_not_there_is_one_line(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(resemblyzer, "distribution", absent)
    with pytest.raises(FileNotFoundError, match=r"pip install 'speech-bench\[speaker\]'"):
        resemblyzer.load()
