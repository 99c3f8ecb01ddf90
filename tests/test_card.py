import numpy as np
import pytest
import torch
from torch import nn

from bench.card import FIGURES, latency, measure
from systems._base import Card, Codes
from systems.identity import Identity
from systems.mu_law import MuLaw
from systems.silence import Silence

HOP, WINDOW = 160, 240


class ToyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.send = nn.Conv1d(1, 2, WINDOW, stride=HOP, bias=False)
        self.receive = nn.Linear(2, HOP)
        for parameter in self.parameters():
            nn.init.constant_(parameter, 1 / WINDOW)


class Toy:
    """Two numbers of 16 bits for every 160 samples, from those and the 80 after them."""

    def __init__(self):
        self.net = ToyNet()
        self.card = Card(
            name="toy",
            task="codec",
            sample_rate=16000,
            scale="reduced",
            bitrates=(1.6, 3.1),
            paper_figures={"parameters": 1000, "bitrates": (1.6, 3.2)},
        )

    @torch.inference_mode()
    def encode(self, wav):
        frames = -(-wav.size // HOP)
        padded = np.pad(wav, (0, frames * HOP + WINDOW - HOP - wav.size))
        z = self.net.send(torch.from_numpy(padded)[None, None])[0]
        code = ((z.clamp(-1, 1) + 1) / 2 * 65535).round().long().numpy()
        return Codes((code[0], code[1]), (65536, 65536), wav.size)

    @torch.inference_mode()
    def decode(self, codes):
        z = torch.from_numpy(np.stack(codes.streams, -1) / 65535 * 2 - 1).float()
        return self.net.receive(z).flatten()[: codes.samples].numpy()


class Whole(Identity):
    """Not causal: every sample depends on all."""

    def decode(self, codes):
        wav = super().decode(codes)
        return wav - wav.mean()


class Ahead(Identity):
    """Each sample is the one that comes ten later."""

    def decode(self, codes):
        return np.append(super().decode(codes)[10:], np.zeros(10, np.float32))


class Voice:
    net = nn.Linear(3, 4)
    card = Card(name="voice", task="tts", sample_rate=22050)


def test_toy_by_hand():
    figures = measure(Toy(), seconds=10)
    # 2 * 240 weights to send; 2 * 160 weights and 160 biases to receive
    assert figures["parameters"] == 480 + 480
    # 100 frames/s, each 2 * 240 products to send and 2 * 160 to receive; an addition is not a MAC
    assert figures["macs_send"] == 48000
    assert figures["macs_receive"] == 32000
    assert figures["macs_per_second"] == 80000
    # frame f has samples 160 f to 160 f + 239: 240 must be there before the first can be played
    assert figures["latency_seconds"] == 240 / 16000
    assert figures["frame_rate"] == 100
    # 100 * (16 + 16) bits, beside the card's 3.1
    assert figures["bitrates"] == (1.6, 3.2)
    assert figures["scale"] == "reduced"
    assert figures["sample_rate"] == 16000
    published = dict.fromkeys(FIGURES) | {"parameters": 1000, "bitrates": (1.6, 3.2)}
    assert figures["paper"] == published


def test_keys():
    assert set(measure(Identity())) == {*FIGURES, "scale", "paper"}


def test_a_system_without_network_has_no_network_figures():
    figures = measure(MuLaw(bits=4))
    assert figures["parameters"] is figures["macs_per_second"] is figures["macs_send"] is None
    assert figures["latency_seconds"] == 0
    assert figures["frame_rate"] == 8000
    assert figures["bitrates"] == (32,)


def test_a_system_without_codes_has_no_rate():
    figures = measure(Identity())
    assert figures["frame_rate"] is None
    assert figures["bitrates"] == ()


def test_a_synthesizer_has_parameters_only():
    figures = measure(Voice())
    assert figures["parameters"] == 16
    assert [figures[k] for k in FIGURES[1:6]] == [None] * 5
    assert figures["sample_rate"] == 22050


def test_latency():
    assert latency(Identity(), rate=16000, hop=160) == 0
    assert latency(Ahead(), rate=16000, hop=160) == pytest.approx(11 / 16000)
    assert latency(Whole(), rate=16000, hop=160) is None
    assert latency(Silence(), rate=16000, hop=160) is None


@pytest.mark.parametrize("hop", [160, 1, 37, 320])
def test_latency_needs_at_least_a_hop_to_see_the_worst(hop):
    found = latency(Toy(), rate=16000, hop=hop)
    assert found == 0.015 if hop >= HOP else found <= 0.015


def test_opus_needs_no_more_than_its_header_says():
    pytest.importorskip("av", reason="PyAV brings libopus")
    from systems.opus import Opus

    figures = measure(Opus(kbps=12))
    assert 0.020 < figures["latency_seconds"] <= 0.0265
    assert figures["frame_rate"] == 50
    assert figures["bitrates"] == (12,)


def test_lc3_needs_what_its_standard_says():
    pytest.importorskip("lc3", reason="lc3py brings liblc3")
    from systems.lc3 import Lc3

    assert measure(Lc3())["latency_seconds"] == 0.0125


def test_codec2_needs_no_more_than_its_card_says():
    pytest.importorskip("pycodec2", reason="it brings libcodec2")
    from systems.codec2 import Codec2

    figures = measure(Codec2(1300))
    assert 0.04 < figures["latency_seconds"] <= 0.06
    assert (figures["frame_rate"], figures["bitrates"]) == (25, (1.3,))


def test_too_short_a_noise_is_refused():
    with pytest.raises(ValueError, match=r"seconds=0\.5"):
        measure(Identity(), seconds=0.5)
