"""IBPCodec against its paper: equations, totals, causality, streaming, ablations and recipe."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch
from torch.nn import functional as fn

from bench import card
from systems import ibpcodec, vocodec
from systems._base import Codec, Codes
from systems.ibpcodec import Config
from systems.train import ibpcodec as recipe

SMALL = {"channels": (4, 4, 8, 8), "focal_blocks": 1, "hidden": 0.5, "codebook_size": 16}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def codec():
    return ibpcodec.load(weights="random")


def noise(n, seed=0, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_every_name_of_the_map_cites_its_place():
    lines = re.findall(r"^    (?:Eq\.|Sec\.).*-> (\w+)$", ibpcodec.__doc__, re.M)
    assert len(lines) == 12
    for name in lines:
        assert re.match(r"(Eq|Sec)\.", getattr(ibpcodec, name).__doc__), name


# ---- Time and frequency ---------------------------------------------------------------------


def test_analysis_against_a_written_out_transform():
    c = Config(window=12, hop=6, points=16)
    x = torch.from_numpy(noise(24))[None]
    got = ibpcodec.analyse(x, c)[0].numpy()
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(12) / 12))
    assert got.shape == (3, 9)
    for t in range(3):
        for k in range(9):
            terms = (
                x[0, 6 * t + n].item() * window[n] * np.exp(-2j * np.pi * k * n / 16)
                for n in range(12)
            )
            assert abs(got[t, k] - sum(terms) / window.sum()) < 1e-6


def test_eq_2_gives_the_signal_back():
    c = Config()
    x = torch.from_numpy(noise(640 + 9 * 320))[None]
    spectrum = ibpcodec.analyse(x, c)
    assert c.low_bins == 384
    back = ibpcodec.synthesise(spectrum[..., :384], spectrum[..., 384:], c)
    torch.testing.assert_close(back[:, 320:-320], x[:, 320:-320], atol=1e-6, rtol=0)


def test_features_by_hand_and_back():
    # |3 + 4j| = 5, unit 0.6 + 0.8j; zero stays finite
    z = ibpcodec.unit_features(torch.tensor([[[3 + 4j, 0j]]]))
    torch.testing.assert_close(z[0, 0], torch.tensor([[5.0, 0.0], [0.6, 0.0], [0.8, 0.0]]))
    x = torch.view_as_complex(drawn(2, 3, 7, 2))
    torch.testing.assert_close(ibpcodec.unit_spectrum(ibpcodec.unit_features(x)), x)
    # 4 |X|^0.3 at |X| = 0.5; parts of 45 degrees
    y = ibpcodec.compressed_features(
        torch.tensor([[[0.5 * np.exp(0.25j * np.pi)]]]).to(torch.complex64)
    )
    want = 4 * 0.5**0.3 * torch.tensor([1, math.cos(math.pi / 4), math.sin(math.pi / 4)])
    torch.testing.assert_close(y[0, 0, :, 0], want, rtol=1e-4, atol=0)


def test_compressed_spectrum_by_hand():
    # gain 2 sigmoid(0) = 1; (1.2, 1.6) / 4 = (0.3, 0.4), |Y|^2 = 0.25
    got = ibpcodec.compressed_spectrum(torch.tensor([0.0, 1.2, 1.6]).view(1, 1, 3, 1))
    torch.testing.assert_close(got, torch.tensor([[[0.075 + 0.1j]]]))


# ---- Network --------------------------------------------------------------------------------


@torch.no_grad()
def test_focal_block_against_loops():
    c = Config(low=0.5, channels=(1, 1, 1, 1), focal_kernels=(2, 3))
    block = ibpcodec.build(c).before.blocks[0].double()
    x = drawn(1, 6, 8).double()
    got = block(x, None)[0]
    size, d = x.shape[1], 8
    want = torch.zeros(size, d).double()
    y = fn.layer_norm(x[0], (d,), block.norm.weight, block.norm.bias, 1e-6) @ block.split.weight.t()
    y = y + block.split.bias
    query, context, gates = y[:, :d], y[:, d : 2 * d], y[:, 2 * d :]
    total = torch.zeros(size, d).double()
    for level, kernel in enumerate(c.focal_kernels):
        conv = block.convs[level]
        after = torch.zeros(size, d).double()
        for t in range(size):
            for i in range(d):
                value = conv.bias[i]
                for k in range(kernel):
                    past = t - (kernel - 1) + k
                    if past >= 0:
                        value = value + conv.weight[i, 0, k] * context[past, i]
                after[t, i] = value * 0.5 * (1 + math.erf(value / math.sqrt(2)))
        context = after
        total = total + context * gates[:, level : level + 1]
    modulated = query * (total @ block.modulate.weight.t() + block.modulate.bias)
    mid = x[0] + block.scale[0] * (modulated @ block.project.weight.t() + block.project.bias)
    for t in range(size):
        z = fn.layer_norm(mid[t], (d,), block.norm_2.weight, block.norm_2.bias, 1e-6)
        hidden = block.up.weight @ z + block.up.bias
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
        want[t] = mid[t] + block.scale[1] * (block.down.weight @ hidden + block.down.bias)
    torch.testing.assert_close(got, want)


def test_eq_1_against_loops_and_its_ablation():
    c = Config(**SMALL)
    module = ibpcodec.build(c).ibpm
    low = drawn(1, 2, 3, c.low_bins)
    got = module(low)
    assert got.shape == (1, 2, 3, 513 - 384)
    for t in range(2):
        x = torch.cat([low[0, t, i] for i in range(3)])
        for conv, slope in zip(module.convs, module.slopes, strict=True):
            x = conv.weight @ x + conv.bias
            x = fn.prelu(x[None], slope)[0]
        torch.testing.assert_close(got[0, t].flatten(), x)
    assert len(module.convs) == 3
    without = ibpcodec.build(Config(**SMALL, ibpm=False))
    _, high = without.decoder(drawn(1, 2, c.width))
    assert high.abs().max() < 1e-9


def test_conv_encoder_keeps_frames_apart_and_without_tam_so_does_all():
    net = ibpcodec.build(Config(**SMALL, tam=False))
    spectrum = torch.view_as_complex(0.1 * drawn(1, 5, 513, 2))
    changed = spectrum.clone()
    changed[:, 2] *= 3j
    moved = (net.encoder(spectrum) - net.encoder(changed)).abs().amax(-1)[0] > 1e-6
    assert moved.tolist() == [False, False, True, False, False]
    whole = ibpcodec.build(Config(**SMALL))
    moved = (whole.encoder(spectrum) - whole.encoder(changed)).abs().amax(-1)[0] > 1e-6
    assert moved.tolist() == [False, False, True, True, True]


def test_high_bins_are_not_coded():
    net = ibpcodec.build(Config(**SMALL))
    spectrum = torch.view_as_complex(0.1 * drawn(1, 3, 513, 2))
    changed = spectrum.clone()
    changed[..., 384:] = 0
    torch.testing.assert_close(net.encoder(spectrum), net.encoder(changed), rtol=0, atol=0)


def test_grvq_decodes_what_it_chose_and_groups_are_apart():
    q = ibpcodec.build(Config(**SMALL)).quantiser
    z = drawn(2, 4, Config(**SMALL).width)
    codes = q.encode(z, 3)
    assert codes.shape == (2, 4, 6)
    half = z.clone()
    half[..., : z.shape[-1] // 2] = 0
    moved = (q.encode(half, 3) != codes).any(1).any(0)
    assert not moved[1::2].any()
    left = z
    for layer in range(3):  # every layer leaves what the sum of the layers so far does not explain
        made = q.decode(codes[..., : 2 * (layer + 1)])
        left = z - made
        again = q.encode(z, layer + 1)
        torch.testing.assert_close(again, codes[..., : 2 * (layer + 1)])
    assert left.shape == z.shape


# ---- Totals, causality, streaming -----------------------------------------------------------


@pytest.mark.parametrize(("low", "macs"), [(0.75, 0.35e9), (1.0, 0.47e9), (0.5, 0.27e9)])
def test_totals_are_the_papers_within_3_percent(low, macs):
    system = ibpcodec.load(low=low, weights="random")
    measured = card.measure(system, seconds=4)
    assert measured["macs_per_second"] == pytest.approx(macs, rel=0.03)
    if low == 0.75:
        assert measured["parameters"] == pytest.approx(4.8e6, rel=0.03)
    assert measured["frame_rate"] == pytest.approx(50)
    assert measured["bitrates"] == pytest.approx((1, 2, 3), rel=0.02)
    assert measured["latency_seconds"] <= 0.04


@pytest.mark.parametrize("kbps", [1, 2, 3])
def test_streaming_equals_offline_and_codes_stay_in_their_alphabets(kbps):
    system = ibpcodec.load(kbps=kbps, weights="random")
    assert isinstance(system, Codec)
    wav = noise(5000, seed=kbps)
    codes = system.encode(wav)
    assert len(codes.streams) == 2 * kbps
    assert all(
        0 <= s.min() and s.max() < a for s, a in zip(codes.streams, codes.alphabets, strict=True)
    )
    stream = system.encoder()
    cuts = [0, 1, 7, 330, 331, 2000, 5000]
    parts = [stream.push(wav[a:b]) for a, b in pairwise(cuts)]
    together = np.concatenate([*parts, stream.finish()])
    np.testing.assert_array_equal(together, np.stack(codes.streams, 1))
    system.net.double()  # random weights drive it far beyond full scale, and rounding with it
    out = system.decode(codes)
    decoder = system.decoder()
    pieces = [decoder.push(together[i : i + 1]) for i in range(len(together))]
    np.testing.assert_allclose(np.concatenate(pieces)[:5000], out, atol=1e-5)


def test_it_keeps_its_word(keeps_its_word, codec):
    keeps_its_word(codec)


def test_fewer_layers_of_the_same_codes(codec):
    wav = noise(3200)
    three = codec.encode(wav)
    one = ibpcodec.load(kbps=1, weights="random")
    for a, b in zip(one.encode(wav).streams, three.streams, strict=False):
        np.testing.assert_array_equal(a, b)
    cut = Codes(three.streams[:2], three.alphabets[:2], three.samples)
    np.testing.assert_array_equal(codec.decode(cut), one.decode(one.encode(wav)))


def test_mistakes_are_named(tmp_path):
    for given, message in (({"kbps": 6}, "1, 2 or 3 kbps"), ({"low": 0.6}, r"0\.5, 0\.75 or 1")):
        with pytest.raises(ValueError, match=message):
            ibpcodec.load(**given)
    with pytest.raises(ValueError, match="bench train ibpcodec"):
        ibpcodec.load(weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(ValueError, match="NaN"):
        ibpcodec.load(weights="random").encode(np.full(10, np.nan, np.float32))


# ---- Losses and recipe ----------------------------------------------------------------------


def test_eq_3_and_4_by_hand():
    w = ibpcodec.Weights(wav=2, mel=0, rec=3, adv=5, feat=7, cmt=11)
    one = torch.ones(())
    assert ibpcodec.generator_loss(one, 2 * one, 3 * one, 4 * one, w).item() == 3 + 10 + 21 + 44
    x = torch.from_numpy(noise(4000))[None]
    assert ibpcodec.reconstruction_loss(x + 0.5, x, w).item() == pytest.approx(1.0)
    assert ibpcodec.reconstruction_loss(x, x).item() == 0
    mel = ibpcodec.reconstruction_loss(0.5 * x, x, ibpcodec.Weights(wav=0, mel=3), scales=(4,))
    other = vocodec.mel_loss(0.5 * x, x, sample_rate=16000, scales=(4,))
    assert mel.item() == pytest.approx(3 * other.item())


def test_discriminator_has_the_papers_windows():
    judge = ibpcodec.discriminator(2)
    assert [s.window for s in judge.scales] == [512, 256, 128]
    decisions, maps = judge(torch.from_numpy(noise(2000))[None])
    assert len(decisions) == len(maps) == 3


TINY = recipe.Recipe(
    codec=Config(features="compressed", **SMALL), batch=2, crop=3200, speeds=(1.0,),
    complex_windows=(256,), soft_share=0.3, channels=2,
)  # fmt: skip


@pytest.fixture
def recordings(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(16000), 16000)
    return [path]


def test_training_resumes_and_ships(recordings, tmp_path):
    recipe.train(recordings, tmp_path / "out", config=TINY, steps=3)
    weights = recipe.train(recordings, tmp_path / "out", config=TINY, steps=4)
    state = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    assert state["progress"]["step"] == 4
    system = ibpcodec.load(weights=str(weights))
    assert system.config == TINY.codec
    assert system.card.scale == "reduced"
    assert system.decode(system.encode(noise(1000))).shape == (1000,)
    assert json.loads(weights.with_suffix(".json").read_text())["steps"] == 4
    with pytest.raises(ValueError, match="no audio file"):
        recipe.train([], tmp_path)


def test_adversarial_stage_trains_both_sides():
    from dataclasses import replace

    session = recipe.Session(replace(TINY, adversarial_share=0.0, soft_share=1.0), seed=0, rank=0)
    before = session.judge.scales[0].last.weight.detach().clone()
    values = session.step(torch.from_numpy(noise(6400)).view(2, 3200), 0.0)
    assert not torch.equal(before, session.judge.scales[0].last.weight)
    assert {"d", "adv", "feat"} <= set(values)
    assert np.isfinite(list(values.values())).all()
