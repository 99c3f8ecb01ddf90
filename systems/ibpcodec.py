"""A light streaming codec that codes the low band of the spectrum and predicts the high band.

Paper: "IBPCodec: A Low-Bitrate Lightweight Speech Codec with Inter-Band Prediction", ICASSP 2026.

Symbols (paper -> code, shape): x, x' -> wav (B, L); f -> spectrum (B, T, F), complex; f_low ->
features (B, T, 3, F'); z, z_q -> latents (B, T, D), D = 32 F' / 32; P -> Config.low; G ->
Config.groups; M -> Config.focal_blocks; N -> T. Frames stand before channels.

Map:
    Sec. 2    STFT, window 640 in 1024 points         -> analyse
    Sec. 2    amplitude and unit-norm phase, low band -> unit_features
    Sec. 2    ConvEncoder                             -> ConvEncoder
    Sec. 2    causal FocalBlock                       -> FocalBlock
    Sec. 2    temporal aggregation module             -> TemporalAggregation
    Sec. 2    GRVQ                                    -> GroupedQuantiser
    Sec. 2    mirrored decoder                        -> ConvDecoder
    Eq. (1)   f'_high = IBPM(f'_low)                  -> InterBandPrediction
    Eq. (2)   x' = iSTFT(concat(f'_low, f'_high))     -> synthesise
    Sec. 2    MS-STFT discriminator                   -> discriminator
    Eq. (3)   their weighted sum                      -> generator_loss
    Eq. (4)   waveform and mel distance               -> reconstruction_loss

Deviations: on the card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as fn

from systems import vocodec
from systems._base import Audio, Card, Codes
from systems.vocodec import CausalConv, ResidualQuantiser, State

RATES = (1, 2, 3)  # kbps, one layer of the quantiser each


@dataclass(frozen=True)
class Config:
    """Sizes. "ours" means: the paper leaves it open, and its totals come out with this value."""

    sample_rate: int = 16000  # Sec. 3
    window: int = 640  # Sec. 3
    hop: int = 320  # Sec. 3: 50 frames/s
    points: int = 1024  # Sec. 3: of the Fourier transform
    low: float = 0.75  # P
    features: Literal["unit", "compressed"] = "unit"
    channels: tuple[int, ...] = (16, 16, 24, 32)  # Sec. 3
    strides: tuple[int, ...] = (1, 2, 4, 4)  # Sec. 3, over frequency
    kernel: int = 5  # Sec. 3, over frequency
    focal_blocks: int = 2  # M, on each side of the quantiser
    focal_kernels: tuple[int, ...] = (7, 15)  # frames, ours
    expansion: float = 1.25  # of the FocalBlocks' feed-forward layer, ours
    hidden: float = 3.6  # units of the IBPM for each high bin, ours
    ibpm: bool = True
    tam: bool = True
    groups: int = 2  # G
    layers: int = 3
    codebook_size: int = 1024  # ours: one layer is 1 kbps
    code_width: int = 8  # of the factorised codes, ours

    @property
    def bins(self) -> int:
        """Frequency bins F of one frame."""
        return self.points // 2 + 1

    @property
    def low_bins(self) -> int:
        """Bins F' that are coded: the share P, in whole strides."""
        step = int(np.prod(self.strides))
        return round(self.low * (self.bins - 1) / step) * step

    @property
    def width(self) -> int:
        """Numbers D in a frame's latent vector."""
        return self.channels[-1] * self.low_bins // int(np.prod(self.strides))


# ---- Time and frequency ---------------------------------------------------------------------


def analyse(wav: Tensor, config: Config) -> Tensor:
    """Sec. 2: spectra of all whole frames; a full-scale sine has magnitude 0.5.

    Args:
        wav: shape ``(B, window - hop + T * hop)``.
        config: window, hop and points.

    Returns:
        Complex, shape ``(B, T, F)``.
    """
    w = torch.hann_window(config.window, device=wav.device).sqrt()
    return torch.fft.rfft(wav.unfold(1, config.window, config.hop) * (w / w.sum()), config.points)


def synthesise(low: Tensor, high: Tensor, config: Config) -> Tensor:
    """Eq. (2): x' = iSTFT(concat(f'_low, f'_high)).

    Args:
        low: f'_low, complex, shape ``(B, T, F')``.
        high: f'_high, complex, shape ``(B, T, F - F')``.
        config: window, hop and points.

    Returns:
        Shape ``(B, window - hop + T * hop)``; the first and last window - hop samples are partial
        sums, to which the frames before and after have still to be added.
    """
    w = torch.hann_window(config.window, device=low.device).sqrt()
    frames = torch.fft.irfft(torch.cat([low, high], -1), config.points)[..., : config.window]
    total = config.window + (frames.shape[1] - 1) * config.hop
    frames = (frames * (w * w.sum())).transpose(1, 2)
    return fn.fold(frames, (1, total), (1, config.window), stride=(1, config.hop))[:, 0, 0]


def unit_features(spectrum: Tensor) -> Tensor:
    """Sec. 2: amplitude, and real and imaginary part of X / |X|. (B, T, F') -> (B, T, 3, F')."""
    size = spectrum.abs()
    unit = spectrum / size.clamp(min=1e-9)
    return torch.stack([size, unit.real, unit.imag], 2)


def compressed_features(spectrum: Tensor) -> Tensor:
    """Return |X|^0.3 and the parts of |X|^0.3 exp(j angle X). (B, T, F') -> (B, T, 3, F')."""
    small = vocodec.compress(spectrum) * vocodec.GAIN
    size = (small.real.square() + small.imag.square() + 1e-9).sqrt()
    return torch.stack([size, small.real, small.imag], 2)


def unit_spectrum(parts: Tensor) -> Tensor:
    """Return the X whose `unit_features` these are, whatever the length of the second part.

    (B, T, 3, F') -> (B, T, F') complex.
    """
    size, real, imag = parts.unbind(2)
    gain = size.abs() / (real.square() + imag.square() + 1e-9).sqrt()
    return torch.complex(real * gain, imag * gain)


def compressed_spectrum(parts: Tensor) -> Tensor:
    """Return X from parts compressed to |X|^(1/3), of which the first is a gain around 1.

    (B, T, 3, F') -> (B, T, F') complex.
    """
    size, real, imag = parts.unbind(2)
    scale = 2 * torch.sigmoid(size) / vocodec.GAIN
    real, imag = real * scale, imag * scale
    gain = real.square() + imag.square()
    return torch.complex(real * gain, imag * gain)


# ---- Generator ------------------------------------------------------------------------------


class ConvEncoder(nn.Module):
    """Sec. 2: four blocks of a (k, 1) convolution with stride and a (1, 1) one; frames apart."""

    def __init__(self, config: Config):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for channels, stride in zip(config.channels, config.strides, strict=True):
            pad = config.kernel // 2
            layers += [nn.Conv1d(inputs, channels, config.kernel, stride, pad), nn.ReLU()]
            layers += [nn.Conv1d(channels, channels, 1), nn.ReLU()]
            inputs = channels
        self.layers = nn.Sequential(*layers[:-1])  # latents may be negative

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, 3, F') -> (B, T, D)."""
        b, t = features.shape[:2]
        return self.layers(features.flatten(0, 1)).flatten(1).unflatten(0, (b, t))


class ConvDecoder(nn.Module):
    """Sec. 2: the encoder mirrored; bins are repeated before a convolution in place of a stride."""

    def __init__(self, config: Config):
        super().__init__()
        layers: list[nn.Module] = []
        self.channels = config.channels[-1]
        outputs = (3, *config.channels[:-1])
        stages = list(zip(config.channels, outputs, config.strides, strict=True))
        for channels, out, stride in reversed(stages):
            layers += [nn.Conv1d(channels, channels, 1), nn.ReLU()]
            layers += [nn.Upsample(scale_factor=stride)] if stride > 1 else []
            layers += [nn.Conv1d(channels, out, config.kernel, 1, config.kernel // 2), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, latents: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, 3, F')."""
        b, t = latents.shape[:2]
        frames = latents.flatten(0, 1).unflatten(1, (self.channels, -1))
        return self.layers(frames).unflatten(0, (b, t))


class FocalBlock(nn.Module):
    """Sec. 2: causal focal modulation and a feed-forward layer, each with a residual.

    Depthwise convolutions of growing length, gated and summed, modulate a query.
    """

    def __init__(self, config: Config):
        super().__init__()
        width, levels = config.width, len(config.focal_kernels)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.split = nn.Linear(width, 2 * width + levels)
        self.convs = nn.ModuleList(
            CausalConv(width, width, k, groups=width) for k in config.focal_kernels
        )
        self.modulate = nn.Linear(width, width)
        self.project = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width, eps=1e-6)
        hidden = round(config.expansion * width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.empty(2, width))

    def forward(self, x: Tensor, state: State | None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        width, levels = x.shape[-1], len(self.convs)
        query, context, gates = self.split(self.norm(x)).split([width, width, levels], -1)
        total = torch.zeros_like(query)
        for i, conv in enumerate(self.convs):
            context = fn.gelu(conv.run(context, state))  # type: ignore[operator]
            total = total + context * gates[..., i : i + 1]
        x = x + self.scale[0] * self.project(query * self.modulate(total))
        return x + self.scale[1] * self.down(fn.gelu(self.up(self.norm_2(x))))


class TemporalAggregation(nn.Module):
    """Sec. 2, TAM: M FocalBlocks, the only place where frames meet; none for the ablation."""

    def __init__(self, config: Config):
        super().__init__()
        self.blocks = nn.ModuleList(
            FocalBlock(config) for _ in range(config.focal_blocks if config.tam else 0)
        )

    def forward(self, x: Tensor, state: State | None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        for block in self.blocks:
            x = block(x, state)
        return x


class InterBandPrediction(nn.Module):
    """Eq. (1): f'_high = IBPM(f'_low), three pointwise convolutions over time, PReLU after each.

    Channels and bins are one dimension inside. The last PReLU starts as the identity, since what
    comes out has a sign. Without the module (ablation), or without a high band, zeros.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.high = config.bins - config.low_bins
        hidden = round(config.hidden * self.high)
        sizes = (3 * config.low_bins, hidden, hidden, 3 * self.high)
        on = config.ibpm and self.high > 1
        pairs = list(pairwise(sizes)) if on else []
        self.convs = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.slopes = nn.ParameterList(torch.empty(b) for _, b in pairs)

    def forward(self, low: Tensor) -> Tensor:
        """(B, T, 3, F') -> (B, T, 3, F - F')."""
        if not self.convs:
            return low.new_zeros((*low.shape[:3], self.high))
        x = low.flatten(2)
        for conv, slope in zip(self.convs, self.slopes, strict=True):
            x = conv(x)
            x = torch.where(x > 0, x, x * slope.to(x.dtype))
        return x.unflatten(2, (3, self.high))


class GroupedQuantiser(nn.Module):
    """Sec. 2, GRVQ: each of G slices of the latent vector has a residual quantiser of its own."""

    def __init__(self, config: Config):
        super().__init__()
        sizes = vocodec.Config(
            codebooks=config.layers,
            codebook_size=config.codebook_size,
            code_width=config.code_width,
            encoder_width=config.width // config.groups,
        )
        self.groups = nn.ModuleList(ResidualQuantiser(sizes) for _ in range(config.groups))

    def encode(self, latents: Tensor, layers: int) -> Tensor:
        """Latents (B, T, D) -> codes (B, T, layers * G), all groups of a layer together."""
        slices = latents.chunk(len(self.groups), -1)
        codes = [g.encode(s, layers) for g, s in zip(self.groups, slices, strict=True)]  # type: ignore[operator]
        return torch.stack(codes, -1).flatten(-2)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, T, layers * G) -> latents (B, T, D)."""
        count = len(self.groups)
        parts = [g.decode(codes[..., i::count]) for i, g in enumerate(self.groups)]  # type: ignore[operator]
        return torch.cat(parts, -1)


class IBPCodecNet(nn.Module):
    """Sec. 2, Overview: everything between two spectra."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.conv_encoder, self.conv_decoder = ConvEncoder(config), ConvDecoder(config)
        self.before, self.after = TemporalAggregation(config), TemporalAggregation(config)
        self.quantiser = GroupedQuantiser(config)
        self.ibpm = InterBandPrediction(config)

    def encoder(self, spectrum: Tensor, state: State | None = None) -> Tensor:
        """X (B, T, F) complex -> latents (B, T, D)."""
        low = spectrum[..., : self.config.low_bins]
        unit = self.config.features == "unit"
        features = unit_features(low) if unit else compressed_features(low)
        return self.before(self.conv_encoder(features), state)

    def decoder(self, latents: Tensor, state: State | None = None) -> tuple[Tensor, Tensor]:
        """Quantised latents (B, T, D) -> f'_low (B, T, F') and f'_high (B, T, F - F'), complex."""
        low = self.conv_decoder(self.after(latents, state))
        both = low, self.ibpm(low)
        spectrum = unit_spectrum if self.config.features == "unit" else compressed_spectrum
        return spectrum(both[0].float()), spectrum(both[1].float())


@torch.no_grad()
def build(config: Config, seed: int = 0) -> IBPCodecNet:
    """Return a network with first values from this seed; the global generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        net = IBPCodecNet(config)
    generator = torch.Generator().manual_seed(seed)
    vocodec.initialise(net, generator)
    for module in net.modules():
        if isinstance(module, nn.Conv1d) and not isinstance(module, CausalConv):
            module.weight.mul_(2**0.5)  # half of what passes a ReLU is lost
        elif isinstance(module, FocalBlock):
            module.scale.fill_(0.3)
        elif isinstance(module, InterBandPrediction):
            for slope in module.slopes:
                slope.fill_(0.25)
            for slope in list(module.slopes)[-1:]:
                slope.fill_(1.0)
    return net


# ---- Discriminator and losses ---------------------------------------------------------------

WINDOWS = (512, 256, 128)  # Sec. 3, of the discriminator


def discriminator(channels: int = 16, seed: int = 0) -> vocodec.MultiScaleStftDiscriminator:
    """Sec. 2: the MS-STFT discriminator with windows of 512, 256 and 128, hop = window / 4."""
    with torch.random.fork_rng(devices=[]):
        judge = vocodec.MultiScaleStftDiscriminator(channels)
        judge.scales = nn.ModuleList(vocodec.StftDiscriminator(w, channels) for w in WINDOWS)
    vocodec.initialise(judge, torch.Generator().manual_seed(seed))
    return judge


@dataclass(frozen=True)
class Weights:
    """Lambdas of Eqs. (3) and (4), which the paper does not give."""

    wav: float = 1.0
    mel: float = 1.0
    rec: float = 1.0
    adv: float = 0.02
    feat: float = 0.02
    cmt: float = 0.25


def reconstruction_loss(
    estimate: Tensor,
    reference: Tensor,
    weights: Weights = Weights(),
    *,
    sample_rate: int = 16000,
    scales: tuple[int, ...] = (2, 3, 4, 5, 6),
) -> Tensor:
    """Eq. (4): L_rec = l_wav L_wav + l_mel L_mel: mean |x - x'|, and log-mel distances.

    Args:
        estimate: x', shape ``(B, L)``.
        reference: x, same shape.
        weights: the two lambdas.
        sample_rate: Hz.
        scales: which of `vocodec.MEL_WINDOWS`; the paper does not say.
    """
    wav = (estimate - reference).abs().mean()
    mel = vocodec.mel_loss(estimate, reference, sample_rate=sample_rate, scales=scales)
    return weights.wav * wav + weights.mel * mel


def generator_loss(
    rec: Tensor,
    adv: Tensor,
    feat: Tensor,
    cmt: Tensor,
    weights: Weights = Weights(),
) -> Tensor:
    """Eq. (3): L = l_rec L_rec + l_adv L_adv + l_feat L_feat + l_cmt L_cmt, scalars."""
    return weights.rec * rec + weights.adv * adv + weights.feat * feat + weights.cmt * cmt


# ---- Adapter --------------------------------------------------------------------------------

PACKET = 3000  # frames that the offline path takes at a time, so that memory has a bound
SHIPPED = Path(__file__).with_name("weights") / "ibpcodec.safetensors"


class EncoderStream:
    """Samples in, in packets of any size; codes of all frames that they complete out."""

    def __init__(self, codec: IBPCodec):
        self.codec, self.state = codec, dict[nn.Module, Tensor]()
        self.edge = codec.config.window - codec.config.hop
        self.waiting = codec.tensor(np.zeros(self.edge, np.float32))

    @torch.inference_mode()
    def push(self, wav: Audio) -> NDArray[np.int64]:
        """Return the codes of the frames that end inside these samples.

        Args:
            wav: shape ``(n,)``, any n.

        Returns:
            Shape ``(frames, layers * G)``; frames may be 0.
        """
        c, net = self.codec.config, self.codec.net
        self.waiting = torch.cat([self.waiting, self.codec.tensor(wav)])
        frames = (self.waiting.numel() - self.edge) // c.hop
        if frames == 0:
            return np.zeros((0, self.codec.streams), np.int64)
        spectrum = analyse(self.waiting[None, : frames * c.hop + self.edge], c)
        self.waiting = self.waiting[frames * c.hop :].clone()
        latents = net.encoder(spectrum, self.state)
        return net.quantiser.encode(latents, self.codec.layers)[0].cpu().numpy()

    def finish(self) -> NDArray[np.int64]:
        """Return the codes of the frames that the last samples still reach."""
        short = -(self.waiting.numel() - self.edge) % self.codec.config.hop
        return self.push(np.zeros(short + self.edge, np.float32))


class DecoderStream:
    """Codes in, in packets of any number of frames; all finished samples out."""

    def __init__(self, codec: IBPCodec):
        self.codec, self.state = codec, dict[nn.Module, Tensor]()
        self.edge = codec.config.window - codec.config.hop
        self.overlap = torch.zeros(self.edge, device=codec.device)
        self.skip = self.edge  # the first frame reaches back before the signal

    @torch.inference_mode()
    def push(self, codes: NDArray[np.int64]) -> Audio:
        """Return the samples that no later frame will change.

        Args:
            codes: shape ``(frames, layers * G)``, values below the codebook size.

        Returns:
            Shape ``(n,)``, in [-1, 1]: one hop for each frame, none for the first.
        """
        c, net = self.codec.config, self.codec.net
        if codes.shape[0] == 0:
            return np.zeros(0, np.float32)
        latents = net.quantiser.decode(torch.as_tensor(codes, device=self.codec.device)[None])
        sums = synthesise(*net.decoder(latents, self.state), c)[0]
        sums[: self.edge] += self.overlap
        done = codes.shape[0] * c.hop
        self.overlap = sums[done:].clone()
        skip = min(self.skip, done)
        self.skip -= skip
        return sums[skip:done].clamp(-1, 1).cpu().numpy()


class IBPCodec:
    """The adapter: NumPy in, NumPy out, the network in between."""

    def __init__(
        self,
        kbps: int = 3,
        low: float = 0.75,
        ibpm: bool = True,
        tam: bool = True,
        weights: str | None = None,
        device: str = "cpu",
    ):
        """Build the codec at one of its bitrates.

        Args:
            kbps: 1, 2 or 3, one layer of the quantiser each; the weights are the same.
            low: P, the share of the bins that is coded: 0.5, 0.75 or 1.
            ibpm: predict the high band; otherwise it is zero (ablation).
            tam: let frames meet; otherwise each is coded alone (ablation).
            weights: a safetensors file made by the recipe; None takes the shipped one where the
                other parameters are the shipped ones, "random" seeded random values.
            device: of torch.

        Raises:
            ValueError: a bitrate or a share that the model does not have, a missing weights file,
                or weights of another network.
        """
        if kbps not in RATES:
            msg = f"kbps={kbps!r}: IBPCodec runs at 1, 2 or 3 kbps"
            raise ValueError(msg)
        if low not in (0.5, 0.75, 1):
            msg = f"low={low!r}: want 0.5, 0.75 or 1 of the bins"
            raise ValueError(msg)
        wanted = Config(low=low, ibpm=ibpm, tam=tam)
        self.layers, self.device = int(kbps), torch.device(device)
        path = SHIPPED if weights is None else Path(weights)
        usual = wanted == Config()
        if weights == "random" or (weights is None and not (usual and path.exists())):
            self.net, label, licence, trained = build(wanted), "random:seed=0", "", ""
        else:
            self.net, about = read_weights(path)
            label = f"sha256:{vocodec._digest(path)}"
            licence, trained = str(about.get("licence", "")), str(about.get("summary", ""))
            if replace(self.net.config, features="unit") != wanted and weights is None:
                msg = f"{path} holds another network than {wanted}"
                raise ValueError(msg)
        self.net = self.net.eval().to(self.device)
        self.config = c = self.net.config
        self.streams = self.layers * c.groups
        settings = [f"kbps={self.layers}"]
        settings += [f"low={low}"] if low != 0.75 else []
        settings += ["ibpm=false"] if not ibpm else []
        settings += ["tam=false"] if not tam else []
        settings += [] if weights is None else [f"weights={weights}"]
        compressed = (
            "|X|^0.3 and its parts go in instead of amplitude and unit-norm phase, and come out",
        )
        self.card = Card(
            name="ibpcodec:" + ",".join(settings),
            task="codec",
            sample_rate=c.sample_rate,
            paper="ICASSP 2026, IBPCodec",
            weights=label,
            scale="reduced",
            licence=licence,
            deviations=(
                *(compressed if c.features == "compressed" else ()),
                *DEVIATIONS,
                trained or "untrained",
            ),
            bitrates=tuple(map(float, RATES)),
            frame_rate=c.sample_rate / c.hop,
            latency_seconds=c.window / c.sample_rate,
            versions=(f"torch=={torch.__version__}",),
            paper_figures=PAPER[low] if ibpm and tam else {},
        )

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
        """Code one recording; one frame more than its hops, for the one that reaches past its end.

        Args:
            wav: shape ``(T,)``, T at least 1, 16 kHz.

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
        streams = tuple(np.ascontiguousarray(codes[:, i]) for i in range(self.streams))
        return Codes(streams, (self.config.codebook_size,) * self.streams, wav.size)

    def decode(self, codes: Codes) -> Audio:
        """Return the samples of as many layers as the codes have, shape ``(codes.samples,)``."""
        both = np.stack(codes.streams, 1)
        stream = self.decoder()
        parts = [stream.push(both[i : i + PACKET]) for i in range(0, both.shape[0], PACKET)]
        return np.concatenate(parts)[: codes.samples]


def _figures(macs: float, **more: float) -> dict[str, float | tuple[float, ...]]:
    rates = tuple(map(float, RATES))
    given = {"macs_per_second": macs, "frame_rate": 50.0, "sample_rate": 16000.0, **more}
    return {**given, "bitrates": rates}


PAPER = {
    0.5: _figures(0.27e9),
    0.75: _figures(0.35e9, parameters=4.8e6),
    1.0: _figures(0.47e9),
}
DEVIATIONS = (
    "FocalBlock and IBPM widths, focal kernels and codebook size are chosen to meet the totals",
    "square-root Hann windows on both sides; the Nyquist bin is zero at low=1",
    "FocalBlocks without global context, which would not be causal; a learnt residual scale",
    "bins are repeated before a convolution where the encoder has a stride",
    "codes are factorised (8 numbers) unit vectors that follow theirs as moving averages",
    "no PReLU to speak of after the last IBPM layer: its slope starts at 1",
)


def read_weights(path: Path) -> tuple[IBPCodecNet, dict[str, object]]:
    """Return the network that a weights file describes, and its card.

    Raises:
        ValueError: no such file, or one of another network.
    """
    if not path.exists():
        msg = f"no weights at {path}: want a .safetensors file of `bench train ibpcodec`"
        raise ValueError(msg)
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key).float() for key in file.keys()}
        about = json.loads((file.metadata() or {}).get("about", "{}"))
    sizes: dict[str, Any] = about.get("codec", {})
    sizes = {k: tuple(v) if isinstance(v, list) else v for k, v in sizes.items()}
    net = build(replace(Config(), **sizes))
    try:
        net.load_state_dict(tensors)
    except RuntimeError as error:
        msg = f"{path}: weights of another network: {error}"
        raise ValueError(msg) from error
    with torch.no_grad():
        for group in net.quantiser.groups:  # float16 has bent the codes
            group.codebooks.copy_(fn.normalize(group.codebooks, dim=-1))  # type: ignore[operator,arg-type]
    return net, about


load = IBPCodec
