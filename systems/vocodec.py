"""A light speech codec that works on the short-time spectrum from end to end.

Paper: "VoCodec: An Efficient Lightweight Low-Bitrate Speech Codec", ICASSP 2026,
arXiv:2601.13055v1.

Symbols (paper -> code, shape): x, x-hat -> wav (B, L); X -> spectrum (B, T, F), complex; Z_in ->
features (B, T, 2F); z_e -> unit vectors (B, T, 8) of one quantiser layer; e_k -> codebooks[i, k];
M -> Config.blocks; N -> Config.resnets; D -> StftDiscriminator. Frames stand before channels.

Map:
    Eq. (1)   log-magnitude and phase in              -> log_phase_features
    Sec. 2    STFT of the newest frames               -> analyse
    Sec. 2    its inverse                             -> synthesise
    Sec. 2    ConvNeXt block                          -> ConvNeXt
    Sec. 2    ResNet block of the attention module    -> ResNet
    Sec. 2    masked self-attention                   -> WindowedAttention
    Sec. 2    encoder                                 -> Encoder
    Sec. 2    factorised, L2-normalised RVQ           -> ResidualQuantiser
    Sec. 2    mirrored decoder                        -> Decoder
    Sec. 2    multi-scale STFT discriminator          -> MultiScaleStftDiscriminator
    Eq. (2)   negative SI-SNR                         -> si_snr_loss
    Eq. (3)   compressed magnitudes                   -> magnitude_loss
    Eq. (4)   compressed real and imaginary parts     -> real_imag_loss
    Eq. (5)   loss of the enhancement front end       -> enhancement_loss
    Eq. (6)   multi-scale mel distance                -> mel_loss
    Eq. (7)   adversarial loss                        -> adversarial_loss
    Eq. (8)   feature matching                        -> feature_matching_loss
    Eq. (9)   codebook term                           -> codebook_loss
    Eq. (9)   commitment term                         -> commitment_loss
    Eq. (9)   their sum                               -> generator_loss
    Eq. (10)  loss of the discriminator               -> discriminator_loss

Deviations: on the card.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as fn

from systems._base import Audio, Card, Codes

State = dict[nn.Module, Tensor]  # what each causal module remembers of the frames before


@dataclass(frozen=True)
class Config:
    """Sizes. "ours" means: the paper leaves it open, and its totals come out with this value."""

    sample_rate: int = 24000  # Sec. 3
    hop: int = 240  # Sec. 3: 100 frames/s, 10 ms of buffering
    window: int = 720  # ours: 20 ms of look-ahead on top of the hop, as the paper states
    features: Literal["log_phase", "compressed"] = "log_phase"  # Eq. (1)
    blocks: int = 6  # M, ours
    resnets: int = 2  # N, ours
    encoder_width: int = 192  # ours
    encoder_hidden: int = 544  # inverted bottleneck of the encoder's ConvNeXt, ours
    decoder_width: int = 256  # ours; also its hidden width: no inverted bottleneck
    groups: int = 4  # of the decoder's ResNet convolutions, ours
    kernel: int = 7  # of depthwise convolutions, ours
    heads: int = 4  # ours
    encoder_attention: int = 160  # query, key and value width, ours
    decoder_attention: int = 192  # ours
    attention_frames: int = 32  # how far attention looks back, ours: 320 ms
    codebooks: int = 6  # Sec. 3: 1 kbps each
    codebook_size: int = 1024  # Sec. 3
    code_width: int = 8  # Sec. 3

    @property
    def bins(self) -> int:
        """Frequency bins F of one frame."""
        return self.window // 2 + 1


COMPRESSION = 0.3  # exponent of Eqs. (3) and (4)
FLOOR = 1e-9  # of powers before compression
GAIN = 4.0  # brings compressed spectra of speech near unit variance


# ---- Time and frequency ---------------------------------------------------------------------


def _with_past(
    module: nn.Module, x: Tensor, length: int, state: State | None, dim: int = 1
) -> Tensor:
    """Put the last `length` entries of the past (zeros at first) before x, and remember anew."""
    past = None if state is None else state.get(module)
    if past is None:
        shape = list(x.shape)
        shape[dim] = length
        past = x.new_zeros(shape)
    joined = torch.cat([past, x], dim)
    if state is not None:
        state[module] = joined.narrow(dim, joined.shape[dim] - length, length).clone()
    return joined


def analyse(wav: Tensor, window: int, hop: int) -> Tensor:
    """Sec. 2: X, the spectra of all whole frames; a full-scale sine has magnitude 0.5.

    Args:
        wav: shape ``(B, window - hop + T * hop)``; frame t ends with sample window + t * hop - 1.
        window: samples in a frame.
        hop: samples from frame to frame.

    Returns:
        Complex spectra, shape ``(B, T, window // 2 + 1)``.
    """
    w = torch.hann_window(window, device=wav.device)
    return torch.fft.rfft(wav.unfold(1, window, hop) * (w / w.sum()))


def synthesise(spectrum: Tensor, window: int, hop: int) -> Tensor:
    """Sec. 2: overlap-add of the windowed inverse spectra, exact wherever all frames reach.

    Args:
        spectrum: complex, shape ``(B, T, window // 2 + 1)``.
        window: samples in a frame.
        hop: samples from frame to frame.

    Returns:
        Shape ``(B, window - hop + T * hop)``; the first and last window - hop samples are partial
        sums, to which the frames before and after have still to be added.
    """
    w = torch.hann_window(window, device=spectrum.device)
    frames = torch.fft.irfft(spectrum, n=window) * (w * w.sum() * hop / w.square().sum())
    total = window + (frames.shape[1] - 1) * hop
    return fn.fold(frames.transpose(1, 2), (1, total), (1, window), stride=(1, hop))[:, 0, 0]


def log_phase_features(spectrum: Tensor) -> Tensor:
    """Eq. (1): Z_in = Concat(log |X|, angle(X_i, X_r)). (B, T, F) complex -> (B, T, 2F)."""
    return torch.cat([spectrum.abs().clamp(min=1e-5).log(), spectrum.angle()], -1)


def compress(spectrum: Tensor) -> Tensor:
    """Return |X|^0.3 exp(j angle(X)), the terms of Eq. (4). (B, T, F) complex, same shape."""
    return spectrum * _power(spectrum, COMPRESSION - 1)


def compressed_features(spectrum: Tensor) -> Tensor:
    """Return real and imaginary parts of `compress`, scaled. (B, T, F) complex -> (B, T, 2F)."""
    small = compress(spectrum) * GAIN
    return torch.cat([small.real, small.imag], -1)


def spectrum_of(coefficients: Tensor) -> Tensor:
    """Return X of which `coefficients` are real and imaginary part, compressed to |X|^(1/3).

    The cube root tames the range as Eqs. (3) and (4) do, and its inverse needs products alone.
    (B, T, 2F) -> (B, T, F) complex.
    """
    real, imag = (coefficients / GAIN).chunk(2, -1)
    gain = real.square() + imag.square()
    return torch.complex(real * gain, imag * gain)


# ---- Generator ------------------------------------------------------------------------------


class CausalConv(nn.Conv1d):
    """Convolution over frames that sees only the past. (B, T, C) -> (B, T, C')."""

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int = 1):
        super().__init__(inputs, outputs, kernel, groups=groups)
        self.past = kernel - 1

    def run(self, x: Tensor, state: State | None) -> Tensor:
        """Convolve after the remembered (at first zero) frames."""
        joined = _with_past(self, x, self.past, state)
        taps = [joined[:, i : i + x.shape[1]] for i in range(self.past + 1)]
        if self.groups == 1:  # one product: bfloat16 convolutions of some lengths are slow
            return fn.linear(torch.cat(taps, -1), self.weight.transpose(1, 2).flatten(1), self.bias)
        if self.training and self.groups == self.in_channels:  # fuses when compiled
            weight = self.weight.to(x.dtype)
            out = taps[0] * weight[:, 0, 0]
            for i in range(1, len(taps)):
                out = out + taps[i] * weight[:, 0, i]
            return out if self.bias is None else out + self.bias.to(x.dtype)
        return self(joined.transpose(1, 2)).transpose(1, 2)


class ConvNeXt(nn.Module):
    """Sec. 2: depthwise convolution, then two pointwise ones; hidden = width in the decoder."""

    def __init__(self, width: int, hidden: int, kernel: int):
        super().__init__()
        self.depthwise = CausalConv(width, width, kernel, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor, state: State | None) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        y = self.norm(self.depthwise.run(x, state))
        return x + self.scale * self.down(fn.gelu(self.up(y)))


class ResNet(nn.Module):
    """Sec. 2: norm, SiLU, convolution, twice; grouped in the decoder."""

    def __init__(self, width: int, groups: int):
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, eps=1e-6)
        self.conv_1 = CausalConv(width, width, 3, groups)
        self.norm_2 = nn.LayerNorm(width, eps=1e-6)
        self.conv_2 = CausalConv(width, width, 3, groups)
        self.scale = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor, state: State | None) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        y = self.conv_1.run(fn.silu(self.norm_1(x)), state)
        return x + self.scale * self.conv_2.run(fn.silu(self.norm_2(y)), state)


class WindowedAttention(nn.Module):
    """Sec. 2: self-attention masked to the last `frames` frames, this one included.

    Frames go in blocks that see themselves and the window before them, so that work and memory
    grow linearly with length.
    """

    def __init__(self, width: int, inner: int, heads: int, frames: int):
        super().__init__()
        self.heads, self.frames = heads, frames
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * inner)
        self.out = nn.Linear(inner, width)
        self.distance = nn.Parameter(torch.empty(heads, frames))  # a bias for each frame back

    def forward(self, x: Tensor, state: State | None) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        b, t, _ = x.shape
        before = self.frames - 1
        qkv = self.qkv(self.norm(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, kv = qkv[0], qkv[1:]  # (B, H, T, d), (2, B, H, T, d)
        if state is not None:
            if self in state:
                kv = torch.cat([state[self], kv], 3)
            state[self] = kv[..., max(0, kv.shape[3] - before) :, :].clone()
        known = kv.shape[3] - t  # frames of the past at hand, 0 ... before
        block = min(self.frames, t)
        blocks = -(-t // block)
        pad = blocks * block - t
        q = fn.pad(q, (0, 0, 0, pad)).unflatten(2, (blocks, block))  # (B, H, J, block, d)
        kv = fn.pad(kv, (0, 0, before - known, pad)).unfold(3, block + before, block)
        near = torch.arange(block + before, device=x.device)
        back = torch.arange(before, before + block, device=x.device)[:, None] - near
        start = torch.arange(blocks, device=x.device)[:, None, None] * block - before
        seen = (back >= 0) & (back <= before) & (start + near >= -known)  # (J, block, keys)
        bias = self.distance[:, back.clamp(0, before)][:, None].masked_fill(~seen, -math.inf)
        scores = q @ kv[0] / math.sqrt(q.shape[-1]) + bias  # (B, H, J, block, keys)
        y = scores.softmax(-1).to(q.dtype) @ kv[1].transpose(-1, -2)  # (B, H, J, block, d)
        y = y.flatten(2, 3)[:, :, :t].transpose(1, 2).flatten(2)
        return x + self.out(y)


class Encoder(nn.Module):
    """Sec. 2: projection, M ConvNeXt blocks, attention module (N ResNet blocks, attention)."""

    def __init__(self, config: Config):
        super().__init__()
        c, width = config, config.encoder_width
        self.project = nn.Linear(2 * c.bins, width)
        self.norm_in = nn.LayerNorm(width, eps=1e-6)
        self.blocks = nn.ModuleList(
            ConvNeXt(width, c.encoder_hidden, c.kernel) for _ in range(c.blocks)
        )
        self.resnets = nn.ModuleList(ResNet(width, 1) for _ in range(c.resnets))
        self.attention = WindowedAttention(width, c.encoder_attention, c.heads, c.attention_frames)
        self.norm_out = nn.LayerNorm(width, eps=1e-6)

    def forward(self, features: Tensor, state: State | None = None) -> Tensor:
        """Z_in (B, T, 2F) -> latents (B, T, C)."""
        x = self.norm_in(self.project(features))
        for layer in (*self.blocks, *self.resnets, self.attention):
            x = layer(x, state)
        return self.norm_out(x)


class Decoder(nn.Module):
    """Sec. 2: the encoder mirrored, without inverted bottleneck, ResNet convolutions grouped."""

    def __init__(self, config: Config):
        super().__init__()
        c, width = config, config.decoder_width
        self.project = nn.Linear(c.encoder_width, width)
        self.attention = WindowedAttention(width, c.decoder_attention, c.heads, c.attention_frames)
        self.resnets = nn.ModuleList(ResNet(width, c.groups) for _ in range(c.resnets))
        self.blocks = nn.ModuleList(ConvNeXt(width, width, c.kernel) for _ in range(c.blocks))
        self.norm_out = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, 2 * c.bins)

    def forward(self, latents: Tensor, state: State | None = None) -> Tensor:
        """Quantised latents (B, T, C) -> coefficients for `spectrum_of` (B, T, 2F)."""
        x = self.project(latents)
        for layer in (self.attention, *self.resnets, *self.blocks):
            x = layer(x, state)
        return self.head(self.norm_out(x))


class ResidualQuantiser(nn.Module):
    """Sec. 2: RVQ with factorised (8-dim) codes; vectors and codes lie on the unit sphere.

    Each layer projects what the layers before left over to a unit vector z_e, replaces it with the
    code e_k of largest cosine, and projects back.
    """

    codebooks: Tensor  # (codebooks, codebook_size, code_width), unit vectors

    def __init__(self, config: Config):
        super().__init__()
        c = config
        self.down = nn.ModuleList(
            nn.Linear(c.encoder_width, c.code_width) for _ in range(c.codebooks)
        )
        self.up = nn.ModuleList(
            nn.Linear(c.code_width, c.encoder_width) for _ in range(c.codebooks)
        )
        self.codebooks = nn.Parameter(torch.empty(c.codebooks, c.codebook_size, c.code_width))

    def codes_of(self, layer: int, z_e: Tensor) -> Tensor:
        """Index of the nearest code of one layer. Unit vectors (..., 8) -> (...)."""
        return (z_e @ self.codebooks[layer].t()).argmax(-1)

    def encode(self, latents: Tensor, layers: int) -> Tensor:
        """Latents (B, T, C) -> codes (B, T, layers)."""
        residual, codes = latents, []
        for i in range(layers):
            code = self.codes_of(i, fn.normalize(self.down[i](residual), dim=-1))
            residual = residual - self.up[i](self.codebooks[i][code])
            codes.append(code)
        return torch.stack(codes, -1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, T, layers) -> latents (B, T, C), by any number of the first layers."""
        return torch.stack(
            [self.up[i](self.codebooks[i][codes[..., i]]) for i in range(codes.shape[-1])]
        ).sum(0)


def straight_through(z_e: Tensor, e_k: Tensor) -> Tensor:
    """Sec. 2: the value of e_k with the gradient of z_e."""
    return z_e + (e_k - z_e).detach()


class VoCodecNet(nn.Module):
    """Sec. 2, Generator: encoder, quantiser and decoder between two spectra."""

    def __init__(self, config: Config, enhancer: EnhancerConfig | None = None):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.quantiser = ResidualQuantiser(config)
        self.decoder = Decoder(config)
        self.enhancer = None if enhancer is None else Enhancer(enhancer, config)

    def features(self, spectrum: Tensor) -> Tensor:
        """X (B, T, F) -> Z_in (B, T, 2F) as the configuration says."""
        if self.config.features == "log_phase":
            return log_phase_features(spectrum)
        return compressed_features(spectrum)


@torch.no_grad()
def initialise(net: nn.Module, generator: torch.Generator) -> None:
    """Give every parameter its first value from this generator alone.

    Args:
        net: any module of this file, already on a real device.
        generator: source of all random numbers.
    """
    for module in net.modules():
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, fan_in**-0.5, generator=generator)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.LayerNorm):
            module.weight.fill_(1)
            module.bias.zero_()
        elif isinstance(module, (ConvNeXt, ResNet)):
            module.scale.fill_(0.3)
        elif isinstance(module, WindowedAttention):
            module.distance.zero_()
        elif isinstance(module, MaskConv):
            module.slope.fill_(0.25)
        elif isinstance(module, nn.GRU):
            for value in module.parameters():
                value.normal_(0, module.hidden_size**-0.5, generator=generator)
        elif isinstance(module, ResidualQuantiser):
            codes = torch.randn(module.codebooks.shape, generator=generator)
            module.codebooks.copy_(fn.normalize(codes, dim=-1))


# ---- Enhancement front end ------------------------------------------------------------------


@dataclass(frozen=True)
class EnhancerConfig:
    """Sizes of the front end, chosen so that the cascade's totals come out (all ours)."""

    low: int = 121  # bins up to 4 kHz are kept as they are
    bands: int = 64  # triangles, equally spaced in mel, for the bins above
    channels: tuple[int, ...] = (24, 48, 64)
    kernel: tuple[int, int] = (3, 5)  # frames, bands
    intra: int = 48  # units each way of the GRU along frequency
    inter: int = 320  # units of the GRU along time
    ahead: int = 2  # frames of look-ahead: 20 ms


class MaskConv(nn.Module):
    """Convolution over past frames and nearby bands, or its transpose along the bands."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], up: bool = False):
        super().__init__()
        self.past, self.up = kernel[0] - 1, up
        if up:
            self.conv: nn.Conv2d | nn.ConvTranspose2d = nn.ConvTranspose2d(
                inputs, outputs, kernel, (1, 2), (self.past, kernel[1] // 2)
            )
        else:
            self.conv = nn.Conv2d(inputs, outputs, kernel, (1, 2), (0, kernel[1] // 2))
        self.slope = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor, state: State | None) -> Tensor:
        """(B, C, T, bands) -> (B, C', T, bands / 2), or bands * 2 - 1."""
        return fn.prelu(self.conv(_with_past(self, x, self.past, state, 2)), self.slope)


class Enhancer(nn.Module):
    """Sec. 2, Combined Enhancement: a light mask estimator in the manner of UL-UNAS.

    Bands, a convolutional U over frequency, one GRU along frequency and one along time at its
    bottom, a complex mask. The mask of frame t is made from the frames up to t + ahead.
    """

    up: Tensor  # (bands, F), spreads bands over bins

    def __init__(self, config: EnhancerConfig, codec: Config):
        super().__init__()
        self.config = config
        c = config
        sizes = [c.low + c.bands]
        for _ in c.channels:
            sizes.append((sizes[-1] + 1) // 2)  # 185, 93, 47, 24: the way back is 2 n - 1
        self.register_buffer("up", self.band_matrix(c, codec), persistent=False)
        down, up = [], []
        inputs = 3
        for n in c.channels:
            down.append(MaskConv(inputs, n, c.kernel))
            inputs = n
        for n in (*reversed(c.channels[:-1]), 8):
            up.append(MaskConv(2 * inputs, n, c.kernel, up=True))
            inputs = n
        self.down, self.rise = nn.ModuleList(down), nn.ModuleList(up)
        width = c.channels[-1]
        self.intra = nn.GRU(width, c.intra, batch_first=True, bidirectional=True)
        self.intra_out = nn.Linear(2 * c.intra, width)
        self.squeeze = nn.Linear(width * sizes[-1], c.inter)
        self.inter = nn.GRU(c.inter, c.inter, batch_first=True)
        self.spread = nn.Linear(c.inter, width * sizes[-1])
        self.mask = nn.Linear(8, 2)

    @staticmethod
    def band_matrix(config: EnhancerConfig, codec: Config) -> Tensor:
        """Weights that spread bands over bins, each bin's summing to 1. (bands, F)."""
        mel = 2595 * torch.log10(
            1 + torch.linspace(0, codec.sample_rate / 2, codec.bins, dtype=torch.float64) / 700
        )
        centres = torch.linspace(float(mel[config.low - 1]), float(mel[-1]), config.bands + 1)
        step = centres[1] - centres[0]
        near = (1 - (mel[config.low :, None] - centres).abs() / step).clamp(min=0)
        matrix = torch.zeros(config.low + config.bands, codec.bins)
        matrix[: config.low, : config.low] = torch.eye(config.low)
        matrix[config.low - 1 :, config.low :] = near.t().float()
        return matrix

    def forward(self, spectrum: Tensor, state: State | None = None) -> Tensor:
        """X -> complex masks of the same shape, frame t made from frames up to t.

        The caller applies mask t + ahead to frame t.
        """
        share = self.up / self.up.sum(1, keepdim=True)
        small = compressed_features(spectrum)
        real, imag = (part @ share.t() for part in small.chunk(2, -1))
        x = torch.stack([(real.square() + imag.square() + 1e-8).sqrt(), real, imag], 1)
        skips = []
        for layer in self.down:
            x = layer(x, state)
            skips.append(x)
        b, c, t, f = x.shape
        rows = x.permute(0, 2, 3, 1)  # (B, T, bands, C)
        rows = rows + self.intra_out(self.intra(rows.flatten(0, 1))[0]).view(b, t, f, c)
        past = None if state is None else state.get(self.inter)
        y, last = self.inter(self.squeeze(rows.flatten(2)), past)
        if state is not None:
            state[self.inter] = last
        x = (rows + self.spread(y).view(b, t, f, c)).permute(0, 3, 1, 2)
        for layer, skip in zip(self.rise, reversed(skips), strict=True):
            x = layer(torch.cat([x, skip], 1), state)
        mask = torch.tanh(self.mask(x.permute(0, 2, 3, 1)))  # (B, T, bands, 2)
        wide = mask.transpose(2, 3) @ self.up  # (B, T, 2, F)
        return torch.complex(wide[:, :, 0].contiguous(), wide[:, :, 1].contiguous())


# ---- Discriminator --------------------------------------------------------------------------

STFT_WINDOWS = (128, 256, 512, 1024, 2048)  # Sec. 2, Discriminator


class StftDiscriminator(nn.Module):
    """One window length: real and imaginary parts as two images' worth of channels."""

    def __init__(self, window: int, channels: int):
        super().__init__()
        self.window = window
        self.layers = nn.ModuleList(
            nn.Conv2d(i, channels, (3, 9), stride=(1, s), padding=(d, 4), dilation=(d, 1))
            for i, s, d in ((2, 1, 1), (channels, 2, 1), (channels, 2, 2), (channels, 2, 4))
        )
        self.last = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, wav: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, L) -> decision map (B, 1, frames, bins / 8), feature maps (B, C, frames, bins)."""
        w = torch.hann_window(self.window, device=wav.device)
        hop = self.window // 4
        x = torch.stft(wav, self.window, hop, self.window, w / w.norm(), return_complex=True)
        x = torch.stack([x.real, x.imag], 1).transpose(2, 3)  # (B, 2, frames, bins)
        maps = []
        for layer in self.layers:
            x = fn.leaky_relu(layer(x), 0.2)
            maps.append(x)
        return self.last(x), maps


class MultiScaleStftDiscriminator(nn.Module):
    """Sec. 2: one `StftDiscriminator` for each of 128 ... 2048 samples, hop = window / 4."""

    def __init__(self, channels: int = 16):
        super().__init__()
        self.scales = nn.ModuleList(StftDiscriminator(n, channels) for n in STFT_WINDOWS)

    def forward(self, wav: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        """(B, L) -> decisions and feature maps, one entry for each scale."""
        both = [scale(wav) for scale in self.scales]
        return [d for d, _ in both], [m for _, m in both]


# ---- Losses ---------------------------------------------------------------------------------


def codebook_loss(z_e: Tensor, e_k: Tensor) -> Tensor:
    """Eq. (9): || sg[z_e] - e_k ||^2, mean over frames. (..., 8), (..., 8) -> scalar."""
    return (z_e.detach() - e_k).square().sum(-1).mean()


def commitment_loss(z_e: Tensor, e_k: Tensor) -> Tensor:
    """Eq. (9): || z_e - sg[e_k] ||^2, mean over frames. (..., 8), (..., 8) -> scalar."""
    return (z_e - e_k.detach()).square().sum(-1).mean()


def mel_filters(bins: int, bands: int, sample_rate: int) -> Tensor:
    """Return triangles that are equally spaced in mel = 2595 log10(1 + f / 700), 0 to Nyquist.

    Args:
        bins: frequency bins of the spectrum.
        bands: mel bands.
        sample_rate: Hz.

    Returns:
        Weights with a peak of 1 at each band's centre, shape ``(bins, bands)``. A triangle that
        is narrower than a bin takes the bin nearest to its centre.
    """
    top = 2595 * math.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, bands + 2, dtype=torch.float64) / 2595) - 1)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    f = torch.linspace(0, sample_rate / 2, bins, dtype=torch.float64)[:, None]
    rise, fall = (f - low) / (centre - low), (high - f) / (high - centre)
    weights = torch.minimum(rise, fall).clamp(min=0)
    nearest = (f - centre).abs().argmin(0)
    empty = weights.sum(0) == 0
    weights[nearest[empty], empty.nonzero()[:, 0]] = 1
    return weights.float()


MEL_WINDOWS = (32, 64, 128, 256, 512, 1024, 2048)  # Sec. 2, Loss Functions
MEL_BANDS = (5, 10, 20, 40, 80, 160, 320)


def mel_spectrogram(wav: Tensor, window: int, bands: int, sample_rate: int) -> Tensor:
    """Return mel magnitudes with hop = window / 4. (B, L) -> (B, frames, bands)."""
    w = torch.hann_window(window, device=wav.device)
    spectrum = torch.stft(wav, window, window // 4, window, w, return_complex=True)
    power = spectrum.real.square() + spectrum.imag.square()
    filters = mel_filters(window // 2 + 1, bands, sample_rate).to(wav.device)
    return (power + 1e-10).sqrt().transpose(1, 2) @ filters


def mel_loss(
    estimate: Tensor,
    reference: Tensor,
    *,
    sample_rate: int = 24000,
    scales: tuple[int, ...] = tuple(range(len(MEL_WINDOWS))),
) -> Tensor:
    """Eq. (6): || log M(x) - log M(x-hat) ||_1, mean over coefficients, summed over scales.

    Args:
        estimate: x-hat, shape ``(B, L)``, longer than half the longest window.
        reference: x, same shape.
        sample_rate: Hz.
        scales: which of `MEL_WINDOWS` to use.

    Returns:
        Scalar, 0 is best.
    """
    total = estimate.new_zeros(())
    for i in scales:
        window, bands = MEL_WINDOWS[i], MEL_BANDS[i]
        a = mel_spectrogram(estimate, window, bands, sample_rate).clamp(min=3e-3 * window / 64)
        b = mel_spectrogram(reference, window, bands, sample_rate).clamp(min=3e-3 * window / 64)
        total = total + (a.log() - b.log()).abs().mean()
    return total


def magnitude_loss(estimate: Tensor, reference: Tensor) -> Tensor:
    """Eq. (3): || |X-hat|^0.3 - |X|^0.3 ||_2^2, mean over coefficients. Complex (..., F)."""
    return (_power(estimate, COMPRESSION) - _power(reference, COMPRESSION)).square().mean()


def real_imag_loss(estimate: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. (4): || X-hat_r/|X-hat|^0.7 - X_r/|X|^0.7 ||_2^2 and the same for X_i, means."""
    difference = compress(estimate) - compress(reference)
    return difference.real.square().mean(), difference.imag.square().mean()


def si_snr_loss(estimate: Tensor, reference: Tensor) -> Tensor:
    """Eq. (2): -log10(||x_t||^2 / ||x-hat - x_t||^2) with x_t = <x-hat, x> x / ||x||^2.

    Args:
        estimate: x-hat, shape ``(B, L)``.
        reference: x, same shape.

    Returns:
        Mean over the batch, scalar; -1 for each 10 dB, as printed (no factor 10).
    """
    tiny = 1e-8
    dot = (estimate * reference).sum(-1, keepdim=True)
    target = dot * reference / (reference.square().sum(-1, keepdim=True) + tiny)
    noise = (estimate - target).square().sum(-1) + tiny
    return -torch.log10(target.square().sum(-1) / noise + tiny).mean()


def enhancement_loss(
    estimate: Tensor,
    reference: Tensor,
    estimate_spectrum: Tensor,
    reference_spectrum: Tensor,
    *,
    lambda_1: float = 0.1,
    lambda_2: float = 0.7,
    lambda_3: float = 0.3,
) -> Tensor:
    """Eq. (5): L_sc = l1 L_SI-SNR + l2 L_mag + l3 (L_real + L_imag).

    Args:
        estimate: x-hat, shape ``(B, L)``.
        reference: x, same shape.
        estimate_spectrum: X-hat, complex, shape ``(B, T, F)``.
        reference_spectrum: X, same shape.
        lambda_1: weight of Eq. (2); the paper gives none of the three.
        lambda_2: weight of Eq. (3).
        lambda_3: weight of both parts of Eq. (4).
    """
    real, imag = real_imag_loss(estimate_spectrum, reference_spectrum)
    return (
        lambda_1 * si_snr_loss(estimate, reference)
        + lambda_2 * magnitude_loss(estimate_spectrum, reference_spectrum)
        + lambda_3 * (real + imag)
    )


def adversarial_loss(fake: list[Tensor]) -> Tensor:
    """Eq. (7): ||1 - D(x-hat)||_2^2, mean over values, summed over discriminators."""
    return torch.stack([(1 - d).square().mean() for d in fake]).sum()


def feature_matching_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Eq. (8): 2 sum_l ||D^l(x) - D^l(x-hat)||_1, mean over values; x's side gets no gradient.

    Args:
        real: feature maps of x, by discriminator and layer.
        fake: feature maps of x-hat, the same shapes.
    """
    pairs = [(a, b) for x, y in zip(real, fake, strict=True) for a, b in zip(x, y, strict=True)]
    return 2 * torch.stack([(a.detach() - b).abs().mean() for a, b in pairs]).sum()


@dataclass(frozen=True)
class Weights:
    """Lambdas of Eq. (9), which the paper does not give."""

    rec: float = 1.0
    g: float = 0.02
    feat: float = 0.02
    code: float = 1.0
    c: float = 0.25


def generator_loss(
    rec: Tensor, g: Tensor, feat: Tensor, code: Tensor, c: Tensor, weights: Weights
) -> Tensor:
    """Eq. (9): weighted sum of Eqs. (6), (7), (8), the codebook and the commitment term."""
    w = weights
    return w.rec * rec + w.g * g + w.feat * feat + w.code * code + w.c * c


def discriminator_loss(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Eq. (10): ||1 - D(x)||_2^2 + ||D(x-hat)||_2^2, means, summed over discriminators."""
    terms = [(1 - r).square().mean() + f.square().mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).sum()


def _power(spectrum: Tensor, exponent: float) -> Tensor:
    """Return |X|^exponent, floored 84 dB below a full-scale sine where slopes would explode."""
    return (spectrum.real.square() + spectrum.imag.square() + FLOOR) ** (exponent / 2)


# ---- Adapter --------------------------------------------------------------------------------

PACKET = 6000  # frames that the offline path takes at a time, so that memory has a bound
SHIPPED = Path(__file__).with_name("weights") / "vocodec.safetensors"
SHIPPED_ENHANCER = SHIPPED.with_name("vocodec_enhancer.safetensors")
SHIPPED_CASCADE = SHIPPED.with_name("vocodec_cascade.safetensors")  # the codec behind it


class EncoderStream:
    """Samples in, in packets of any size; codes of all frames that they complete out."""

    def __init__(self, codec: VoCodec):
        self.codec = codec
        c = codec.config
        self.edge = c.window - c.hop
        self.late = 0 if codec.enhancer is None else codec.enhancer.config.ahead
        self.state: State = {}
        self.waiting = codec.tensor(np.zeros(self.edge, np.float32))  # past, then unused samples
        self.spectra = torch.zeros(1, self.late, c.bins, dtype=torch.complex64, device=codec.device)
        self.drop = self.late  # masks of the first frames belong to frames before the signal

    @torch.inference_mode()
    def push(self, wav: Audio) -> NDArray[np.int64]:
        """Return the codes of the frames that end inside these samples.

        Args:
            wav: shape ``(n,)``, any n.

        Returns:
            Shape ``(frames, layers)``; frames may be 0.
        """
        c, net = self.codec.config, self.codec.net
        self.waiting = torch.cat([self.waiting, self.codec.tensor(wav)])
        frames = (self.waiting.numel() - self.edge) // c.hop
        if frames == 0:
            return np.zeros((0, self.codec.layers), np.int64)
        used = frames * c.hop
        spectrum = analyse(self.waiting[None, : used + self.edge], c.window, c.hop)
        self.waiting = self.waiting[used:].clone()
        if self.codec.enhancer is not None:
            mask = self.codec.enhancer(spectrum, self.state)
            both = torch.cat([self.spectra, spectrum], 1)
            self.spectra = both[:, both.shape[1] - self.late :]
            drop = min(self.drop, frames)
            self.drop -= drop
            spectrum = (both[:, :frames] * mask)[:, drop:]
            if spectrum.shape[1] == 0:
                return np.zeros((0, self.codec.layers), np.int64)
        latents = net.encoder(net.features(spectrum), self.state)
        return net.quantiser.encode(latents, self.codec.layers)[0].cpu().numpy()

    def finish(self) -> NDArray[np.int64]:
        """Return the codes of the frames that the last samples still reach."""
        hop = self.codec.config.hop
        short = -(self.waiting.numel() - self.edge) % hop
        return self.push(np.zeros(short + self.edge + self.late * hop, np.float32))


class DecoderStream:
    """Codes in, in packets of any number of frames; all finished samples out."""

    def __init__(self, codec: VoCodec):
        self.codec = codec
        self.edge = codec.config.window - codec.config.hop
        self.state: State = {}
        self.overlap = torch.zeros(self.edge, device=codec.device)
        self.skip = self.edge  # the first frames reach back before the signal

    @torch.inference_mode()
    def push(self, codes: NDArray[np.int64]) -> Audio:
        """Return the samples that no later frame will change.

        Args:
            codes: shape ``(frames, layers)``, values below the codebook size.

        Returns:
            Shape ``(n,)``, in [-1, 1]: one hop for each frame, none for the first two.
        """
        c, net = self.codec.config, self.codec.net
        frames = codes.shape[0]
        if frames == 0:
            return np.zeros(0, np.float32)
        latents = net.quantiser.decode(torch.as_tensor(codes, device=self.codec.device)[None])
        spectrum = spectrum_of(net.decoder(latents, self.state))
        sums = synthesise(spectrum, c.window, c.hop)[0]
        sums[: self.edge] += self.overlap
        done = frames * c.hop
        self.overlap = sums[done:].clone()
        skip = min(self.skip, done)
        self.skip -= skip
        return sums[skip:done].clamp(-1, 1).cpu().numpy()


class VoCodec:
    """The adapter: NumPy in, NumPy out, the network in between."""

    def __init__(
        self,
        kbps: int = 6,
        enhance: bool = False,
        weights: str | None = None,
        device: str = "cpu",
    ):
        """Build the codec at one of its bitrates.

        Args:
            kbps: 1 to 6, one quantiser layer each; the weights are the same.
            enhance: put the enhancement front end before the encoder.
            weights: a safetensors file made by the recipe; None takes the shipped one,
                "random" seeded random values.
            device: of torch.

        Raises:
            ValueError: a bitrate that the model does not have, or a missing weights file.
        """
        if kbps not in range(1, Config.codebooks + 1):
            msg = f"kbps={kbps!r}: VoCodec runs at 1, 2, 3, 4, 5 or 6 kbps"
            raise ValueError(msg)
        self.layers = int(kbps)
        self.device = torch.device(device)
        adapted = enhance and SHIPPED_CASCADE.exists()
        shipped = SHIPPED_CASCADE if adapted else SHIPPED
        path = shipped if weights is None else Path(weights)
        if weights == "random" or (weights is None and not path.exists()):
            self.config, label, licence, trained = Config(), "random:seed=0", "", ""
            net = build(self.config, EnhancerConfig() if enhance else None)
        else:
            net, about = read_weights(path, enhance=enhance)
            self.config, label = net.config, f"sha256:{_digest(path)}"
            licence, trained = str(about.get("licence", "")), str(about.get("summary", ""))
        front: tuple[str, ...] = ()
        if net.enhancer is not None:
            front = ("the front end is a design of our own in the manner of UL-UNAS",)
            if weights is None and SHIPPED_ENHANCER.exists():
                net.enhancer = read_enhancer(SHIPPED_ENHANCER, self.config)
                label += f"+sha256:{_digest(SHIPPED_ENHANCER)}"
            else:
                label += "+enhancer:random:seed=0"
                front = (*front, "the front end is not trained")
        self.net = net.eval().to(self.device)
        self.enhancer = net.enhancer
        features = {
            "log_phase": (),
            "compressed": ("Eq. (1): real and imaginary parts of |X|^0.3 exp(j angle X) go in",),
        }[self.config.features]
        spec = [f"kbps={self.layers}"]
        spec += ["enhance=true"] if enhance else []
        spec += [] if weights is None else [f"weights={weights}"]
        self.card = Card(
            name="vocodec:" + ",".join(spec),
            task="codec",
            sample_rate=self.config.sample_rate,
            paper="arXiv:2601.13055v1",
            weights=label,
            scale="reduced",
            licence=licence,
            deviations=(
                *features,
                *DEVIATIONS,
                *((trained,) if trained else ("untrained",)),
                *front,
            ),
            bitrates=tuple(float(n + 1) for n in range(self.config.codebooks)),
            frame_rate=self.config.sample_rate / self.config.hop,
            latency_seconds=self._latency(),
            versions=(f"torch=={torch.__version__}",),
            paper_figures=PAPER_CASCADE if enhance else PAPER,
        )

    def _latency(self) -> float:
        """One hop of buffering, the rest of the window, and the front end's look-ahead."""
        ahead = 0 if self.enhancer is None else self.enhancer.config.ahead
        return (self.config.window + ahead * self.config.hop) / self.config.sample_rate

    def tensor(self, wav: Audio) -> Tensor:
        """Copy samples to the device."""
        return torch.tensor(wav, dtype=torch.float32, device=self.device)

    def encoder(self) -> EncoderStream:
        """Start coding a signal packet by packet."""
        return EncoderStream(self)

    def decoder(self) -> DecoderStream:
        """Start decoding a signal packet by packet."""
        return DecoderStream(self)

    def encode(self, wav: Audio) -> Codes:
        """Code one recording; two frames more than its hops, for those that reach past its end.

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
        stream, step = self.encoder(), PACKET * self.config.hop
        parts = [stream.push(wav[i : i + step]) for i in range(0, wav.size, step)]
        codes = np.concatenate([*parts, stream.finish()])
        streams = tuple(np.ascontiguousarray(codes[:, i]) for i in range(self.layers))
        return Codes(streams, (self.config.codebook_size,) * self.layers, wav.size)

    def decode(self, codes: Codes) -> Audio:
        """Return the samples of as many layers as the codes have, shape ``(codes.samples,)``."""
        both = np.stack(codes.streams, 1)
        stream = self.decoder()
        parts = [stream.push(both[i : i + PACKET]) for i in range(0, both.shape[0], PACKET)]
        return np.concatenate(parts)[: codes.samples]


PAPER: dict[str, float | tuple[float, ...]] = {
    "parameters": 3.47e6,
    "macs_per_second": 349.29e6,
    "macs_send": 204.47e6,  # derived: the total less the receive side
    "macs_receive": 144.82e6,
    "latency_seconds": 0.030,
    "frame_rate": 100.0,
    "bitrates": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
    "sample_rate": 24000.0,
}
PAPER_CASCADE = {
    **{k: v for k, v in PAPER.items() if k != "macs_send"},
    "parameters": 5.34e6,
    "macs_per_second": 1.28e9,
    "latency_seconds": 0.050,
}
DEVIATIONS = (
    "widths, depths, window (720) and attention span (32 frames) are chosen to meet the totals",
    "coefficients come out as real and imaginary parts compressed to |X|^(1/3)",
    "LayerNorm in the ResNet blocks, a learnt scale on every residual branch",
    "attention has a learnt bias for each frame of distance",
    "projected vectors and codes are unit vectors; codes follow them as moving averages",
    "norms of Eqs. (3) to (10) are means over elements",
)


def build(config: Config, enhancer: EnhancerConfig | None = None, seed: int = 0) -> VoCodecNet:
    """Return a network with first values from this seed; the global generator stays as it is."""
    with torch.random.fork_rng(devices=[]):  # constructors draw values that are replaced below
        net = VoCodecNet(config, enhancer)
    initialise(net, torch.Generator().manual_seed(seed))
    return net


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Read float32 tensors and what the recipe wrote about them."""
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key).float() for key in file.keys()}
        return tensors, json.loads((file.metadata() or {}).get("about", "{}"))


def _fill(net: nn.Module, tensors: dict[str, Tensor]) -> None:
    missing, unknown = net.load_state_dict(tensors, strict=False)
    missing = [key for key in missing if not key.startswith("enhancer.")]
    if missing or unknown:
        msg = f"weights of another network: {len(missing)} missing, {len(unknown)} unknown"
        raise ValueError(msg)


def read_weights(path: Path, *, enhance: bool = False) -> tuple[VoCodecNet, dict[str, object]]:
    """Return the network that a weights file describes, and its card.

    Args:
        path: safetensors with the recipe's card in its metadata.
        enhance: add an (untrained) front end.

    Raises:
        ValueError: no such file, or one of another network.
    """
    if not path.exists():
        msg = f"no weights at {path}: want a .safetensors file of `bench train vocodec`"
        raise ValueError(msg)
    tensors, about = _tensors(path)
    sizes = about.get("codec")
    config = replace(Config(), **sizes) if isinstance(sizes, dict) else Config()
    net = build(config, EnhancerConfig() if enhance else None)
    _fill(net, tensors)
    with torch.no_grad():  # float16 has bent the codes
        net.quantiser.codebooks.copy_(fn.normalize(net.quantiser.codebooks, dim=-1))
    return net, about


def read_enhancer(path: Path, codec: Config) -> Enhancer:
    """Return the front end that a weights file holds.

    Raises:
        ValueError: no such file, or one of another network.
    """
    if not path.exists():
        msg = f"no weights at {path}: want a .safetensors file of `bench train vocodec_enhancer`"
        raise ValueError(msg)
    net = Enhancer(EnhancerConfig(), codec)
    _fill(net, _tensors(path)[0])
    return net.eval()


load = VoCodec
