"""Codecs with published checkpoints, on tiny random ones in the same format."""

import dataclasses
import json
import os
import warnings

import numpy as np
import pytest
import torch

from bench import codes as files
from bench import plugins
from bench.suite import Options, load_metrics, run


def encodec(folder):
    t = pytest.importorskip("transformers", reason="pip install 'speech-bench[speaker]'")
    net = t.EncodecModel(t.EncodecConfig(num_filters=4, hidden_size=16, num_lstm_layers=1))
    net.save_pretrained(folder)
    return lambda x, codes: (
        net.encode(x, bandwidth=6.0).audio_codes[0, 0],
        lambda: net.decode(codes[None, None], [None]).audio_values,
    )


def dac(folder):
    t = pytest.importorskip("transformers", reason="pip install 'speech-bench[speaker]'")
    sizes = {"encoder_hidden_size": 4, "decoder_hidden_size": 32, "codebook_dim": 4}
    rates = {"upsampling_ratios": [8, 5, 4, 2], "downsampling_ratios": [2, 4, 5, 8]}
    config = t.DacConfig(**sizes, **rates, n_codebooks=12, sampling_rate=16000)
    net = t.DacModel(config)
    net.save_pretrained(folder)
    return lambda x, codes: (
        net.encode(torch.nn.functional.pad(x, (0, -x.shape[-1] % 320))).audio_codes[0],
        lambda: net.decode(audio_codes=codes[None]).audio_values,
    )


def mimi(folder):
    t = pytest.importorskip("transformers", reason="pip install 'speech-bench[speaker]'")
    heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    sizes = {"hidden_size": 16, "head_dim": 8, "intermediate_size": 16, "upsample_groups": 16}
    codes = {"codebook_dim": 16, "vector_quantization_hidden_dimension": 16}
    net = t.MimiModel(t.MimiConfig(num_filters=4, num_quantizers=12, **heads, **sizes, **codes))
    net.save_pretrained(folder)
    return lambda x, codes: (
        net.encode(x, num_quantizers=8).audio_codes[0],
        lambda: net.decode(codes[None]).audio_values,
    )


def snac(folder):
    package = pytest.importorskip("snac", reason="pip install 'speech-bench[baselines]'")
    config = {"sampling_rate": 24000, "encoder_dim": 4, "encoder_rates": [2, 4, 8, 8]}
    config |= {"decoder_dim": 32, "decoder_rates": [8, 8, 4, 2], "attn_window_size": None}
    config |= {"codebook_size": 4096, "codebook_dim": 8, "vq_strides": [4, 2, 1]}
    config |= {"noise": True, "depthwise": True}
    net = package.SNAC(**config)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(net.state_dict(), folder / "pytorch_model.bin")
    return lambda x, codes: (net.encode(x), None)


def speechtokenizer(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("speechtokenizer", reason="pip install 'speech-bench[tokenizers]'")
        from speechtokenizer.model import SpeechTokenizer

    config = {"n_filters": 4, "strides": [8, 5, 4, 2], "dimension": 16, "semantic_dimension": 24}
    config |= {"bidirectional": True, "dilation_base": 2, "residual_kernel_size": 3}
    config |= {"n_residual_layers": 1, "lstm_layers": 1, "activation": "ELU"}
    config |= {"codebook_size": 1024, "n_q": 8, "sample_rate": 16000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        net = SpeechTokenizer(config).eval()
    for layer in net.quantizer.vq.layers:  # a codebook that was never used is all zeros
        layer._codebook.embed.data.normal_(std=0.05)
    place = folder / "speechtokenizer_hubert_avg"
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps(config))
    torch.save(net.state_dict(), place / "SpeechTokenizer.pt")
    return lambda x, codes: (
        net.encode(torch.nn.functional.pad(x, (0, -x.shape[-1] % 320)))[:, 0],
        lambda: net.decode(codes[:, None]),
    )


MADE = {f.__name__: f for f in (encodec, dac, mimi, snac, speechtokenizer)}
PUBLISHED = {  # sample rate, kbps of the default, frames a second: by papers and model cards
    "encodec": (24000, 6.0, 75.0),
    "dac": (16000, 6.0, 50.0),
    "mimi": (24000, 1.1, 12.5),
    "snac": (24000, 0.984375, 46.875),
    "speechtokenizer": (16000, 4.0, 50.0),
}


@pytest.fixture(params=MADE)
def made(request, tmp_path):
    """A system on a tiny checkpoint, and the package's own way with the same network."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        reference = MADE[request.param](tmp_path / "w")
    system = plugins.load("systems", f"{request.param}:weights={tmp_path / 'w'}")
    return request.param, system, reference


def test_codes_and_samples_are_the_packages_own(made, speech):
    name, system, reference = made
    wav = speech(system.card.sample_rate, 1.01)
    codes = system.encode(wav)
    with torch.inference_mode():
        expected, _ = reference(torch.from_numpy(wav)[None, None], None)
        assert [s.tolist() for s in codes.streams] == [e.reshape(-1).tolist() for e in expected]
        if name == "snac":
            return  # it draws: see below
        _, decode = reference(torch.from_numpy(wav)[None, None], torch.stack(list(expected)))
        out = decode().reshape(-1).numpy()
    got = system.decode(codes)
    size = min(out.size, wav.size)
    assert np.array_equal(got[:size], np.clip(out[:size], -1, 1))
    assert not got[size:].any()
    assert wav.size - size < 40  # samples that a network with odd strides ends early


def test_card_and_counted_bits(made):
    name, system, _ = made
    rate, kbps, frames = PUBLISHED[name]
    card, wav = system.card, np.zeros(4 * system.card.sample_rate, np.float32)
    assert card.sample_rate == rate
    assert card.frame_rate == pytest.approx(frames)
    assert any(abs(b - kbps) < 1e-9 for b in card.bitrates)
    assert card.weights.startswith("sha256:")
    assert card.scale == "unknown"
    # whole frames: at most one more a stream, SNAC's slowest stream has four of its fastest
    assert system.encode(wav).bits / 4000 == pytest.approx(kbps, rel=0.03)
    assert plugins.load("systems", card.name).card == card


def test_keeps_its_word(made, keeps_its_word, tmp_path):
    _, system, _ = made
    state = torch.random.get_rng_state()
    keeps_its_word(system)
    assert torch.equal(torch.random.get_rng_state(), state), "drew from the global generator"
    wav = np.random.default_rng(0).uniform(-0.1, 0.1, 30000).astype(np.float32)
    codes = system.encode(wav)
    files.write(tmp_path / "a.codes", codes, system.card, system.card.sample_rate)
    again = files.read(tmp_path / "a.codes").codes
    assert np.array_equal(system.decode(again), system.decode(codes))


def test_a_run_has_coverage_and_bitrate(made, tiny, tmp_path):
    _, system, _ = made
    some = dataclasses.replace(tiny, utterances=tiny.utterances[:2])
    record, _ = run(system, some, load_metrics("bitrate"), Options(out=tmp_path / "runs"))
    assert record.score("bitrate").coverage == 1
    assert record.score("bitrate").value > 0.9


@pytest.mark.parametrize("made", ["encodec", "dac", "mimi", "speechtokenizer"], indirect=True)
def test_fewer_codebooks_are_the_first_ones(made, speech):
    name, system, _ = made
    wav = speech(system.card.sample_rate, 0.5)
    rates = {"encodec": "kbps=3", "dac": "kbps=2.5", "mimi": "codebooks=3"}
    some = rates.get(name, "kbps=1")
    place = system.card.name.rpartition("weights=")[2]
    fewer = plugins.load("systems", f"{name}:{some},weights={place}").encode(wav)
    full = system.encode(wav)
    assert 0 < len(fewer.streams) < len(full.streams)
    assert all(np.array_equal(a, b) for a, b in zip(fewer.streams, full.streams, strict=False))


def test_snac_draws_its_noise_anew_from_one_seed(tmp_path):
    snac(tmp_path / "w")
    system = plugins.load("systems", f"snac:weights={tmp_path / 'w'}")
    codes = system.encode(np.zeros(24000, np.float32))
    quiet = system.decode(codes)
    system.noise.manual_seed(1)
    assert np.array_equal(system.decode(codes), quiet)
    for module in system.net.modules():
        if type(module).__name__ == "NoiseBlock":
            module.forward = lambda x: x
    assert not np.array_equal(system.decode(codes), quiet), "no noise was added"


@pytest.mark.parametrize(
    ("name", "given", "part"),
    [
        ("encodec", "kbps=7", "kbps=7 is none of 1.5, 3, 6, 12, 24"),
        ("dac", "kbps=6.2", "kbps=6.2 is no multiple of 0.5 up to 6"),
        ("mimi", "codebooks=13", "codebooks=13 is outside 1 to 12"),
        ("speechtokenizer", "kbps=4.5", "kbps=4.5 is no multiple of 0.5 up to 4"),
    ],
)
def test_a_rate_that_is_not_there(name, given, part, tmp_path):
    MADE[name](tmp_path / "w")
    with pytest.raises(ValueError, match=part):
        plugins.load("systems", f"{name}:{given},weights={tmp_path / 'w'}")


@pytest.mark.parametrize("name", MADE)
def test_weights_that_are_not_there(name, tmp_path, monkeypatch):
    MADE[name](tmp_path / "w")
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    with pytest.raises(FileNotFoundError, match=r"--offline, or put .*config\.json"):
        plugins.load("systems", f"{name}:weights=nobody/nothing")
    files = (p for p in (tmp_path / "w").rglob("*") if p.is_file() and p.suffix != ".json")
    os.remove(next(files))
    with pytest.raises(FileNotFoundError, match="has no "):
        plugins.load("systems", f"{name}:weights={tmp_path / 'w'}")


def test_weights_of_another_network(tmp_path):
    encodec(tmp_path / "a")
    path = tmp_path / "a" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"num_residual_layers": 2}))
    with pytest.raises(ValueError, match="weights of another network"):
        plugins.load("systems", f"encodec:weights={tmp_path / 'a'}")
