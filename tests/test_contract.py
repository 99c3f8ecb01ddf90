"""What every plug-in must do. A new file is picked up by its name, with no edit here."""

import importlib
import inspect
import json
import pickle
import re

import numpy as np
import pytest
from material import voice

from bench import codes as files
from bench import plugins
from metrics._base import INPUTS, Metric
from systems._base import FIGURES, Codec, Synthesizer

MODULES = {kind: plugins.names(kind) for kind in ("metrics", "systems", "datasets")}


def loaded(kind, name):
    try:
        return plugins.load(kind, name)
    except (plugins.Unavailable, FileNotFoundError) as missing:  # a package, or weights
        pytest.skip(str(missing))


@pytest.fixture(params=MODULES["metrics"])
def metric(request):
    return loaded("metrics", request.param)


@pytest.fixture(params=MODULES["systems"])
def system(request, monkeypatch):
    import torch

    monkeypatch.setenv("BENCH_OFFLINE", "1")

    before = (np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes())
    yield loaded("systems", request.param)
    after = (np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes())
    assert before == after, "drew from a global generator"


def test_metric_declares_itself(metric):
    assert isinstance(metric, Metric)
    assert set(metric.needs) <= set(INPUTS)
    assert metric.better in {"higher", "lower", "neither"}
    assert metric.title
    assert metric.source
    assert metric.revision >= 1
    assert re.fullmatch(rf"{metric.name}(\|[^|\s][^|]*)*\|r:{metric.revision}", metric.signature)
    doc = inspect.getmodule(type(metric)).__doc__
    for section in ("Source:", "Misleads:"):
        assert section in doc, f"{metric.name} does not say {section}"


def test_metric_travels_to_a_worker(metric):
    again = pickle.loads(pickle.dumps(metric))  # noqa: S301 - our own bytes
    assert again == metric
    assert plugins.load("metrics", metric.spec) == metric


def test_metric_gives_a_finite_row_for_speech(metric):
    if metric.listens:
        return  # its inputs are what its observer hears: its own test has them
    wav = voice(2.0, metric.sample_rate or 16000)
    inputs = {
        "estimate": wav + 1e-3 * np.sin(np.arange(wav.size)),
        "reference": wav,
        "sample_rate": metric.sample_rate or 16000,
        "seconds": 2.0,
        "bits": 12000.0,
        "streams": (np.arange(200) % 7,),
        "alphabets": (1024,),
        "wall_seconds": 0.1,
        "first_audible_seconds": 0.05,
        "delay": 0,
        "text": "ah",
        "language": "en",
    }
    row = metric.statistic(**{name: inputs[name] for name in metric.needs})
    assert row.dtype == np.float64
    assert row.ndim == 1
    assert np.isfinite(row).all()
    assert np.isfinite(metric.value(np.stack([row, row])))


def test_system_keeps_its_interface(system):
    card = system.card
    assert isinstance(system, Codec if card.task == "codec" else Synthesizer)
    assert card.name.partition(":")[0] in MODULES["systems"]
    assert set(card.paper_figures) <= set(FIGURES)
    assert card.scale in {"paper", "reduced", "anchor"}
    assert json.dumps(vars(card))


def test_codec_round_trip(system):
    if system.card.task != "codec":
        pytest.skip("not a codec")
    rng = np.random.default_rng(3)
    quiet = [0.1 * rng.standard_normal(n) for n in (1, 799, 24000)]
    for signal in [*quiet, np.zeros(800), np.ones(800), -np.ones(800)]:
        wav, samples = signal.astype(np.float32), signal.size
        before = wav.copy()
        codes = system.encode(wav)
        out = system.decode(codes)
        assert out.shape == (samples,)
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        for stream, alphabet in zip(codes.streams, codes.alphabets, strict=True):
            assert not stream.size or 0 <= stream.min() <= stream.max() < alphabet
        assert np.array_equal(wav, before), "encode changed its input"
        assert np.array_equal(system.decode(system.encode(wav)), out), "not deterministic"


def test_saved_codes_decode_bit_exactly(system, tmp_path):
    if system.card.task != "codec":
        pytest.skip("not a codec")
    for seconds in (0.01, 1.3):
        wav = voice(seconds, 16000).astype(np.float32)
        codes = system.encode(wav)
        if not codes.streams and not codes.packets:
            pytest.skip("sends no codes")
        files.write(tmp_path / "a.codes", codes, system.card, system.card.sample_rate or 16000)
        saved = files.read(tmp_path / "a.codes")
        files.check(saved, system.card)
        assert saved.codes.bits == codes.bits
        assert np.array_equal(system.decode(saved.codes), system.decode(codes))


def test_equations_are_where_the_map_says(system):
    module = importlib.import_module(MODULES["systems"][system.card.name.partition(":")[0]])
    lines = re.findall(r"^    \S.*-> (\w+)$", module.__doc__, flags=re.MULTILINE)
    assert lines or not system.card.paper.startswith("arXiv"), f"{module.__name__} has no Map"
    for name in lines:
        doc = getattr(module, name).__doc__ or ""
        assert doc.startswith(("Eq.", "Alg.", "Sec.", "Table", "App.")), name


@pytest.mark.parametrize("name", MODULES["datasets"])
def test_dataset_documents_itself(name):
    module = importlib.import_module(MODULES["datasets"][name])
    assert "Source:" in module.__doc__ or "Spec:" in module.__doc__
    assert "icence:" in module.__doc__
    assert callable(module.load)
