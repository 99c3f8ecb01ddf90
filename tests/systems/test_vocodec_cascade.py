"""The recipes of VoCodec's front end and of the codec behind it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from systems import vocodec
from systems.train import vocodec_cascade, vocodec_enhancer
from systems.train._trainer import Clips

RATE = 24000
FRONT = replace(vocodec_enhancer.CONFIGS["small"], snr=(5.0, 5.0))


def voice(size, seed):
    """Harmonics that swell, in the place of speech."""
    rng = np.random.default_rng(seed)
    t = np.arange(size) / RATE
    tone = sum(np.sin(2 * np.pi * k * rng.uniform(90, 220) * t) / k for k in range(1, 8))
    return (0.2 * tone * np.abs(np.sin(2 * np.pi * 3 * t))).astype(np.float32)


@pytest.fixture
def recordings(tmp_path):
    paths = [tmp_path / f"{i}.wav" for i in range(2)]
    for i, path in enumerate(paths):
        soundfile.write(path, voice(RATE, i), RATE)
    return paths


def clips(crop=6000):
    return Clips([(voice(RATE, i) * 32767).astype(np.int16) for i in range(3)], crop)


def test_noise_comes_at_the_ratio_asked_for_and_never_clips():
    rng = np.random.default_rng(0)
    wav = clips().draw(40, rng)
    noisy, clean = vocodec_enhancer.mixed(wav, clips(), FRONT, rng)
    noise = noisy - clean
    ratio = 20 * torch.log10(clean.std(1) / noise.std(1))
    assert torch.isfinite(noisy).all()
    assert noisy.abs().max() <= 0.991
    np.testing.assert_allclose(ratio.numpy(), 5, atol=0.5)  # up to the means
    scale = (clean * wav).sum(1) / wav.square().sum(1)
    torch.testing.assert_close(clean, wav * scale[:, None], atol=1e-5, rtol=1e-4)


def test_each_kind_of_noise_is_finite_and_differs():
    rng = np.random.default_rng(1)
    made = [
        vocodec_enhancer.coloured(3000, rng),
        vocodec_enhancer.knocks(3000, rng),
        vocodec_enhancer.babble(clips(), 3000, 4, rng),
    ]
    for noise in made:
        assert noise.shape == (3000,)
        assert np.isfinite(noise).all()
        assert noise.std() > 0
    again = vocodec_enhancer.coloured(3000, np.random.default_rng(1))
    np.testing.assert_array_equal(made[0], again)


def test_front_end_trains_and_ships(recordings, tmp_path):
    path = vocodec_enhancer.train(recordings, tmp_path, config=FRONT, steps=2)
    net = vocodec.read_enhancer(path, vocodec.Config())
    start = vocodec.build(vocodec.Config(), vocodec.EnhancerConfig(), 0).enhancer
    assert not torch.equal(net.mask.weight, start.mask.weight)
    assert json.loads(path.with_suffix(".json").read_text())["steps"] == 2


def test_the_codec_adapts_and_the_front_end_does_not(recordings, tmp_path):
    first = vocodec_enhancer.train(recordings, tmp_path / "front", config=FRONT, steps=1)
    small = vocodec.Config(
        features="compressed", blocks=1, resnets=1, encoder_width=16, encoder_hidden=24,
        decoder_width=16, encoder_attention=8, decoder_attention=8, heads=2, codebook_size=16,
    )  # fmt: skip
    recipe = vocodec_cascade.Recipe(
        codec=small, batch=2, crop=6000, speeds=(1.0,), mixing=FRONT, front=str(first), channels=2
    )
    session = vocodec_cascade.Session(recipe, seed=0, rank=0)
    session.laid_out, session.clips = True, clips()
    front = {k: v.clone() for k, v in session.front.state_dict().items()}
    weight = session.net.encoder.project.weight.detach().clone()
    values = session.step(session.draw(), 0.0)
    assert np.isfinite(list(values.values())).all()
    assert not torch.equal(session.net.encoder.project.weight, weight)
    for key, value in session.front.state_dict().items():
        torch.testing.assert_close(value, front[key], msg=key)


def test_training_hears_what_the_running_cascade_hears(tmp_path, recordings):
    first = vocodec_enhancer.train(recordings, tmp_path / "front", config=FRONT, steps=1)
    recipe = vocodec_cascade.Recipe(batch=1, crop=6000, mixing=FRONT, front=str(first))
    session = vocodec_cascade.Session(recipe, seed=0, rank=0)
    session.net.eval()
    system = vocodec.load(enhance=True, weights="random")
    system.config, system.net = session.codec, session.net
    system.net.enhancer = system.enhancer = session.front
    wav = voice(6000, 5)
    session.heard = torch.from_numpy(wav)[None]
    with torch.inference_mode():
        spectrum = vocodec_enhancer.enhanced(session.front, session.heard, session.codec)
        latents = session.net.encoder(session.net.features(spectrum))
        wanted = session.net.quantiser.encode(latents, 6)[0].numpy()
    got = np.stack(system.encode(wav).streams, 1)
    np.testing.assert_array_equal(got, wanted)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ValueError, match="bench train vocodec_enhancer"):
        vocodec.read_enhancer(tmp_path / "none.safetensors", vocodec.Config())
