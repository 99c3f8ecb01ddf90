"""VoCodec against its paper: equations, totals, latency, streaming, weights and recipe."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch.nn import functional as fn
from torch.utils.flop_counter import FlopCounterMode

from systems import vocodec
from systems._base import FIGURES, Codec, Codes
from systems.train import _trainer
from systems.train import vocodec as recipe
from systems.vocodec import Config, EnhancerConfig

RATE = 24000


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def codec():
    return vocodec.load()


@pytest.fixture(scope="module")
def cascade():
    return vocodec.load(enhance=True, weights="random")


def noise(n, seed=0, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_spectrum(*shape, seed=0):
    return torch.view_as_complex(0.1 * torch.randn(*shape, 2, generator=generator(seed)))


# ---- The file as the paper's index ----------------------------------------------------------


def test_every_name_of_the_map_cites_its_place():
    lines = re.findall(r"^    (?:Eq\.|Sec\.).*-> (\w+)$", vocodec.__doc__, re.M)
    assert len(lines) == 21
    for name in lines:
        assert re.match(r"(Eq|Sec)\.", getattr(vocodec, name).__doc__), name


def test_eq_1_by_hand():
    # |3 + 4j| = 5, angle = atan2(4, 3); |-1| = 1, angle = pi
    z = vocodec.log_phase_features(torch.tensor([[[3 + 4j, -1 + 0j]]]))
    want = [math.log(5), 0.0, math.atan2(4, 3), math.pi]
    torch.testing.assert_close(z[0, 0], torch.tensor(want))


def test_eq_1_is_the_default_and_finite_at_zero():
    assert Config().features == "log_phase"
    z = vocodec.log_phase_features(torch.zeros(1, 1, 4, dtype=torch.complex64))
    assert torch.isfinite(z).all()


def test_compressed_features_by_hand():
    # |X| = 0.5 at 45 degrees: each part is 4 * 0.5^0.3 * cos(45 deg)
    x = torch.tensor([[[0.5 * np.exp(0.25j * np.pi)]]]).to(torch.complex64)
    part = 4 * 0.5**0.3 * math.cos(math.pi / 4)
    got = vocodec.compressed_features(x)[0, 0]
    torch.testing.assert_close(got, torch.tensor([part, part]), rtol=1e-5, atol=0)


def test_spectrum_of_by_hand():
    # (4 * 0.3, 4 * 0.4): |Y| = 0.5, X = Y |Y|^2 = (0.3 + 0.4j) / 4
    got = vocodec.spectrum_of(torch.tensor([[[1.2, 1.6]]]))
    torch.testing.assert_close(got, torch.tensor([[[0.075 + 0.1j]]]))


def test_analysis_against_a_written_out_transform():
    x = torch.from_numpy(noise(24))[None]
    got = vocodec.analyse(x, 12, 4)[0].numpy()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(12) / 12)
    assert got.shape == (4, 7)
    for t in range(4):
        for k in range(7):
            want = sum(
                x[0, 4 * t + n].item() * window[n] * np.exp(-2j * np.pi * k * n / 12)
                for n in range(12)
            ) / sum(window)
            assert abs(got[t, k] - want) < 1e-6


def test_full_scale_sine_has_half_magnitude_and_comes_back():
    x = torch.sin(2 * torch.pi * 1000 / RATE * torch.arange(720 + 9 * 240))[None]
    spectrum = vocodec.analyse(x, 720, 240)
    assert spectrum.abs().max().item() == pytest.approx(0.5, abs=1e-3)
    back = vocodec.synthesise(spectrum, 720, 240)
    torch.testing.assert_close(back[:, 480:-480], x[:, 480:-480], atol=1e-5, rtol=0)


# ---- Losses, a second time ------------------------------------------------------------------


def test_eq_2_by_hand_and_by_loops():
    # x = (1, 0), x-hat = (3, 1): x_t = (3, 0), noise (0, 1): -log10(9 / 1)
    got = vocodec.si_snr_loss(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 0.0]]))
    assert got.item() == pytest.approx(-math.log10(9), abs=1e-6)
    a, b = noise(50, 1), noise(50, 2)
    dot = sum(p * q for p, q in zip(a, b, strict=True))
    scale = dot / sum(q * q for q in b)
    top = sum((scale * q) ** 2 for q in b)
    rest = sum((p - scale * q) ** 2 for p, q in zip(a, b, strict=True))
    got = vocodec.si_snr_loss(torch.from_numpy(a)[None], torch.from_numpy(b)[None])
    assert got.item() == pytest.approx(-math.log10(top / rest), abs=1e-4)


def test_si_snr_ignores_level_and_survives_silence():
    a, b = torch.from_numpy(noise(100, 1))[None], torch.from_numpy(noise(100, 2))[None]
    one, two = vocodec.si_snr_loss(a, b), vocodec.si_snr_loss(5 * a, b)
    assert one.item() == pytest.approx(two.item(), abs=1e-4)
    assert torch.isfinite(vocodec.si_snr_loss(torch.zeros(1, 9), torch.zeros(1, 9)))


def test_eqs_3_and_4_by_loops():
    a, b = random_spectrum(1, 3, 5, seed=1), random_spectrum(1, 3, 5, seed=2)
    mag = real = imag = 0.0
    for p, q in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True):
        mag += (abs(p) ** 0.3 - abs(q) ** 0.3) ** 2 / 15
        real += (p.real / abs(p) ** 0.7 - q.real / abs(q) ** 0.7) ** 2 / 15
        imag += (p.imag / abs(p) ** 0.7 - q.imag / abs(q) ** 0.7) ** 2 / 15
    assert vocodec.magnitude_loss(a, b).item() == pytest.approx(mag, rel=1e-4)
    got = vocodec.real_imag_loss(a, b)
    assert got[0].item() == pytest.approx(real, rel=1e-4)
    assert got[1].item() == pytest.approx(imag, rel=1e-4)


def test_eqs_3_and_4_have_finite_gradients_at_zero():
    a = torch.zeros(1, 2, 3, dtype=torch.complex64, requires_grad=True)
    b = random_spectrum(1, 2, 3)
    (vocodec.magnitude_loss(a, b) + sum(vocodec.real_imag_loss(a, b))).backward()
    assert torch.isfinite(torch.view_as_real(a.grad)).all()


def test_eq_5_weighs_its_terms():
    a, b = torch.from_numpy(noise(90, 1))[None], torch.from_numpy(noise(90, 2))[None]
    p, q = random_spectrum(1, 2, 5, seed=1), random_spectrum(1, 2, 5, seed=2)
    si, mag = vocodec.si_snr_loss(a, b).item(), vocodec.magnitude_loss(p, q).item()
    real, imag = (v.item() for v in vocodec.real_imag_loss(p, q))
    got = vocodec.enhancement_loss(a, b, p, q, lambda_1=2, lambda_2=3, lambda_3=5).item()
    assert got == pytest.approx(2 * si + 3 * mag + 5 * (real + imag), rel=1e-5)


def test_mel_filters_by_hand():
    # 3 bands up to 4 kHz: edges are equally spaced in mel, peaks of 1 at the centres
    weights = vocodec.mel_filters(401, 3, 8000).numpy()
    top = 2595 * math.log10(1 + 4000 / 700)
    edges = [700 * (10 ** (top * i / 4 / 2595) - 1) for i in range(5)]
    for band in range(3):
        for k in range(401):
            f = 10.0 * k
            low, centre, high = edges[band : band + 3]
            want = max(0.0, min((f - low) / (centre - low), (high - f) / (high - centre)))
            assert weights[k, band] == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize(
    ("window", "bands"), list(zip(vocodec.MEL_WINDOWS, vocodec.MEL_BANDS, strict=True))
)
def test_no_mel_band_is_empty(window, bands):
    weights = vocodec.mel_filters(window // 2 + 1, bands, RATE)
    assert weights.shape == (window // 2 + 1, bands)
    assert (weights.sum(0) > 0).all()


def test_eq_6_by_loops():
    a, b = noise(200, 1), noise(200, 2)
    window, hop, bands = 32, 8, 5
    w = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    filters = vocodec.mel_filters(17, bands, RATE).double().numpy()

    def mel(x):
        x = np.pad(x.astype(float), window // 2, mode="reflect")
        rows = []
        for start in range(0, x.size - window + 1, hop):
            spectrum = [
                sum(
                    x[start + n] * w[n] * np.exp(-2j * np.pi * k * n / window)
                    for n in range(window)
                )
                for k in range(17)
            ]
            rows.append(
                [
                    sum(abs(s) * f for s, f in zip(spectrum, filters[:, m], strict=True))
                    for m in range(bands)
                ]
            )
        return np.array(rows)

    want = np.abs(np.log(mel(a)) - np.log(mel(b))).mean()
    got = vocodec.mel_loss(torch.from_numpy(a)[None], torch.from_numpy(b)[None], scales=(0,))
    assert got.item() == pytest.approx(want, rel=1e-3)


def test_eq_6_sums_its_scales_and_is_zero_for_equals():
    a, b = torch.from_numpy(noise(4000, 1))[None], torch.from_numpy(noise(4000, 2))[None]
    parts = [vocodec.mel_loss(a, b, scales=(i,)).item() for i in range(7)]
    assert vocodec.mel_loss(a, b).item() == pytest.approx(sum(parts), rel=1e-5)
    assert vocodec.mel_loss(a, a).item() == 0


def test_eqs_7_8_10_by_hand():
    real, fake = [torch.tensor([0.5, 1.0])], [torch.tensor([0.0, 2.0])]
    # (1 - 0)^2 and (1 - 2)^2, mean 1
    assert vocodec.adversarial_loss(fake).item() == 1
    # x: (0.25 + 0) / 2 = 0.125; x-hat: (0 + 4) / 2 = 2
    assert vocodec.discriminator_loss(real, fake).item() == 2.125
    # 2 * (|0.5 - 0| + |1 - 2|) / 2 = 1.5
    assert vocodec.feature_matching_loss([real], [fake]).item() == 1.5


def test_feature_matching_gives_no_gradient_to_the_recording():
    real = torch.ones(3, requires_grad=True)
    fake = torch.zeros(3, requires_grad=True)
    vocodec.feature_matching_loss([[real]], [[fake]]).backward()
    assert real.grad is None
    assert fake.grad.abs().sum() > 0


def test_eq_9_terms_and_where_their_gradients_go():
    z_e = torch.tensor([[1.0, 2.0]], requires_grad=True)
    e_k = torch.tensor([[0.0, 4.0]], requires_grad=True)
    code, commit = vocodec.codebook_loss(z_e, e_k), vocodec.commitment_loss(z_e, e_k)
    assert code.item() == commit.item() == 5  # 1^2 + 2^2
    code.backward()
    assert z_e.grad is None
    assert e_k.grad.tolist() == [[-2, 4]]
    e_k.grad = None
    commit.backward()
    assert e_k.grad is None
    assert z_e.grad.tolist() == [[2, -4]]


def test_eq_9_sum():
    one = [torch.tensor(v) for v in (1.0, 10.0, 100.0, 1000.0, 10000.0)]
    weights = vocodec.Weights(rec=1, g=2, feat=3, code=4, c=5)
    assert vocodec.generator_loss(*one, weights).item() == 54321


def test_straight_through():
    z_e = torch.tensor([0.3, 0.9], requires_grad=True)
    q = vocodec.straight_through(z_e, torch.tensor([0.0, 1.0]))
    assert q.tolist() == pytest.approx([0.0, 1.0])
    (q * torch.tensor([2.0, 3.0])).sum().backward()
    assert z_e.grad.tolist() == [2, 3]


# ---- Modules, a second time -----------------------------------------------------------------


def small(**sizes):
    return Config(
        **{
            "blocks": 1, "resnets": 1, "encoder_width": 16, "encoder_hidden": 24,
            "decoder_width": 16, "encoder_attention": 8, "decoder_attention": 8, "heads": 2,
            "attention_frames": 4, "window": 24, "hop": 8, "codebook_size": 16, "groups": 4,
            **sizes,
        }
    )  # fmt: skip


def test_quantiser_by_loops():
    net = vocodec.build(small()).quantiser
    latents = torch.randn(1, 7, 16, generator=generator())
    with torch.inference_mode():
        got = net.encode(latents, 6)
        total = net.decode(got)
    books = net.codebooks.detach().double().numpy()
    for t in range(7):
        residual = latents[0, t].double().numpy()
        summed = np.zeros(16)
        for i in range(6):
            down, up = net.down[i], net.up[i]
            z = down.weight.detach().double().numpy() @ residual
            z /= np.linalg.norm(z)  # initial biases are 0
            distances = [np.linalg.norm(z - e) for e in books[i]]
            assert got[0, t, i].item() == int(np.argmin(distances))
            part = up.weight.detach().double().numpy() @ books[i][int(np.argmin(distances))]
            residual, summed = residual - part, summed + part
        np.testing.assert_allclose(total[0, t].double().numpy(), summed, atol=1e-5)


def test_attention_by_loops():
    frames = 4
    net = vocodec.WindowedAttention(6, 4, 2, frames)
    vocodec.initialise(net, generator())
    net.distance.data = torch.randn(2, frames, generator=generator(1))
    x = torch.randn(1, 11, 6, generator=generator(2))
    with torch.inference_mode():
        got = net(x, None)[0].numpy()
        y = fn.layer_norm(x, (6,), eps=1e-6)[0].numpy()
    w = net.qkv.weight.detach().numpy()
    q, k, v = (y @ w[4 * i : 4 * i + 4].T for i in range(3))
    for t in range(11):
        out = np.zeros(4)
        for h in range(2):
            part = slice(2 * h, 2 * h + 2)
            seen = range(max(0, t - frames + 1), t + 1)
            scores = np.array(
                [
                    q[t, part] @ k[s, part] / math.sqrt(2) + net.distance[h, t - s].item()
                    for s in seen
                ]
            )
            share = np.exp(scores) / np.exp(scores).sum()
            out[part] = sum(p * v[s, part] for p, s in zip(share, seen, strict=True))
        want = x[0, t].numpy() + net.out.weight.detach().numpy() @ out
        np.testing.assert_allclose(got[t], want, atol=1e-5)


@pytest.mark.parametrize(("groups", "kernel"), [(1, 3), (2, 3), (8, 7)])
def test_causal_convolution_by_loops(groups, kernel):
    net = vocodec.CausalConv(8, 8, kernel, groups)
    vocodec.initialise(net, generator())
    net.bias.data = torch.randn(8, generator=generator(1))
    x = torch.randn(1, 9, 8, generator=generator(2))
    w, each = net.weight.detach().numpy(), 8 // groups
    want = np.tile(net.bias.detach().numpy(), (9, 1))
    for t in range(9):
        for o in range(8):
            for i in range(each):
                for j in range(kernel):
                    if (s := t - kernel + 1 + j) >= 0:
                        want[t, o] += w[o, i, j] * x[0, s, o // each * each + i].item()
    for training in (False, True):  # the depthwise one has a path of its own for training
        net.train(training)
        with torch.inference_mode():
            np.testing.assert_allclose(net.run(x, None)[0].numpy(), want, atol=1e-5)


def test_decoder_has_no_inverted_bottleneck_and_groups():
    net = vocodec.build(Config())
    for block in net.decoder.blocks:
        assert block.up.weight.shape == block.down.weight.shape == (256, 256)
    for block in net.encoder.blocks:
        assert block.up.out_features > block.up.in_features
    assert {r.conv_1.groups for r in net.decoder.resnets} == {4}
    assert {r.conv_1.groups for r in net.encoder.resnets} == {1}


def test_discriminator_shapes():
    net = vocodec.MultiScaleStftDiscriminator(channels=2)
    vocodec.initialise(net, generator())
    decisions, maps = net(torch.from_numpy(noise(4096))[None].repeat(2, 1))
    assert [s.window for s in net.scales] == [128, 256, 512, 1024, 2048]
    for window, decision, layers in zip(vocodec.STFT_WINDOWS, decisions, maps, strict=True):
        frames, bins = 4096 // (window // 4) + 1, window // 2 + 1
        assert layers[0].shape == (2, 2, frames, bins)
        assert [m.shape[2] for m in layers] == [frames] * 4
        assert decision.shape == (2, 1, frames, -(-bins // 8))


# ---- The paper's totals ---------------------------------------------------------------------


def measured(codec, seconds=10):
    wav = noise(seconds * RATE)
    with FlopCounterMode(display=False) as send:
        codes = codec.encode(wav)
    with FlopCounterMode(display=False) as receive:
        codec.decode(codes)
    return [f.get_total_flops() / 2 / seconds for f in (send, receive)]


def test_parameters_within_1_percent(codec):
    count = sum(p.numel() for p in codec.net.parameters())
    assert count == pytest.approx(codec.card.paper_figures["parameters"], rel=0.01)


def test_macs_within_1_percent(codec):
    send, receive = measured(codec)
    figures = codec.card.paper_figures
    assert send == pytest.approx(figures["macs_send"], rel=0.01)
    assert receive == pytest.approx(figures["macs_receive"], rel=0.01)
    assert send + receive == pytest.approx(figures["macs_per_second"], rel=0.01)


def test_codebook_search_and_attention_are_counted():
    net = vocodec.build(Config())
    latents = torch.randn(1, 64, 192, generator=generator())
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net.quantiser.encode(latents, 6)
    # per frame and layer: down 192 * 8, search 1024 * 8, up 8 * 192
    assert counter.get_total_flops() / 2 == 64 * 6 * (192 * 8 + 1024 * 8 + 8 * 192)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net.encoder.attention(latents, None)
    # per frame: projections 4 * 192 * 160, and 63 keys (32 of the block, 31 before) twice
    assert counter.get_total_flops() / 2 == 64 * (4 * 192 * 160 + 2 * 63 * 160)


def test_cascade_totals_within_1_percent(cascade):
    count = sum(p.numel() for p in cascade.net.parameters())
    figures = cascade.card.paper_figures
    assert count == pytest.approx(figures["parameters"], rel=0.01)
    assert sum(measured(cascade)) == pytest.approx(figures["macs_per_second"], rel=0.01)
    assert cascade.card.latency_seconds == pytest.approx(figures["latency_seconds"])


@pytest.mark.parametrize("kbps", [1, 2, 3, 4, 5, 6])
def test_bitrate(codec, kbps):
    codes = at(codec, kbps).encode(noise(RATE * 2))
    assert len(codes.streams) == kbps
    assert {s.size for s in codes.streams} == {202}  # two frames reach past the end
    assert codes.bits / 202 * 100 == kbps * 1000  # bit/s at 100 frames/s


def test_card(codec):
    card = codec.card
    assert isinstance(codec, Codec)
    assert set(card.paper_figures) <= set(FIGURES)
    assert card.latency_seconds == 0.03
    assert card.frame_rate == card.paper_figures["frame_rate"] == 100
    assert card.bitrates == card.paper_figures["bitrates"] == (1, 2, 3, 4, 5, 6)
    assert card.sample_rate == card.paper_figures["sample_rate"] == RATE
    assert card.scale == "reduced"
    assert card.weights.startswith(("sha256:", "random:seed=0"))


def test_card_of_the_cascade(cascade):
    assert "enhance=true" in cascade.card.name
    assert cascade.card.weights.endswith("random:seed=0")
    assert any("not trained" in d for d in cascade.card.deviations)
    assert cascade.card.scale == "reduced"


# ---- Latency and streaming ------------------------------------------------------------------


def at(codec, kbps):
    """The same network at another rate, without loading it again."""
    other = object.__new__(vocodec.VoCodec)
    other.__dict__.update(codec.__dict__, layers=kbps)
    return other


def reach(codec, n, total=9600):
    """First and last output sample that a change at sample n alters."""
    wav = noise(total)
    other = wav.copy()
    other[n] += 0.5
    a, b = codec.decode(codec.encode(wav)), codec.decode(codec.encode(other))
    changed = np.flatnonzero(a != b)
    return changed[0], changed[-1]


@pytest.mark.parametrize("n", [4799, 4800, 5000, 5039])
def test_latency_of_30_ms(codec, n):
    first, _ = reach(codec, n)
    assert n - 720 < first <= n + 720  # not earlier than the latency, and soon


def test_latency_is_reached(codec):
    # sample 5039 is the last of a hop: its newest frame begins 719 samples before it
    wav = noise(9600)
    other = wav.copy()
    other[5039:] = 0
    net, c = codec.net, codec.config
    pair = torch.from_numpy(np.stack([wav, other]))
    with torch.inference_mode():
        spectra = vocodec.analyse(fn.pad(pair, (480, 480)), c.window, c.hop)
        latents = net.encoder(net.features(spectra))
        out = vocodec.synthesise(vocodec.spectrum_of(net.decoder(latents)), c.window, c.hop)
    changed = torch.nonzero((out[0] - out[1])[480:-480])[:, 0]
    assert 5039 - 720 < changed[0].item() <= 5039 - 600  # the window rises from 0


def test_latency_of_the_cascade(cascade):
    first, _ = reach(cascade, 5039)
    assert 5039 - 1200 < first <= 5039 + 720


def packets(wav, sizes):
    start = 0
    while start < wav.size:
        size = sizes[0]
        sizes = [*sizes[1:], size]
        yield wav[start : start + size]
        start += size


@pytest.mark.parametrize("sizes", [[240], [240, 720, 480], [1000, 7, 333, 1]])
def test_streaming_equals_offline(codec, sizes):
    check_streaming(codec, noise(12345), sizes)


def test_streaming_of_the_cascade_equals_offline(cascade):
    check_streaming(cascade, noise(6000), [240, 960])


def check_streaming(codec, wav, sizes):
    whole = codec.encode(wav)
    encoder = codec.encoder()
    parts = [encoder.push(p) for p in packets(wav, sizes)] + [encoder.finish()]
    codes = np.concatenate(parts)
    np.testing.assert_array_equal(codes, np.stack(whole.streams, 1))
    decoder = codec.decoder()
    made = np.concatenate([decoder.push(p) for p in parts])
    np.testing.assert_allclose(made[: wav.size], codec.decode(whole), atol=1e-5)


def test_streams_give_what_they_can_at_once(codec):
    encoder, decoder = codec.encoder(), codec.decoder()
    assert encoder.push(noise(239)).shape == (0, 6)
    first = encoder.push(noise(1))
    assert first.shape == (1, 6)
    assert decoder.push(first).size == 0
    assert decoder.push(first).size == 0
    assert decoder.push(first).size == 240  # 20 ms late


def test_state_stays_bounded(codec):
    encoder = codec.encoder()
    for _ in range(3):
        encoder.push(noise(240 * 50))
        sizes = {type(m).__name__: v.shape for m, v in encoder.state.items()}
        assert sizes["WindowedAttention"][3] == 31
        assert encoder.waiting.numel() < 720


def test_long_files_go_in_pieces(codec, monkeypatch):
    wav = noise(240 * 100 + 17)
    whole = codec.encode(wav)
    out = codec.decode(whole)
    monkeypatch.setattr(vocodec, "PACKET", 13)
    again = codec.encode(wav)
    np.testing.assert_array_equal(np.stack(whole.streams), np.stack(again.streams))
    np.testing.assert_allclose(codec.decode(again), out, atol=1e-5)


# ---- The adapter ----------------------------------------------------------------------------


def test_lower_rates_are_prefixes(codec):
    wav = noise(5000)
    six = codec.encode(wav)
    for kbps in (1, 3):
        fewer = at(codec, kbps).encode(wav)
        for a, b in zip(fewer.streams, six.streams, strict=False):
            np.testing.assert_array_equal(a, b)
        cut = Codes(six.streams[:kbps], six.alphabets[:kbps], six.samples)
        np.testing.assert_array_equal(codec.decode(cut), codec.decode(fewer))


@pytest.mark.parametrize("n", [1, 2, 239, 240, 241, 719, 721, 5000])
def test_any_length(codec, n):
    wav = noise(n)
    before = wav.copy()
    codes = codec.encode(wav)
    out = codec.decode(codes)
    assert out.shape == (n,)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert {s.size for s in codes.streams} == {-(-n // 240) + 2}
    assert all(s.min() >= 0 and s.max() < 1024 for s in codes.streams)
    np.testing.assert_array_equal(wav, before)


@pytest.mark.parametrize(
    "wav",
    [
        np.zeros(3000, np.float32),
        np.ones(3000, np.float32),
        np.sign(np.sin(np.arange(3000, dtype=np.float32))),
        np.full(3000, 1e-30, np.float32),
    ],
    ids=["silence", "constant", "square at full scale", "denormal"],
)
def test_extremes(codec, cascade, wav):
    for system in (codec, cascade):
        out = system.decode(system.encode(wav))
        assert np.isfinite(out).all()
        assert np.abs(out).max() <= 1


def test_deterministic_and_quiet_about_global_randomness():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    wav = noise(3000)
    outs = []
    for _ in range(2):
        system = vocodec.load(kbps=3, enhance=True, weights="random")
        outs.append(system.decode(system.encode(wav)))
    np.testing.assert_array_equal(*outs)
    assert torch.equal(before, torch.get_rng_state())


def test_wrong_arguments(codec, tmp_path):
    with pytest.raises(ValueError, match="1, 2, 3, 4, 5 or 6"):
        vocodec.load(kbps=7)
    with pytest.raises(ValueError, match="no weights at"):
        vocodec.load(weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(ValueError, match="mono"):
        codec.encode(np.zeros((10, 2), np.float32))
    with pytest.raises(ValueError, match="mono"):
        codec.encode(np.zeros(0, np.float32))
    with pytest.raises(ValueError, match="NaN"):
        codec.encode(np.full(10, np.nan, np.float32))


# ---- Shipped weights ------------------------------------------------------------------------


def sweep(seconds=3):
    """A voice-like signal: 20 harmonics under a moving pitch, formant-like tilt, pauses."""
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = 130 + 30 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    wav = sum(np.sin(k * phase) / k for k in range(1, 21))
    return (0.1 * wav * (np.sin(2 * np.pi * 1.5 * t) > -0.5)).astype(np.float32)


def log_spectral_error(estimate, reference):
    pair = torch.from_numpy(np.stack([estimate, reference]))
    mel = vocodec.mel_spectrogram(pair, 1024, 80, RATE).clamp(min=0.05).log()
    return (mel[0] - mel[1]).abs().mean().item()


@pytest.mark.skipif(not vocodec.SHIPPED.exists(), reason="no weights are shipped yet")
def test_shipped_weights_beat_random_ones_and_more_bits_help(codec):
    wav = sweep()
    six = log_spectral_error(codec.decode(codec.encode(wav)), wav)
    one = at(codec, 1)
    low = log_spectral_error(one.decode(one.encode(wav)), wav)
    random = vocodec.load(weights="random")
    worst = log_spectral_error(random.decode(random.encode(wav)), wav)
    assert six < low < worst
    assert six < 0.5 * worst


@pytest.mark.skipif(not vocodec.SHIPPED.exists(), reason="no weights are shipped yet")
def test_shipped_card():
    about = json.loads(vocodec.SHIPPED.with_suffix(".json").read_text())
    assert about["licence"]
    assert about["steps"] > 0
    assert about["seconds"] > 0
    assert about["machine"]
    assert about["scores"]
    assert vocodec.SHIPPED.stat().st_size < 8e6
    assert vocodec.load().card.licence == about["licence"]


@pytest.mark.skipif(not vocodec.SHIPPED.exists(), reason="no weights are shipped yet")
@pytest.mark.skipif("BENCH_TEST_DATA" not in os.environ, reason="BENCH_TEST_DATA is not set")
def test_shipped_weights_on_real_speech(codec):
    from pystoi import stoi

    root = Path(os.environ["BENCH_TEST_DATA"]) / "LibriSpeech" / "test-other"
    files = sorted(root.rglob("*.flac"))[:3]
    if not files:
        pytest.skip(f"no LibriSpeech/test-other in {root.parent.parent}")
    for file in files:
        wav = _trainer.read(file, RATE)[: 4 * RATE] / np.float32(32768)
        out = codec.decode(codec.encode(wav))
        assert stoi(wav, out, RATE) > 0.8


# ---- Recipe ---------------------------------------------------------------------------------

TINY = recipe.Recipe(
    codec=Config(
        features="compressed", blocks=1, resnets=1, encoder_width=16, encoder_hidden=24,
        decoder_width=16, encoder_attention=8, decoder_attention=8, heads=2, codebook_size=16,
    ),
    batch=2,
    crop=2400,
    speeds=(1.0, 1.1),
    mel_scales=1,
    complex_windows=(256,),
    soft_share=0.3,
    channels=2,
)  # fmt: skip


@pytest.fixture
def recordings(tmp_path):
    paths = []
    for i, rate in enumerate((16000, 24000)):
        path = tmp_path / f"{i}.wav"
        soundfile.write(path, noise(rate, seed=i), rate)
        paths.append(path)
    return paths


def state_of(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def test_training_stops_resumes_and_ships(recordings, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    weights = recipe.train(recordings, whole, config=TINY, steps=4)

    class Killed(Exception):
        pass

    def kill(self, wav, share):
        if self.progress.step == 2:
            raise Killed
        values = step(self, wav, share)
        self.progress.step += 1  # as the loop does after a step
        self.save(parts / "checkpoint.pt")
        self.progress.step -= 1
        return values

    step = recipe.Session.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe.Session, "step", kill)
        with pytest.raises(Killed):
            recipe.train(recordings, parts, config=TINY, steps=4)
    assert state_of(parts)["progress"]["step"] == 2
    recipe.train(recordings, parts, config=TINY, steps=4)
    a, b = state_of(whole), state_of(parts)
    assert a["progress"]["step"] == b["progress"]["step"] == 4
    for key, value in a["net"].items():
        torch.testing.assert_close(value, b["net"][key], msg=key)

    system = vocodec.load(weights=str(weights))
    assert system.config == TINY.codec
    assert any("4 steps" in d for d in system.card.deviations)
    wav = noise(1000)
    assert system.decode(system.encode(wav)).shape == (1000,)
    about = json.loads(weights.with_suffix(".json").read_text())
    assert about["steps"] == 4


def test_training_starts_from_weights_and_averages_them(recordings, tmp_path):
    from dataclasses import replace

    first = recipe.train(recordings, tmp_path / "first", config=TINY, steps=2)
    still = replace(TINY, rate=0.0, weight_decay=0.0, soft_share=0.0, average=0.5)
    again = recipe.train(recordings, tmp_path / "again", config=still, steps=2, start=first)
    before, after = (vocodec.read_weights(path)[0].state_dict() for path in (first, again))
    for key, value in before.items():
        if key != "quantiser.codebooks":  # they follow their vectors at any rate
            torch.testing.assert_close(value, after[key], msg=key)
    moving = replace(still, rate=1e-2)
    moved = recipe.train(recordings, tmp_path / "moved", config=moving, steps=2, start=first)
    latest = state_of(tmp_path / "moved")["net"]
    mean = vocodec.read_weights(moved)[0].state_dict()
    key = "encoder.project.weight"
    assert 0 < (mean[key] - before[key]).norm() < (latest[key] - before[key]).norm()


def test_adversarial_stage_trains_both_sides(recordings, tmp_path):
    from dataclasses import replace

    config = replace(TINY, adversarial_share=0.0)
    start = recipe.Session(config, seed=0, rank=0)
    recipe.train(recordings, tmp_path / "out", config=config, steps=1)
    state = state_of(tmp_path / "out")
    before = start.judge.state_dict()
    assert any(not torch.equal(before[k], v) for k, v in state["more"]["judge"].items())


def test_training_names_its_mistakes(tmp_path, recordings):
    with pytest.raises(ValueError, match="no audio file"):
        recipe.train([], tmp_path)
    with pytest.raises(ValueError, match="paper, small"):
        recipe.train(recordings, tmp_path, config="huge")


def test_learning_rate_rises_stays_and_falls():
    r = recipe.Recipe(rate=1.0, warmup=10, decay_share=0.5)
    rates = [_trainer.learning_rate(r, s, p) for s, p in ((0, 0), (9, 0.1), (50, 0.5), (90, 0.75))]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.5])
    assert _trainer.learning_rate(r, 100, 1.0) == 0


def test_k_means_finds_clusters_and_idle_codes_start_anew():
    net = vocodec.build(small(codebook_size=4, codebooks=1)).quantiser
    net.requires_grad_(False)
    net.down[0].weight.copy_(torch.eye(8, 16))
    centres = fn.normalize(torch.randn(4, 16, generator=generator()), dim=-1)
    points = centres.repeat_interleave(50, 0) + 0.01 * torch.randn(200, 16, generator=generator(1))
    books = recipe.Books(net, 0.9)
    books.lay_out(points, np.random.default_rng(0))
    wanted = fn.normalize(centres[:, :8], dim=-1)
    assert (wanted @ net.codebooks[0].t()).max(1).values.min() > 0.99
    books.count[0, 0] = 0.0
    z_e = fn.normalize(points[:, :8], dim=-1)
    books.follow([z_e], [torch.ones(200, dtype=torch.long)], np.random.default_rng(0), True)
    assert books.count[0, 0] == 0.5
    np.testing.assert_allclose(net.codebooks.norm(dim=-1).numpy(), 1, atol=1e-5)


def test_quantiser_dropout_uses_the_first_layers_alone():
    net = vocodec.build(small()).quantiser
    latents = torch.randn(2, 5, 16, generator=generator())
    got = recipe.quantise(net, latents, torch.tensor([1, 6]), generator())
    codes = torch.stack(got.codes, -1).view(2, 5, 6)
    torch.testing.assert_close(got.latents[0], net.decode(codes[:1, :, :1])[0])
    torch.testing.assert_close(got.latents[1], net.decode(codes[1:])[0])


def test_enhancer_passes_what_its_mask_says():
    net = vocodec.Enhancer(EnhancerConfig(), Config())
    bins = net.up.sum(0)
    torch.testing.assert_close(
        bins, torch.ones_like(bins), atol=1e-4, rtol=0
    )  # a flat mask stays flat
