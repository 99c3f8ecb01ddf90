"""Half an hour in one recording: everything comes back, in memory that its length explains."""

import subprocess
import sys
from dataclasses import asdict

import pytest

from systems import eulerodec, ibpcodec, vocodec
from systems.train import _trainer

SMALL = {  # sizes that make half an hour a matter of seconds
    "vocodec": (
        vocodec,
        vocodec.Config(
            blocks=1,
            resnets=1,
            encoder_width=8,
            encoder_hidden=8,
            decoder_width=8,
            groups=1,
            heads=1,
            encoder_attention=4,
            decoder_attention=4,
            codebook_size=16,
        ),
    ),
    "ibpcodec": (
        ibpcodec,
        ibpcodec.Config(channels=(2, 2, 2, 2), focal_blocks=1, hidden=0.5, codebook_size=16),
    ),
    "eulerodec": (
        eulerodec,
        eulerodec.Config(
            stem=1, channels=(1, 1, 2, 2), heads=1, hidden=1, width=1, stages=1, codebook_size=16
        ),
    ),
}
CODE = """
import resource, sys
import numpy as np
import torch
from bench import plugins
torch.set_num_threads(1)
codec = plugins.load("systems", sys.argv[1])
rate = codec.card.sample_rate
def turn(minutes):
    wav = np.random.default_rng(0).standard_normal(60 * minutes * rate, dtype=np.float32) * 0.1
    codes = codec.encode(wav)
    out = codec.decode(codes)
    assert out.shape == wav.shape and np.isfinite(out).all(), out.shape
    frames = {s.size for s in codes.streams}
    assert min(frames) >= 60 * minutes * codec.card.frame_rate - 1, frames
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
minutes = int(sys.argv[2])
before = turn(1)
print((turn(minutes) - before) / (4 * (minutes - 1) * 60 * rate))
"""


# EuleroDec codes segments one after another: three minutes hold many, thirty take minutes.
@pytest.mark.parametrize(("name", "minutes"), [("vocodec", 30), ("ibpcodec", 30), ("eulerodec", 3)])
def test_half_an_hour(name, minutes, tmp_path):
    module, config = SMALL[name]
    weights = tmp_path / "w.safetensors"
    _trainer.export(module.build(config), weights, {"codec": asdict(config), "summary": ""})
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", CODE, f"{name}:weights={weights}", str(minutes)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 8, "times the size of the samples"
