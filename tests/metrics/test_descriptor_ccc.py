import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.descriptor_ccc import load


def seen(values, voiced=None, hop=0.05):
    values = np.asarray(values, dtype=np.float64)
    f0 = np.full(values.size, 20.0) if voiced is None else np.where(voiced, 20.0, 0.0)
    return {"f0": f0, "f1": values, "hnr": values, "hop_seconds": hop}


def value(estimate, reference, **parameters):
    return load(**parameters).statistic(estimate, reference)[0]


def test_hand_worked():
    # x = (1, 2, 3), y = (2, 4, 6): means 2 and 4, covariance 4/3, variances 2/3 and 8/3:
    # 2 (4/3) / (2/3 + 8/3 + 4) = (8/3) / (22/3) = 4/11. By n - 1: 2 * 2 / (1 + 4 + 4) = 4/9.
    x, y = seen([1, 2, 3]), seen([2, 4, 6])
    assert value(x, y) == pytest.approx(4 / 11)
    assert value(x, y, variance="sample") == pytest.approx(4 / 9)


def test_torchmetrics(elsewhere):
    for case in elsewhere("descriptor_ccc"):
        rng = np.random.default_rng(case["seed"])
        y = rng.normal(500, 80, case["frames"])
        x = y + rng.normal(case["shift"], 40, case["frames"])
        got = value(seen(x), seen(y), variance="sample")
        assert got == pytest.approx(case["ccc"], abs=1e-9)


def test_only_frames_in_which_both_are_voiced_count():
    x = seen([1, 2, 3, 90, 5], voiced=[1, 1, 1, 0, 1])
    y = seen([2, 4, 6, 8, -50], voiced=[1, 1, 1, 1, 0])
    assert value(x, y) == pytest.approx(4 / 11)
    assert value(x, y, frames="all") < 0.2


def test_a_copy_is_one_and_a_shift_costs():
    rng = np.random.default_rng(0)
    contour = rng.normal(500, 80, 60)
    assert value(seen(contour), seen(contour)) == pytest.approx(1)
    values = [value(seen(contour + s), seen(contour)) for s in (10, 40, 160)]
    assert values == sorted(values, reverse=True)
    assert value(seen(-contour), seen(contour), frames="all") < 0


def test_another_duration_needs_stretching():
    contour = np.sin(np.arange(60) / 9)
    long, short = seen(np.repeat(contour, 2)), seen(contour)
    with pytest.raises(Unscorable, match="longer") as caught:
        value(long, short)
    assert caught.value.blame == "estimate"
    assert value(long, short, align="stretch") > 0.99


@pytest.mark.parametrize("blame", ["estimate", "reference"])
@pytest.mark.parametrize(
    ("heard", "says"),
    [
        ({"silent": True}, "silent"),
        ({"unheard": "shorter than 0.1 s"}, "shorter than"),
        (seen([1, 2, 3], voiced=[0, 0, 0]), "voiced"),
        (seen([2, 2, 2]), "constant"),
    ],
)
def test_what_has_no_value_is_blamed(blame, heard, says):
    inputs = {"estimate": seen([1, 2, 3]), "reference": seen([2, 1, 3])} | {blame: heard}
    with pytest.raises(Unscorable, match=says) as caught:
        value(**inputs)
    assert caught.value.blame == blame


def test_unlike_hops_are_a_mistake():
    with pytest.raises(ValueError, match="hops"):
        value(seen([1, 2, 3], hop=0.02), seen([1, 2, 3]))


def test_arguments_are_checked():
    for name in ("descriptor", "variance", "frames", "align"):
        with pytest.raises(ValueError, match=f"{name} takes one of"):
            load(**{name: "formant"})


def test_real_voices(real_speech):
    pytest.importorskip("opensmile", reason="openSMILE is not installed: pip install .[prosody]")
    import soundfile

    from metrics.observers import opensmile
    from metrics.observers._base import Clip

    folder = real_speech / "voicebank_demand"
    name = min(p.name for p in (folder / "clean").iterdir())
    noisy, clean = (
        soundfile.read(folder / kind / name, dtype="float32")[0] for kind in ("noisy", "clean")
    )
    rng = np.random.default_rng(0)
    clean = clean[: min(noisy.size, clean.size)]
    faint = clean + 1e-4 * rng.standard_normal(clean.size).astype(np.float32)
    heard = opensmile.load().observe([Clip(w) for w in (clean, faint, noisy[: clean.size])])
    for descriptor in ("f1", "f2", "f3", "loudness", "hammarberg", "slope_0_500", "hnr"):
        near, far = (value(h, heard[0], descriptor=descriptor) for h in heard[1:])
        assert 0.8 < near <= 1, descriptor
        assert far < near, descriptor


def test_declaration():
    assert load().title == "F1 CCC"
    assert load(descriptor="hnr", frames="all", align="stretch").title == "HNR CCC (stretch, all)"
    assert "descriptor:f1|variance:population|frames:voiced" in load().signature
    assert load(descriptor="hnr").spec == "descriptor_ccc:descriptor=hnr"
