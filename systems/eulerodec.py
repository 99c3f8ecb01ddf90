"""A codec that is complex from end to end: spectrogram, network, quantiser, without adversaries.

Paper: "EuleroDec: A Complex-Valued RVQ-VAE for Efficient and Robust Audio Coding", ICASSP 2026,
arXiv:2601.17517.

Symbols (paper -> code, shape): x -> spectrum (B, F, T), complex; z_e, z_q -> latents (B, T', 2D);
e_k -> codebooks (S, K, 2D); r^(m) -> residual; phi -> any angle. Inside the network a complex
tensor is real, (B, 2C, F, T): C real parts, then C imaginary parts. F = 256, without Nyquist's.

Map:
    Sec. 3    STFT 512, hop 64, Hann, linear          -> analyse
    Sec. 3    inverse, overlap-add                    -> synthesise
    Eq. (1)   residual quantisation                   -> ComplexRvq
    Eq. (2)   complex convolution                     -> ComplexConv
    Eq. (3)   phase equivariance                      -> EuleroDecNet
    Eq. (4)   modReLU                                 -> ModReLU
    Sec. 2    2x2 covariance whitening                -> ComplexNorm
    Sec. 3    axial self-attention                    -> AxialAttention
    Sec. 3    complex feed-forward                    -> FeedForward
    Sec. 3    dilated residual layers                 -> ResidualLayer
    Sec. 3    gated skip, down-sampling               -> Down
    Sec. 3    mirror, up-sampling                     -> Up
    Eq. (5)   Hermitian distance                      -> distances
    Eq. (6)   nearest centroid                        -> nearest
    Eq. (7)   commitment                              -> commitment_loss
    Sec. 4    weighted sum of the losses              -> total_loss

Deviations: on the card.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as fn

from systems._base import Audio, Card, Codes

SECONDS = 256 * 64 / 24000  # of a segment
GAIN = 100.0  # of the spectrum, so that speech has magnitudes around 1 in the network


@dataclass(frozen=True)
class Config:
    """Sizes. "ours" means: the paper leaves it open, and its total comes out with this value."""

    sample_rate: int = 24000  # Sec. 3
    window: int = 512  # Sec. 3
    hop: int = 64  # Sec. 3
    segment: int = 256  # frames that the network sees at once, Sec. 3
    dilations: tuple[tuple[int, int], ...] = ((1, 1), (3, 3), (3, 5), (3, 7), (1, 1))  # Sec. 3
    stem: int = 4  # channels at full resolution, ours
    channels: tuple[int, ...] = (12, 24, 48, 112)  # of the four stages, ours
    strides: tuple[tuple[int, int], ...] = ((2, 2), (2, 1), (2, 2), (2, 2))  # frequency, time
    heads: int = 4  # ours
    hidden: int = 370  # of the feed-forward layer, ours
    drop_path: float = 0.05  # Sec. 3
    width: int = 16  # D, ours
    stages: int = 12  # S, Sec. 3
    codebook_size: int = 2048  # K, Sec. 3
    split: bool = False  # ablation: real and imaginary parts apart

    @property
    def bins(self) -> int:
        """Frequency bins F, without the Nyquist bin."""
        return self.window // 2

    @property
    def time_stride(self) -> int:
        """Frames behind one code vector."""
        return int(np.prod([t for _, t in self.strides]))

    @property
    def latent_bins(self) -> int:
        """Rows of the encoder's output."""
        return self.bins // int(np.prod([f for f, _ in self.strides]))


STRIDES = {6: Config().strides, 12: ((2, 2), (2, 1), (2, 2), (2, 1))}  # by kbps


# ---- Time and frequency ---------------------------------------------------------------------


def analyse(wav: Tensor, config: Config) -> Tensor:
    """Sec. 3: spectra of all whole frames; a full-scale sine has magnitude GAIN / 2.

    Args:
        wav: shape ``(B, window - hop + T * hop)``.
        config: window and hop.

    Returns:
        Complex, shape ``(B, F, T)``.
    """
    w = torch.hann_window(config.window, device=wav.device)
    frames = wav.unfold(1, config.window, config.hop) * (w * (GAIN / w.sum()))
    return torch.fft.rfft(frames)[..., : config.bins].transpose(1, 2)


def synthesise(spectrum: Tensor, config: Config) -> Tensor:
    """Sec. 3: overlap-add of the inverse transforms.

    Args:
        spectrum: complex, shape ``(B, F, T)``.
        config: window and hop.

    Returns:
        Shape ``(B, window - hop + T * hop)``; the first and last window - hop samples are partial
        sums, to which the frames before and after have still to be added.
    """
    w = torch.hann_window(config.window, device=spectrum.device)
    scale = w * (w.sum() / GAIN) * (config.hop / w.square().sum())
    frames = torch.fft.irfft(spectrum, config.window, dim=1) * scale[:, None]
    total = config.window + (spectrum.shape[2] - 1) * config.hop
    return fn.fold(frames, (1, total), (1, config.window), stride=(1, config.hop))[:, 0, 0]


def as_real(z: Tensor) -> Tensor:
    """Complex (B, F, T) -> real (B, 2, F, T)."""
    return torch.stack([z.real, z.imag], 1)


def as_complex(x: Tensor) -> Tensor:
    """Real (B, 2, F, T) -> complex (B, F, T)."""
    return torch.complex(x[:, 0].contiguous(), x[:, 1].contiguous())


# ---- Layers: each commutes with a rotation of all phases ------------------------------------


class ComplexConv(nn.Module):
    """Eq. (2): (w * z)[n] = sum_k w_k z_(n-k), as one real convolution; no bias, by Eq. (3)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        *,
        up: bool = False,
        split: bool = False,
    ):
        super().__init__()
        shape = (inputs, outputs) if up else (outputs, inputs)
        self.real = nn.Parameter(torch.empty(*shape, *kernel))
        self.imag = nn.Parameter(torch.empty(*shape, *kernel))
        self.stride, self.dilation, self.up, self.split = stride, dilation, up, split
        self.kernel = kernel
        self.padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, T) -> (B, 2 C', F / stride, T / stride), or times it."""
        a, b = self.real, self.imag
        if self.split:
            none = torch.zeros_like(a)
            weight = torch.cat([torch.cat([a, none], 1), torch.cat([none, b], 1)], 0)
        else:
            off = (b, -b) if self.up else (-b, b)
            weight = torch.cat([torch.cat([a, off[0]], 1), torch.cat([off[1], a], 1)], 0)
        if self.up:  # kernel 3 over a stride of 2: one row is left over, and cut off
            more = tuple(s - 1 for s in self.stride)
            return fn.conv_transpose2d(
                x, weight, stride=self.stride, padding=self.padding, output_padding=more
            )
        return fn.conv2d(x, weight, None, self.stride, self.padding, self.dilation)


class ModReLU(nn.Module):
    """Eq. (4): ReLU(|z| + b) z / |z|, b learnt for each channel."""

    def __init__(self, channels: int, *, split: bool = False):
        super().__init__()
        self.bias = nn.Parameter(torch.empty(channels))
        self.split = split

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, T) -> the same."""
        real, imag = x.chunk(2, 1)
        b = self.bias[:, None, None]
        if self.split:
            sizes = (real.abs(), imag.abs())
        else:
            sizes = ((real.square() + imag.square() + 1e-12).sqrt(),) * 2
        parts = zip((real, imag), sizes, strict=True)
        return torch.cat([p * (fn.relu(s + b) / (s + 1e-6)) for p, s in parts], 1)


class ComplexNorm(nn.Module):
    """Sec. 2: each channel of a segment centred and whitened by its 2x2 covariance; a complex gain.

    Statistics are the segment's own, so that a batch changes nothing and, as the gain only turns
    and scales, Eq. (3) holds.
    """

    def __init__(self, channels: int, *, split: bool = False):
        super().__init__()
        self.gain = nn.Parameter(torch.empty(2, channels))
        self.split = split

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, T) -> the same."""
        x = x.float()
        x = x - x.mean((2, 3), keepdim=True)
        real, imag = x.chunk(2, 1)
        v_rr = real.square().mean((2, 3), keepdim=True) + 1e-6
        v_ii = imag.square().mean((2, 3), keepdim=True) + 1e-6
        v_ri = (real * imag).mean((2, 3), keepdim=True)
        v_ri = torch.zeros_like(v_ri) if self.split else v_ri
        s = (v_rr * v_ii - v_ri.square()).clamp(min=1e-14).sqrt()
        inverse = 1 / (s * (v_rr + v_ii + 2 * s).sqrt())  # of V^(1/2), in closed form
        a, b, c = (v_ii + s) * inverse, -v_ri * inverse, (v_rr + s) * inverse
        real, imag = a * real + b * imag, b * real + c * imag
        g_r, g_i = self.gain[:, :, None, None]
        if self.split:
            return torch.cat([g_r * real, g_i * imag], 1)
        return torch.cat([g_r * real - g_i * imag, g_i * real + g_r * imag], 1)


class AxialAttention(nn.Module):
    """Sec. 3: self-attention along one axis, with a residual; scores are Re(q^H k)."""

    def __init__(self, channels: int, config: Config, *, axis: int):
        super().__init__()
        self.axis, self.heads = axis, config.heads
        self.norm = ComplexNorm(channels, split=config.split)
        self.split = ComplexConv(channels, 3 * channels, split=config.split)
        self.out = ComplexConv(channels, channels, split=config.split)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, T) -> the same."""
        b, _, f, t = x.shape
        y = self.split(self.norm(x)).view(b, 2, 3, self.heads, -1, f, t)
        order = (2, 0, 5, 3, 6, 1, 4) if self.axis == 3 else (2, 0, 6, 3, 5, 1, 4)
        y = y.permute(*order).flatten(5)  # (3, B, other axis, heads, axis, 2 d)
        q, k, v = (part.flatten(0, 1) for part in y)
        z = fn.scaled_dot_product_attention(q, k, v)  # (B other, heads, axis, 2 d)
        other, along = (f, t) if self.axis == 3 else (t, f)
        z = z.view(b, other, self.heads, along, 2, -1)
        back = (0, 4, 2, 5, 1, 3) if self.axis == 3 else (0, 4, 2, 5, 3, 1)
        return x + self.out(z.permute(*back).reshape(b, -1, f, t))


class FeedForward(nn.Module):
    """Sec. 3: two pointwise complex layers with modReLU between, and a residual."""

    def __init__(self, channels: int, config: Config):
        super().__init__()
        split = config.split
        self.layers = nn.Sequential(
            ComplexNorm(channels, split=split),
            ComplexConv(channels, config.hidden, split=split),
            ModReLU(config.hidden, split=split),
            ComplexConv(config.hidden, channels, split=split),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, T) -> the same."""
        return x + self.layers(x)


class ResidualLayer(nn.Module):
    """Sec. 3: a 3x3 complex convolution with dilation, and a residual."""

    def __init__(self, channels: int, dilation: tuple[int, int], config: Config):
        super().__init__()
        split = config.split
        self.layers = nn.Sequential(
            ComplexNorm(channels, split=split),
            ModReLU(channels, split=split),
            ComplexConv(channels, channels, (3, 3), dilation=dilation, split=split),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, T) -> the same."""
        return x + self.layers(x)


class _Main(nn.Module):
    """Norm, modReLU, 3x3, attention along time, 3x3, 1x1; sometimes left out while training."""

    def __init__(self, channels: int, config: Config):
        super().__init__()
        split, self.drop = config.split, config.drop_path
        self.layers = nn.Sequential(
            ComplexNorm(channels, split=split),
            ModReLU(channels, split=split),
            ComplexConv(channels, channels, (3, 3), split=split),
            AxialAttention(channels, config, axis=3),
            ComplexConv(channels, channels, (3, 3), split=split),
            ComplexConv(channels, channels, split=split),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, T) -> the same."""
        y = self.layers(x)
        if not self.training or not self.drop:
            return y
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
        return y * kept / (1 - self.drop)


class Down(nn.Module):
    """Sec. 3: a strided main path, and a gated skip: adaptive average pooling and a 1x1 layer."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int], config: Config):
        super().__init__()
        split = config.split
        self.down = ComplexConv(inputs, outputs, (3, 3), stride, split=split)
        self.main = _Main(outputs, config)
        self.skip = ComplexConv(inputs, outputs, split=split)
        self.gate = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, T) -> (B, 2 C', F / stride, T / stride)."""
        y = self.main(self.down(x))
        pooled = fn.adaptive_avg_pool2d(x, y.shape[2:])
        gate = torch.sigmoid(self.gate).repeat(2)[:, None, None]
        return y + gate * self.skip(pooled)


class Up(nn.Module):
    """Sec. 3: `Down` mirrored, without the pooling branch: main, then a transposed convolution."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int], config: Config):
        super().__init__()
        self.main = _Main(inputs, config)
        self.up = ComplexConv(inputs, outputs, (3, 3), stride, up=True, split=config.split)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 C, F, T) -> (B, 2 C', F * stride, T * stride)."""
        return self.up(x + self.main(x))


# ---- Quantiser ------------------------------------------------------------------------------


def distances(x: Tensor, codebook: Tensor) -> Tensor:
    """Eq. (5): ||x||^2 + ||e_k||^2 - 2 Re(x^H e_k).

    Args:
        x: real and imaginary parts, shape ``(..., 2 D)``.
        codebook: e, shape ``(K, 2 D)``; the product of the parts is the real part of x^H e.

    Returns:
        Shape ``(..., K)``.
    """
    own = x.square().sum(-1, keepdim=True)
    return own + codebook.square().sum(-1) - 2 * (x @ codebook.t())


def nearest(x: Tensor, codebook: Tensor) -> Tensor:
    """Eq. (6): k* = argmin_k d_k(x). (..., 2 D), (K, 2 D) -> (...)."""
    return (codebook.square().sum(-1) - 2 * (x @ codebook.t())).argmin(-1)


def commitment_loss(z_e: Tensor, e_k: Tensor, beta: float = 0.05) -> Tensor:
    """Eq. (7): beta mean_n ||z_(e,n) - sg(e_(k*(n)))||^2. (..., 2 D), (..., 2 D) -> scalar."""
    return beta * (z_e - e_k.detach()).square().sum(-1).mean()


class ComplexRvq(nn.Module):
    """Eq. (1): r^(m) = z - sum_(j<m) e^(j), each stage taking the centroid nearest to its r."""

    codebooks: Tensor  # (S, K, 2 D)

    def __init__(self, config: Config):
        super().__init__()
        shape = (config.stages, config.codebook_size, 2 * config.width)
        self.register_buffer("codebooks", torch.zeros(shape))

    def encode(self, z: Tensor) -> Tensor:
        """Latents (..., 2 D) -> codes (..., S)."""
        residual, codes = z, []
        for book in self.codebooks:
            code = nearest(residual, book)
            residual = residual - book[code]
            codes.append(code)
        return torch.stack(codes, -1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (..., S) -> latents (..., 2 D)."""
        books = zip(self.codebooks, codes.unbind(-1), strict=True)
        return torch.stack([book[code] for book, code in books]).sum(0)


# ---- Network --------------------------------------------------------------------------------


class EuleroDecNet(nn.Module):
    """Eq. (3): both halves give e^(i phi) f(z) for e^(i phi) z, since every layer does."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = c = config
        split, last = c.split, c.channels[-1]
        steps = list(zip((c.stem, *c.channels), c.channels, c.strides, strict=False))
        self.analysis = nn.Sequential(
            ComplexConv(1, c.stem, (3, 7), split=split),
            *(ResidualLayer(c.stem, d, c) for d in c.dilations),
            *(Down(a, b, s, c) for a, b, s in steps),
            AxialAttention(last, c, axis=2),
            FeedForward(last, c),
        )
        merged = last * c.latent_bins
        self.project = ComplexConv(merged, c.width, split=split)
        self.quantiser = ComplexRvq(c)
        self.unproject = ComplexConv(c.width, merged, split=split)
        self.synthesis = nn.Sequential(
            AxialAttention(last, c, axis=2),
            FeedForward(last, c),
            *(Up(b, a, s, c) for a, b, s in reversed(steps)),
            *(ResidualLayer(c.stem, d, c) for d in reversed(c.dilations)),
            ComplexConv(c.stem, 1, (3, 7), split=split),
        )

    def encoder(self, spectrum: Tensor) -> Tensor:
        """X (B, F, T) complex, T whole strides -> latents z_e (B, T', 2 D)."""
        x = self.analysis(as_real(spectrum))
        b, _, f, t = x.shape
        merged = x.view(b, -1, 1, t) if f == 1 else x.reshape(b, 2, -1, t).view(b, -1, 1, t)
        return self.project(merged)[:, :, 0].transpose(1, 2)

    def decoder(self, latents: Tensor) -> Tensor:
        """Latents z_q (B, T', 2 D) -> X-hat (B, F, T) complex."""
        b, t = latents.shape[:2]
        x = self.unproject(latents.transpose(1, 2)[:, :, None])
        x = x.reshape(b, 2 * self.config.channels[-1], self.config.latent_bins, t)
        return as_complex(self.synthesis(x).float())


@torch.no_grad()
def build(config: Config, seed: int = 0) -> EuleroDecNet:
    """Return a network with first values from this seed; the global generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        net = EuleroDecNet(config)
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, ComplexConv):
            fan_in = module.real[0].numel() if not module.up else module.real[:, 0].numel()
            used = fan_in / (np.prod(module.stride) if module.up else 1)
            for part in (module.real, module.imag):
                part.normal_(0, float((2 - config.split) * used) ** -0.5, generator=generator)
        elif isinstance(module, ModReLU):
            module.bias.fill_(-0.1)
        elif isinstance(module, ComplexNorm):
            module.gain[0].fill_(1)
            module.gain[1].fill_(float(config.split))
        elif isinstance(module, Down):
            module.gate.zero_()
        elif isinstance(module, ComplexRvq):
            codes = torch.randn(module.codebooks.shape, generator=generator)
            size = 0.8 ** torch.arange(config.stages)[:, None, None]
            module.codebooks.copy_(codes * size)
    for module in net.modules():  # what is added to a residual starts small
        if isinstance(module, AxialAttention):
            _scale(module.out, 0.3)
        elif isinstance(module, FeedForward | ResidualLayer):
            _scale(module.layers[-1], 0.3)
        elif isinstance(module, Up):
            _scale(module.main.layers[-1], 0.3)
    return net


def _scale(conv: Any, size: float) -> None:
    conv.real.mul_(size)
    conv.imag.mul_(size)


# ---- Losses ---------------------------------------------------------------------------------

RESOLUTIONS = (512, 1024, 2048)  # windows of the spectral losses, hop = window / 4; ours


def spectral_losses(
    estimate: Tensor, reference: Tensor, windows: tuple[int, ...] = RESOLUTIONS
) -> tuple[Tensor, Tensor]:
    """Sec. 4: multi-resolution losses of complex spectra and of their magnitudes, means.

    Of each window: spectral convergence ||X - X-hat|| / ||X|| and mean |X - X-hat|; and the same
    of magnitudes, with log magnitudes in the second term.

    Args:
        estimate: shape ``(B, L)``.
        reference: same shape.
        windows: lengths.
    """
    near = size = estimate.new_zeros(())
    for n in windows:
        w = torch.hann_window(n, device=estimate.device)
        both = torch.stft(
            torch.cat([estimate, reference]), n, n // 4, n, w / w.sum(), return_complex=True
        )
        a, b = (torch.view_as_real(x) for x in both.chunk(2))
        gap = ((a - b).square().sum(-1) + 1e-12).sqrt()
        m_a, m_b = ((x.square().sum(-1) + 1e-10).sqrt() for x in (a, b))
        norm = b.square().sum((1, 2, 3)).sqrt() + 1e-4
        converged = ((a - b).square().sum((1, 2, 3)) + 1e-12).sqrt() / norm
        near = near + converged.mean() + GAIN * gap.mean()
        flat = ((m_a - m_b).square().sum((1, 2)) + 1e-12).sqrt() / norm
        size = size + flat.mean() + (m_a.log() - m_b.log()).abs().mean()
    return near / len(windows), size / len(windows)


def total_loss(
    mel: Tensor, near: Tensor, size: Tensor, quantiser: Tensor, *, w: float = 1.0
) -> Tensor:
    """Sec. 4: 80 w L_mel + 80 w L_cplx + 50 w L_mrs + 0.1 L_q, scalars."""
    return w * (80 * mel + 80 * near + 50 * size) + 0.1 * quantiser


# ---- Adapter --------------------------------------------------------------------------------

SHIPPED = {
    6: Path(__file__).with_name("weights") / "eulerodec.safetensors",
    12: Path(__file__).with_name("weights") / "eulerodec_12.safetensors",
}


class EuleroDec:
    """The codec; not causal: a segment of 0.683 s is coded as a whole.

    Args:
        kbps: 6 or 12.
        split: the ablation with real and imaginary parts apart (never trained here).
        weights: a ``.safetensors`` file, "random", or None for those shipped, else random.
        device: where the network is.

    Raises:
        ValueError: a parameter outside these.
    """

    def __init__(
        self,
        kbps: int = 6,
        split: bool = False,
        weights: str | None = None,
        device: str = "cpu",
    ) -> None:
        if kbps not in STRIDES:
            msg = f"kbps={kbps}: want one of {', '.join(map(str, STRIDES))}"
            raise ValueError(msg)
        found: Path | None = None if weights in (None, "random") else Path(str(weights))
        if weights is None and not split and SHIPPED[kbps].exists():
            found = SHIPPED[kbps]
        if found is None:
            self.net = build(replace(Config(), strides=STRIDES[kbps], split=split))
            about: dict[str, Any] = {"summary": "untrained: random values from seed 0"}
            digest = "random:seed=0"
        else:
            self.net, about = read_weights(found)
            digest = f"sha256:{hashlib.sha256(found.read_bytes()).hexdigest()}"
        self.net.eval().to(device)
        self.config, self.device = self.net.config, device
        own = [f"kbps={kbps}"] + ["split=true"] * split
        own += [f"weights={weights}"] if weights is not None else []
        self.card = Card(
            name=f"eulerodec:{','.join(own)}",
            task="codec",
            sample_rate=self.config.sample_rate,
            paper="arXiv:2601.17517",
            weights=digest,
            scale="reduced",
            licence=str(about.get("licence", "none: random values")),
            deviations=(str(about["summary"]), *DEVIATIONS),
            bitrates=(12 * 11 * 0.375 / self.config.time_stride * 1000,),
            frame_rate=self.config.sample_rate / self.config.hop / self.config.time_stride,
            versions=(f"torch=={torch.__version__}",),
            paper_figures=PAPER[kbps],
        )

    def tensor(self, wav: Audio) -> Tensor:
        """Return samples where the network is."""
        return torch.from_numpy(np.ascontiguousarray(wav)).to(self.device)

    @torch.inference_mode()
    def encode(self, wav: Audio) -> Codes:
        """Code one recording, segment by segment.

        Args:
            wav: shape ``(T,)``, T at least 1, 24 kHz.

        Raises:
            ValueError: not one-dimensional, empty, or with values that are not finite.
        """
        if wav.ndim != 1 or wav.size == 0:
            msg = f"shape {wav.shape}: want mono samples, shape (T,), T at least 1"
            raise ValueError(msg)
        if not np.isfinite(wav).all():
            msg = "the signal holds NaN or infinity"
            raise ValueError(msg)
        c, edge = self.config, self.config.window - self.config.hop
        frames = -(-(wav.size + edge) // c.hop)
        frames += -frames % c.time_stride
        padded = np.zeros(edge + frames * c.hop, np.float32)
        padded[edge : edge + wav.size] = wav
        parts = []
        for start in range(0, frames, c.segment):
            count = min(c.segment, frames - start)
            piece = padded[start * c.hop : (start + count) * c.hop + edge]
            latents = self.net.encoder(analyse(self.tensor(piece)[None], c))
            parts.append(self.net.quantiser.encode(latents)[0].cpu().numpy())
        codes = np.concatenate(parts)
        streams = tuple(np.ascontiguousarray(codes[:, i]) for i in range(c.stages))
        return Codes(streams, (c.codebook_size,) * c.stages, wav.size)

    @torch.inference_mode()
    def decode(self, codes: Codes) -> Audio:
        """Return the samples; spectra of neighbouring segments are overlap-added."""
        c, edge = self.config, self.config.window - self.config.hop
        step = c.segment // c.time_stride
        both = np.stack(codes.streams, 1)
        out = np.zeros(both.shape[0] * c.time_stride * c.hop + edge, np.float32)
        for start in range(0, both.shape[0], step):
            part = torch.as_tensor(both[start : start + step], device=self.device)[None]
            sums = synthesise(self.net.decoder(self.net.quantiser.decode(part)), c)[0]
            at = start * c.time_stride * c.hop
            out[at : at + sums.numel()] += sums.cpu().numpy()
        return np.clip(out[edge : edge + codes.samples], -1, 1)


def _figures(rate: float, frames: float, **more: float) -> dict[str, float | tuple[float, ...]]:
    return {"frame_rate": frames, "sample_rate": 24000.0, "bitrates": (rate,), **more}


PAPER = {
    6: _figures(6.1875, 46.875, parameters=2_347_621),
    12: _figures(12.375, 93.75),
}
DEVIATIONS = (
    "channels, heads, feed-forward and code widths and two of the strides are chosen: the total of "
    "parameters is met with a complex weight counted as two numbers and codebooks not counted",
    "the Nyquist bin is not coded",
    "whitening takes each segment's own statistics and has a complex gain, no bias: equivariant",
    "the wide 3x7 convolution comes first, then the dilated layers",
    "an up-sampling stage adds its input to its main path, without which the level would be lost",
    "segments follow one another without overlap in codes; their spectra are overlap-added",
)


def read_weights(path: Path) -> tuple[EuleroDecNet, dict[str, Any]]:
    """Return the network that a weights file describes, and its card.

    Raises:
        ValueError: no such file, or one of another network.
    """
    if not path.exists():
        msg = f"no weights at {path}: want a .safetensors file of `bench train eulerodec`"
        raise ValueError(msg)
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key).float() for key in file.keys()}
        about = json.loads((file.metadata() or {}).get("about", "{}"))
    sizes: dict[str, Any] = {k: _tuples(v) for k, v in about.get("codec", {}).items()}
    net = build(replace(Config(), **sizes))
    try:
        net.load_state_dict(tensors)
    except RuntimeError as error:
        msg = f"{path}: weights of another network: {error}"
        raise ValueError(msg) from error
    return net, about


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


load = EuleroDec
