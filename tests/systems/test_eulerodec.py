"""EuleroDec against its paper: equations, equivariance, totals, segments, ablation and recipe."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import soundfile
import torch

from bench import card
from systems import eulerodec
from systems._base import Codec, Codes
from systems.eulerodec import Config
from systems.train import eulerodec as recipe

SMALL = Config(stem=2, channels=(4, 4, 8, 8), heads=2, hidden=8, width=4, stages=3)
ANGLE = np.exp(0.7j)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def codec():
    return eulerodec.load(weights="random")


@pytest.fixture(scope="module")
def small():
    return eulerodec.build(SMALL).eval()


def noise(n, seed=0, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def drawn(*shape, seed=0):
    """Complex values as the network holds them: (B, 2 C, ...)."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def joined(x):
    """(B, 2 C, ...) -> complex (B, C, ...)."""
    real, imag = x.chunk(2, 1)
    return torch.complex(real.contiguous(), imag.contiguous())


def parted(z):
    return torch.cat([z.real, z.imag], 1)


def test_every_name_of_the_map_cites_its_place():
    lines = re.findall(r"^    (?:Eq\.|Sec\.).*-> (\w+)$", eulerodec.__doc__, re.M)
    assert len(lines) == 16
    for name in lines:
        assert re.match(r"(Eq|Sec)\.", getattr(eulerodec, name).__doc__), name


# ---- Time and frequency ---------------------------------------------------------------------


def test_analysis_is_torchs_transform_and_back():
    c = Config()
    x = torch.from_numpy(noise(448 + 20 * 64))[None]
    got = eulerodec.analyse(x, c)
    w = torch.hann_window(512)
    want = torch.stft(x, 512, 64, 512, w / w.sum(), center=False, return_complex=True)
    assert got.shape == (1, 256, 20)
    torch.testing.assert_close(got, eulerodec.GAIN * want[:, :256])
    back = eulerodec.synthesise(got, c)[:, 448:-448]
    smooth = torch.from_numpy(np.sin(np.arange(448 + 20 * 64) / 9).astype(np.float32))[None]
    near = eulerodec.synthesise(eulerodec.analyse(smooth, c), c)[:, 448:-448]
    torch.testing.assert_close(near, smooth[:, 448:-448], atol=2e-4, rtol=0)
    assert (back - x[:, 448:-448]).abs().mean() < 0.01  # noise up to Nyquist, which is left out


# ---- Layers ---------------------------------------------------------------------------------


def test_eq_2_against_loops():
    conv = eulerodec.ComplexConv(2, 3, (3, 3), (2, 1), (1, 2))
    _fill(conv)
    z, w = joined(drawn(1, 4, 6, 7)), torch.complex(conv.real, conv.imag).detach()
    got = joined(conv(parted(z))).detach()
    assert got.shape == (1, 3, 3, 7)
    for o in range(3):
        for f in range(3):
            for t in range(7):
                total = 0j
                for i in range(2):
                    for a in range(3):
                        for b in range(3):
                            y, x = 2 * f + a - 1, t + 2 * b - 2
                            if 0 <= y < 6 and 0 <= x < 7:
                                total += complex(w[o, i, a, b]) * complex(z[0, i, y, x])
                assert abs(complex(got[0, o, f, t]) - total) < 1e-5


def test_transposed_convolution_is_the_adjoint():
    """<conv(u), v> = <u, conv_transposed(v)> with conjugate weights: by that it is known."""
    down = eulerodec.ComplexConv(2, 3, (3, 3), (2, 2))
    up = eulerodec.ComplexConv(3, 2, (3, 3), (2, 2), up=True)
    _fill(down)
    with torch.no_grad():
        up.real.copy_(down.real)
        up.imag.copy_(-down.imag)
    u, v = joined(drawn(1, 4, 6, 8)), joined(drawn(1, 6, 3, 4, seed=1))
    left = (joined(down(parted(u))).conj() * v).sum()
    right = (u.conj() * joined(up(parted(v)))).sum()
    torch.testing.assert_close(left, right)
    assert joined(up(parted(v))).shape == u.shape


def _fill(module):
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(0, 0.5, generator=generator)


def test_eq_4_by_hand():
    # |3 + 4j| = 5, b = -1: 4 (0.6 + 0.8j); |0.3 + 0.4j| = 0.5 < 1: nothing
    act = eulerodec.ModReLU(1)
    with torch.no_grad():
        act.bias.fill_(-1)
    z = torch.tensor([3 + 4j, 0.3 + 0.4j]).view(1, 1, 1, 2)
    got = joined(act(parted(z)))[0, 0, 0]
    torch.testing.assert_close(got, torch.tensor([2.4 + 3.2j, 0j]), atol=1e-5, rtol=1e-5)


def test_whitening_by_eigenvectors():
    """The inverse square root of the covariance, this time from its eigendecomposition."""
    norm = eulerodec.ComplexNorm(2)
    with torch.no_grad():
        norm.gain[0].fill_(1)
        norm.gain[1].zero_()
    x = drawn(2, 4, 5, 9)
    x[:, 2:] = 0.4 * x[:, 2:] + 0.8 * x[:, :2] + 3
    got = norm(x)
    for b in range(2):
        for c in range(2):
            pair = torch.stack([x[b, c].flatten(), x[b, 2 + c].flatten()]).double()
            pair = pair - pair.mean(1, keepdim=True)
            values, vectors = np.linalg.eigh((pair @ pair.t() / 45).numpy())
            want = vectors @ np.diag(values**-0.5) @ vectors.T @ pair.numpy()
            mine = np.stack([got[b, c].flatten().detach(), got[b, 2 + c].flatten().detach()])
            np.testing.assert_allclose(mine, want, atol=1e-4)
            np.testing.assert_allclose(np.cov(mine, bias=True), np.eye(2), atol=1e-4)


@pytest.mark.parametrize("axis", [2, 3])
def test_axial_attention_against_loops(axis):
    c = Config(heads=2)
    module = eulerodec.AxialAttention(4, c, axis=axis)
    _fill(module)
    x = drawn(2, 8, 3, 5)
    z = joined(module.norm(x))
    w = torch.complex(module.split.real, module.split.imag)[:, :, 0, 0]
    q, k, v = torch.einsum("oc,bcft->boft", w, z).chunk(3, 1)
    mixed = torch.zeros_like(q)
    for b in range(2):
        for line in range(5 if axis == 2 else 3):
            at = (slice(None), line) if axis == 2 else (line, slice(None))
            for head in range(2):
                part = slice(2 * head, 2 * head + 2)
                qs, ks, vs = (y[b, part][(slice(None), *at)] for y in (q, k, v))  # (2, n)
                scores = (qs.conj().t() @ ks).real / 4**0.5  # Re(q^H k), 2 d = 4 numbers
                mixed[b, part][(slice(None), *at)] = (
                    torch.softmax(scores, 1).to(vs.dtype) @ vs.t()
                ).t()
    out = torch.complex(module.out.real, module.out.imag)[:, :, 0, 0]
    want = joined(x) + torch.einsum("oc,bcft->boft", out, mixed)
    torch.testing.assert_close(joined(module(x)), want, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_eq_3_every_layer_and_both_halves(small):
    x = drawn(1, 4, 8, 16)
    c = SMALL
    for layer in (
        eulerodec.ComplexConv(2, 3, (3, 7)),
        eulerodec.ComplexConv(2, 3, (3, 3), (2, 2), up=True),
        eulerodec.ModReLU(2),
        eulerodec.ComplexNorm(2),
        eulerodec.AxialAttention(2, c, axis=3),
        eulerodec.FeedForward(2, c),
        eulerodec.ResidualLayer(2, (3, 5), c),
        eulerodec.Down(2, 3 * 2, (2, 2), c).eval(),
        eulerodec.Up(2, 3, (2, 1), c).eval(),
    ):
        _fill(layer)
        turned = joined(layer(parted(joined(x) * ANGLE)))
        torch.testing.assert_close(turned, joined(layer(x)) * ANGLE, atol=1e-4, rtol=1e-4)
    spectrum = torch.view_as_complex(drawn(1, 256, 64, 2))
    z = small.encoder(spectrum)
    turned = small.encoder(spectrum * ANGLE).transpose(1, 2)
    torch.testing.assert_close(
        joined(turned), joined(z.transpose(1, 2)) * ANGLE, atol=1e-4, rtol=1e-4
    )
    rotated = parted(joined(z.transpose(1, 2)) * ANGLE).transpose(1, 2)
    torch.testing.assert_close(
        small.decoder(rotated), small.decoder(z) * ANGLE, atol=1e-4, rtol=1e-4
    )


@torch.no_grad()
def test_the_ablation_is_not_equivariant_and_as_large():
    from dataclasses import replace

    split = eulerodec.build(replace(SMALL, split=True)).eval()
    whole = eulerodec.build(SMALL)
    sizes = [sum(p.numel() for p in net.parameters()) for net in (split, whole)]
    assert sizes[0] == sizes[1]
    spectrum = torch.view_as_complex(drawn(1, 256, 64, 2))
    gap = split.encoder(spectrum * 1j).transpose(1, 2)
    turned = joined(split.encoder(spectrum).transpose(1, 2)) * 1j
    assert (joined(gap) - turned).abs().mean() > 0.1 * turned.abs().mean()
    assert "split=true" in eulerodec.load(split=True).card.name


# ---- Quantiser ------------------------------------------------------------------------------


def test_eq_5_and_6_against_complex_arithmetic():
    x, book = drawn(7, 8), drawn(5, 8, seed=1)
    z, e = (torch.complex(v[:, :4], v[:, 4:]) for v in (x, book))
    want = torch.zeros(7, 5)
    for i in range(7):
        for k in range(5):
            inner = (z[i].conj() * e[k]).sum()  # x^H e_k
            want[i, k] = z[i].abs().square().sum() + e[k].abs().square().sum() - 2 * inner.real
    torch.testing.assert_close(eulerodec.distances(x, book), want)
    assert eulerodec.nearest(x, book).tolist() == want.argmin(1).tolist()


def test_eq_1_and_7_against_loops():
    rvq = eulerodec.ComplexRvq(Config(stages=3, codebook_size=6, width=2))
    rvq.codebooks.copy_(drawn(3, 6, 4))
    z = drawn(1, 5, 4, seed=2)
    codes = rvq.encode(z)
    for n in range(5):
        residual = z[0, n].clone()
        for m in range(3):
            gaps = [float((residual - e).square().sum()) for e in rvq.codebooks[m]]
            assert codes[0, n, m] == int(np.argmin(gaps))
            residual = residual - rvq.codebooks[m][codes[0, n, m]]
        torch.testing.assert_close(rvq.decode(codes)[0, n], z[0, n] - residual)
    near = rvq.decode(codes)
    want = 0.05 * np.mean([float((a - b).square().sum()) for a, b in zip(z[0], near[0])])  # noqa: B905
    assert float(eulerodec.commitment_loss(z, near)) == pytest.approx(want)


# ---- Losses ---------------------------------------------------------------------------------


def test_spectral_losses_by_hand():
    x = torch.from_numpy(noise(4096))[None]
    near, size = eulerodec.spectral_losses(x, x)
    assert float(near) == pytest.approx(0, abs=1e-3)
    assert float(size) == pytest.approx(0, abs=1e-3)
    near, size = eulerodec.spectral_losses(0.5 * x, x, (512,))
    w = np.hanning(513)[:512]
    frames = np.pad(x[0].numpy(), 256, mode="reflect")
    spectra = np.array(
        [np.fft.rfft(frames[i : i + 512] * w / w.sum()) for i in range(0, 4096 + 1, 128)]
    )
    # spectral convergence 0.5; |X - X / 2| = |X| / 2; log |X| - log |X / 2| = log 2
    want = 0.5 + eulerodec.GAIN * np.abs(spectra).mean() / 2
    assert float(near) == pytest.approx(want, rel=0.02)
    assert float(size) == pytest.approx(0.5 + np.log(2), rel=0.02)


def test_total_loss_by_hand():
    parts = (torch.tensor(float(v)) for v in (1, 2, 3, 10))
    assert float(eulerodec.total_loss(*parts)) == 80 + 160 + 150 + 1


# ---- Adapter --------------------------------------------------------------------------------


def test_figures_against_the_paper(codec):
    found = card.measure(codec, seconds=3.0)
    assert found["parameters"] == pytest.approx(2_347_621, rel=0.03)
    assert found["frame_rate"] == pytest.approx(46.875, rel=0.01)
    assert found["bitrates"] == pytest.approx((6.1875,), rel=0.01)
    twelve = eulerodec.load(kbps=12, weights="random")
    wav = noise(3 * 24000)
    assert twelve.encode(wav).bits / 3 == pytest.approx(12375, rel=0.02)
    assert isinstance(codec, Codec)


def test_lengths_and_extremes(codec):
    for wav in (
        np.zeros(4000, np.float32),
        np.ones(1, np.float32),
        np.sign(noise(5000)),
        noise(24000),
    ):
        codes = codec.encode(wav)
        assert all(0 <= s.min() and s.max() < 2048 for s in codes.streams)
        out = codec.decode(codes)
        assert out.shape == wav.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        assert np.array_equal(out, codec.decode(codes))
    for bad in (np.zeros(0, np.float32), np.zeros((2, 3), np.float32), np.array([np.nan], "f4")):
        with pytest.raises(ValueError, match=r"shape|NaN"):
            codec.encode(bad)


def test_a_segment_is_coded_by_itself(codec):
    """What comes after a segment changes nothing in it; memory does not grow with the length."""
    wav, step = noise(3 * 16384), 256 * 64
    whole = codec.encode(wav)
    changed = wav.copy()
    changed[2 * step :] = noise(3 * 16384, seed=1)[2 * step :]
    again = codec.encode(changed)
    for a, b in zip(whole.streams, again.streams, strict=True):
        assert np.array_equal(a[:32], b[:32])
    cut = Codes(tuple(s[:32] for s in whole.streams), whole.alphabets, step - 448 - 512)
    np.testing.assert_allclose(codec.decode(cut), codec.decode(whole)[: cut.samples], atol=1e-6)


def test_what_is_refused(tmp_path):
    with pytest.raises(ValueError, match="kbps=7: want one of 6, 12"):
        eulerodec.load(kbps=7)
    with pytest.raises(ValueError, match="no weights at"):
        eulerodec.load(weights=str(tmp_path / "none.safetensors"))


# ---- Recipe ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    from material import voice

    folder = tmp_path_factory.mktemp("speech")
    for i in range(3):
        soundfile.write(folder / f"{i}.wav", voice(2.0, 24000, seed=i), 24000)
    return sorted(folder.glob("*.wav"))


def test_recipe_learns_resumes_and_exports(files, tmp_path, monkeypatch):
    from dataclasses import replace

    small = replace(recipe.CONFIGS["small"], warm_steps=3, speeds=(1.0,), codec=SMALL)
    small = replace(small, codec=replace(SMALL, codebook_size=32))
    recipe.train(files, tmp_path, config=small, steps=4, seed=1)
    path = recipe.train(files, tmp_path, config=small, steps=8, seed=1, check_files=files[:1])
    about = json.loads(path.with_suffix(".json").read_text())
    assert about["steps"] == 8
    assert set(about["scores"]) == {"coded", "uncoded"}
    codec = eulerodec.load(weights=str(path))
    assert codec.config == small.codec
    wav = noise(9000)
    assert codec.decode(codec.encode(wav)).shape == wav.shape
    assert "8 steps" in codec.card.deviations[0]


def test_a_step_lowers_the_loss(files):
    from dataclasses import replace

    small = replace(recipe.CONFIGS["small"], warm_steps=0, resolutions=3, mel_scales=5)
    session = recipe.Session(replace(small, warmup=1), seed=0, rank=0)
    session.clips.wavs = [(0.3 * np.sin(np.arange(60000) / 20) * 32767).astype(np.int16)]
    session.clips.share = np.array([1.0])
    session.batch = 2
    losses = []
    for _ in range(25):
        parts = session.step(session.draw(), 0.0)
        session.progress.step += 1
        losses.append(80 * parts["mel"] + 80 * parts["near"] + 50 * parts["size"])
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_dead_codes_are_sown_anew():
    from dataclasses import replace

    small = replace(recipe.CONFIGS["small"], refresh=1.0, smoothing=0.0)
    net = eulerodec.build(replace(SMALL, codebook_size=4, stages=1))
    books = recipe.Codebooks(net.quantiser, small)
    x = drawn(10, 8)
    codes = torch.zeros(10, 1, dtype=torch.long)  # all choose the first
    books.follow([x], codes, np.random.default_rng(0))
    torch.testing.assert_close(net.quantiser.codebooks[0, 0], x.mean(0), atol=1e-5, rtol=1e-5)
    for code in net.quantiser.codebooks[0, 1:]:
        gap = (x - code).norm(dim=1).min()
        assert float(gap) < 0.02  # one of the batch, with noise of 0.001
    assert books.use[0, 1:].tolist() == pytest.approx([small.dead + 1] * 3)
    kept = replace(small, refresh=0.0)
    books = recipe.Codebooks(net.quantiser, kept)
    books.follow([x], codes, np.random.default_rng(0))
    assert books.use[0, 1:].tolist() == [0, 0, 0]
