"""A system's code is one of the causes of its outputs: other code, other outputs."""

import sys

import pytest

from bench import plugins
from bench.suite import Options, load_metrics, run

SYSTEM = """
from systems._base import Card, Codes
from . import gain
from .deep import nested
import numpy as np

class Toy:
    def __init__(self):
        self.card = Card(name="toy", task="codec", sample_rate=16000, scale="unknown")
    def encode(self, wav):
        self.wav = wav
        return Codes((), (), wav.size)
    def decode(self, codes):
        return (self.wav * gain.GAIN).astype(np.float32)

load = Toy
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A package of its own, as a stranger would install it, under the name of a system."""
    folder = tmp_path / "toys"
    (folder / "deep").mkdir(parents=True)
    files = {"__init__": "", "toy": SYSTEM, "gain": "GAIN = 0.5", "other": "", "deep/__init__": ""}
    files["deep/nested"] = "from .. import gain"
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    plain = plugins.names

    def names(kind):
        return plain(kind) | ({"toy": "toys.toy"} if kind == "systems" else {})

    monkeypatch.setattr(plugins, "names", names)
    yield folder
    for name in [n for n in sys.modules if n.partition(".")[0] == "toys"]:
        del sys.modules[name]


def forget():
    for name in [n for n in sys.modules if n.partition(".")[0] == "toys"]:
        del sys.modules[name]


def test_code_is_the_file_and_what_it_imports_from_its_package(toy):
    before = plugins.code("toys.toy")
    (toy / "other.py").write_text("X = 1")
    assert plugins.code("toys.toy") == before
    for name in ("gain.py", "deep/nested.py", "toy.py"):
        text = (toy / name).read_text()
        (toy / name).write_text(text + "\n")
        assert plugins.code("toys.toy") != before, name
        (toy / name).write_text(text)
    assert plugins.code("toys.toy") == before
    assert plugins.load("systems", "toy").card.code == before


def test_changed_code_renders_anew(toy, tiny, tmp_path):
    options, metrics = Options(out=tmp_path / "runs", jobs=1), load_metrics("si_sdr")
    first, report = run(plugins.load("systems", "toy"), tiny.limit(3), metrics, options)
    assert report.generated == 3
    _, report = run(plugins.load("systems", "toy"), tiny.limit(3), metrics, options)
    assert report.generated == report.from_cache == 0
    (toy / "gain.py").write_text("GAIN = 0.25  # 12 dB down")
    forget()
    second, report = run(plugins.load("systems", "toy"), tiny.limit(3), metrics, options)
    assert report.generated == 3
    assert first.id != second.id
    assert len(list((tmp_path / "runs").iterdir())) == 2
