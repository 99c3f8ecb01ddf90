"""What the four metrics of prosody share: which frames are compared, and what has no value."""

import numpy as np
import pytest

from metrics import energy_ccc, f0_ccc, f0_rmse, voicing_error
from metrics._base import Unscorable
from metrics.observers._base import SILENT

ALL = [f0_ccc.load, energy_ccc.load, f0_rmse.load, voicing_error.load]
PITCHED = [f0_ccc.load, f0_rmse.load, lambda: energy_ccc.load(frames="voiced")]
RNG = np.random.default_rng(2)


def heard(f0, energy=None, hop=0.005):
    f0 = np.asarray(f0, dtype=float)
    level = np.linspace(-60, -20, f0.size) if energy is None else np.asarray(energy, dtype=float)
    return {"f0": f0, "energy": level, "hop_seconds": hop}


def melody(frames=400, seed=0):
    rng = np.random.default_rng(seed)
    f0 = 180 + 40 * np.sin(np.arange(frames) / 17 + seed) + rng.normal(0, 2, frames)
    f0[::50] = 0
    return heard(f0, -30 + 10 * np.sin(np.arange(frames) / 23 + seed))


@pytest.mark.parametrize(("load", "best"), list(zip(ALL, (1, 1, 0, 0), strict=True)))
def test_a_copy_is_best_and_another_is_not(load, best):
    metric = load()
    copy = metric.value(metric.statistic(melody(), melody())[None])
    other = metric.value(metric.statistic(melody(seed=5), melody())[None])
    assert copy == pytest.approx(best)
    assert abs(other - best) > 0.02 or metric.name == "voicing_error"


@pytest.mark.parametrize("load", ALL)
def test_the_end_may_differ_by_the_slack(load):
    metric, whole, reference = load(), melody(420), melody(400)
    value = metric.statistic(whole, reference)  # 20 frames of 5 ms: 0.1 s
    assert np.array_equal(value, metric.statistic(heard_part(whole, 400), reference))
    for estimate, than in ((melody(422), "longer"), (melody(378), "shorter")):
        with pytest.raises(Unscorable, match=rf"the output is 0\.11 s {than}") as caught:
            metric.statistic(estimate, reference)
        assert caught.value.blame == "estimate"
    assert load(slack=1).statistic(melody(300), reference).size == value.size


def heard_part(whole, frames):
    return heard(whole["f0"][:frames], whole["energy"][:frames])


@pytest.mark.parametrize("load", ALL)
def test_stretching_forgives_the_tempo(load):
    metric, reference = load(align="stretch"), melody(400)
    slow = heard(np.repeat(reference["f0"], 2), np.repeat(reference["energy"], 2))
    row = metric.statistic(slow, reference)
    best = {"f0_ccc": 1, "energy_ccc": 1}.get(metric.name, 0)
    assert metric.value(row[None]) == pytest.approx(best, abs=0.02 if best else 4)
    assert "align:stretch" in metric.signature
    assert "stretch" in metric.title


@pytest.mark.parametrize("load", ALL)
def test_silence_is_blamed_on_who_is_silent(load):
    with pytest.raises(Unscorable, match="the reference is silent") as caught:
        load().statistic(SILENT, SILENT)
    assert caught.value.blame == "reference"
    with pytest.raises(Unscorable, match="the estimate is silent") as caught:
        load().statistic(SILENT, melody())
    assert caught.value.blame == "estimate"


@pytest.mark.parametrize("load", PITCHED)
def test_too_little_voice(load):
    whisper = heard(np.where(np.arange(400) < 19, 100.0, 0))
    with pytest.raises(Unscorable, match=r"0\.095 s of the reference are voiced") as caught:
        load().statistic(SILENT, whisper)  # said before the output is looked at
    assert caught.value.blame == "reference"
    with pytest.raises(Unscorable, match="output and reference together") as caught:
        load().statistic(whisper, melody())
    assert caught.value.blame == "estimate"


@pytest.mark.parametrize("load", [f0_ccc.load, energy_ccc.load])
def test_a_constant_has_no_concordance(load):
    flat = heard(np.full(400, 150.0), np.full(400, -30.0))
    for average in ("utterance", "corpus"):
        with pytest.raises(Unscorable, match="reference is constant"):
            load(average=average).statistic(melody(), flat)
        with pytest.raises(Unscorable, match="estimate is constant") as caught:
            load(average=average).statistic(flat, melody())
        assert caught.value.blame == "estimate"


@pytest.mark.parametrize("load", ALL)
def test_arguments_are_checked(load):
    with pytest.raises(ValueError, match="align takes one of time, stretch, got 'dtw'"):
        load(align="dtw")
    with pytest.raises(ValueError, match=r"slack must be 0 or more, in seconds, got -1"):
        load(slack=-1)
    with pytest.raises(ValueError, match="unlike hops"):
        load().statistic(melody() | {"hop_seconds": 0.01}, melody())


# -- F0 CCC --------------------------------------------------------------------------------------


def test_f0_ccc_by_hand():
    # Only frames with a pitch in both: x = 110 120 130, y = 100 110 120, ten times each.
    # Variances 200/3, covariance 200/3, means 10 apart: (400/3) / (400/3 + 100) = 4/7.
    x, y = np.repeat([110.0, 120, 130, 0, 90], 10), np.repeat([100.0, 110, 120, 300, 0], 10)
    assert f0_ccc.load().statistic(heard(x), heard(y)) == pytest.approx([4 / 7])
    # Sample variance over 30 frames: (400/3 * 30/29) / (400/3 * 30/29 + 100).
    spread = 400 / 3 * 30 / 29
    assert f0_ccc.load(variance="sample").statistic(heard(x), heard(y)) == pytest.approx(
        [spread / (spread + 100)]
    )


def test_the_corpus_is_one_contour():
    whole, pieces = f0_ccc.load(average="corpus"), f0_ccc.load()
    pairs = [(melody(400, s), melody(400, s + 1)) for s in range(3)]
    rows = np.stack([whole.statistic(*p) for p in pairs])
    joined = [heard(np.concatenate([p[k]["f0"] for p in pairs])) for k in (0, 1)]
    assert whole.value(rows) == pytest.approx(float(pieces.statistic(*joined)[0]))
    means = np.stack([pieces.statistic(*p) for p in pairs])
    assert pieces.value(means) == pytest.approx(means.mean())
    assert whole.value(rows[::-1]) == pytest.approx(whole.value(rows))
    assert whole.title == "F0 CCC (corpus)"
    assert "average:corpus" in whole.signature


def test_ccc_names_are_checked():
    for load in (f0_ccc.load, energy_ccc.load):
        with pytest.raises(ValueError, match="average takes one of utterance, corpus"):
            load(average="mean")
        with pytest.raises(ValueError, match="variance takes one of"):
            load(variance="n-1")
    with pytest.raises(ValueError, match="frames takes one of all, voiced"):
        energy_ccc.load(frames="some")


# -- energy CCC ----------------------------------------------------------------------------------


def test_energy_ccc_by_hand():
    # x = y + 10 dB, y = -40 and -20 alike often: variance 100 each: 200 / (200 + 100).
    y = np.repeat([-40.0, -20.0], 50)
    f0 = np.repeat([0.0, 100.0, 110.0, 0.0], 25)
    row = energy_ccc.load().statistic(heard(f0, y + 10), heard(f0, y))
    assert row == pytest.approx([2 / 3])
    # Voiced frames: 25 of each level: the same.
    row = energy_ccc.load(frames="voiced").statistic(heard(f0, y + 10), heard(f0, y))
    assert row == pytest.approx([2 / 3])
    whole = energy_ccc.load(average="corpus")
    rows = [whole.statistic(heard(f0, y + g), heard(f0, y)) for g in (10, 10)]
    assert whole.value(np.stack(rows)) == pytest.approx(2 / 3)


# -- F0 RMSE -------------------------------------------------------------------------------------


def test_f0_rmse_by_hand():
    # Errors 3 and -4 Hz alike often, an unvoiced stretch: sqrt((9 + 16) / 2).
    y = np.repeat([100.0, 200.0, 0.0], 20)
    x = np.repeat([103.0, 196.0, 150.0], 20)
    assert f0_rmse.load().statistic(heard(x), heard(y)) == pytest.approx([12.5**0.5])
    # An octave up is 1200 cents.
    octave = f0_rmse.load(scale="cents").statistic(heard(2 * y), heard(y))
    assert octave == pytest.approx([1200])


def test_f0_rmse_of_the_corpus_weighs_frames():
    # 20 frames with 20 Hz and 60 with 3 Hz: sqrt((20 * 400 + 60 * 9) / 80), and (20 + 3) / 2.
    whole, mean = f0_rmse.load(average="corpus"), f0_rmse.load()
    pairs = [
        (heard(np.full(20, 120.0)), heard(np.full(20, 100.0))),
        (heard(np.full(60, 103.0)), heard(np.full(60, 100.0))),
    ]
    assert whole.value(np.stack([whole.statistic(*p) for p in pairs])) == pytest.approx(
        (8540 / 80) ** 0.5
    )
    assert mean.value(np.stack([mean.statistic(*p) for p in pairs])) == pytest.approx(11.5)
    assert (whole.unit, f0_rmse.load(scale="cents").unit) == ("Hz", "cents")
    assert whole.title == "F0 RMSE (corpus)"


def test_f0_errors_are_checked():
    ones = np.ones(3)
    with pytest.raises(ValueError, match="scale takes one of hz, cents"):
        f0_rmse.load(scale="semitones")
    with pytest.raises(ValueError, match=r"one length, got \(3,\) and \(2,\)"):
        f0_rmse.f0_errors(ones, ones[:2])
    with pytest.raises(ValueError, match="above 0 in every frame"):
        f0_rmse.f0_errors(ones, 0 * ones)


# -- voicing error -------------------------------------------------------------------------------


def test_voicing_error_by_hand():
    # Two of eight frames unlike, then none of 24: 2 / 32, not the mean of 25 % and 0 %.
    metric = voicing_error.load()
    y = np.array([0, 0, 100, 100, 100, 0, 0, 0.0])
    x = np.array([0, 90, 100, 200, 0, 0, 0, 0.0])
    rows = [
        metric.statistic(heard(x), heard(y)),
        metric.statistic(heard([0] * 24), heard([0] * 24)),
    ]
    assert rows[0].tolist() == [2, 8]
    assert metric.value(np.stack(rows)) == pytest.approx(6.25)


def test_real_speech_against_its_own_noise(speech):
    from bench import plugins
    from metrics.observers._base import Clip

    try:
        observer = plugins.load("observers", "pitch")
    except plugins.Unavailable as missing:
        pytest.skip(str(missing))
    clips = [Clip(w.astype(np.float32)) for pair in speech[:4] for w in pair]
    found = observer.observe(clips)
    for load in ALL:
        metric = load()
        rows = [metric.statistic(*found[i : i + 2]) for i in range(0, len(found), 2)]
        same = [metric.statistic(found[i], found[i]) for i in range(1, len(found), 2)]
        value, best = metric.value(np.stack(rows)), metric.value(np.stack(same))
        assert (value < best) == (metric.better == "higher")
