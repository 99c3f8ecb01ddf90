"""Did steering raise the emotions in the order asked for? Observations made up."""

import numpy as np
import pytest
from scipy import stats

from metrics._base import Unscorable
from metrics.emotion_spearman import load
from metrics.observers._base import SILENT

LABELS = ["angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised"]


def heard(**posterior):
    return {"posterior": np.array([posterior.get(n, 0.0) for n in LABELS]), "labels": LABELS}


PLAIN = heard(neutral=0.7, happy=0.2, sad=0.1)


def rho(steered, emotion, unsteered=PLAIN, ratings=None, **parameters):
    (value,) = load(**parameters).statistic(
        heard=steered, heard_reference=unsteered, emotion=emotion, ratings=ratings or {}
    )
    return value


def test_hand_worked():
    # Increases: happy .5 - .2 = .3, sad .15 - .1 = .05, angry .2 - 0 = .2: ranks 3, 1, 2.
    # Shares .5, .2, .3: ranks 3, 1, 2: rho 1. With shares .5, .3, .2 (ranks 3, 2, 1):
    # d = (0, 1, 1), rho = 1 - 6 * 2 / (3 * 8) = 0.5.
    steered = heard(happy=0.5, sad=0.15, angry=0.2, neutral=0.15)
    assert rho(steered, {"happy": 0.5, "sad": 0.2, "angry": 0.3}) == pytest.approx(1)
    assert rho(steered, {"happy": 0.5, "sad": 0.3, "angry": 0.2}) == pytest.approx(0.5)


def test_the_increase_counts_not_the_probability():
    # Happy stays likelier (.3 > .25), but rose by .1, sad by .15.
    steered = heard(happy=0.3, sad=0.25, neutral=0.45)
    assert rho(steered, {"happy": 0.7, "sad": 0.3}) == pytest.approx(-1)
    assert rho(steered, {"happy": 0.3, "sad": 0.7}) == pytest.approx(1)


def test_only_active_emotions_count():
    # Angry rose most, but nobody asked for it; neutral is left out.
    steered = heard(angry=0.5, happy=0.3, sad=0.1, neutral=0.1)
    asked = {"angry": 0, "happy": 0.4, "sad": 0.1, "neutral": 0.5}
    assert rho(steered, asked) == pytest.approx(1)
    # With neutral: increases .1, 0, -.6, shares ranked 2, 1, 3: d = (1, 1, 2): 1 - 36/24.
    assert rho(steered, asked, neutral="keep") == pytest.approx(-0.5)


def test_votes_are_shares():
    steered = heard(happy=0.5, sad=0.2, neutral=0.3)
    votes = {"happy": 6, "sad": 3, "angry": 0, "neutral": 1}
    assert rho(steered, {}, ratings=votes) == rho(steered, {"happy": 0.6, "sad": 0.3})


def test_scipy():
    rng = np.random.default_rng(1)
    for _ in range(50):
        before, after = rng.dirichlet(np.ones(8), 2)
        votes = dict(zip(LABELS, rng.integers(0, 4, 8).tolist(), strict=True))
        some = [n for n in LABELS if votes[n] and n != "neutral"]
        shares = [votes[n] for n in some]
        if len(set(shares)) < 2:
            continue
        gained = dict(zip(LABELS, after - before, strict=True))
        want = stats.spearmanr(shares, [gained[n] for n in some]).statistic
        got = rho(
            heard(**dict(zip(LABELS, after, strict=True))),
            {},
            heard(**dict(zip(LABELS, before, strict=True))),
            votes,
        )
        assert got == pytest.approx(want)


def test_the_release(elsewhere):
    scored = 0
    for case in elsewhere("cocoemo_steering"):
        sides = {}
        for name in ("before", "after"):
            shares = dict(zip(("angry", "happy", "sad", "surprised"), case[name], strict=True))
            sides[name] = heard(**shares)
        if case["rho"] is None:
            with pytest.raises(Unscorable):
                rho(sides["after"], {}, sides["before"], case["votes"])
        else:
            got = rho(sides["after"], {}, sides["before"], case["votes"])
            assert got == pytest.approx(case["rho"])
            scored += 1
    assert scored > 10


def test_the_prompt_may_be_the_unsteered_output():
    metric, steered = load(against="prompt"), heard(happy=0.5, sad=0.2)
    asked = {"heard": steered, "emotion": {"happy": 0.7, "sad": 0.3}, "ratings": {}}
    assert metric.needs == ("heard", "emotion", "ratings", "heard_prompt")
    assert load().needs == ("heard", "emotion", "ratings", "heard_reference")
    assert metric.statistic(**asked, heard_prompt=PLAIN) == pytest.approx(1)
    already = heard(happy=0.6, sad=0.1)
    assert metric.statistic(**asked, heard_prompt=already) == pytest.approx(-1)
    assert metric.signature != load().signature


def test_mean_over_utterances():
    assert load().value(np.array([[1.0], [-1.0], [0.5], [0.5]])) == pytest.approx(0.25)
    assert load().worst == (-1.0,)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"happy": 1.0}, "only happy is asked for"),
        ({"happy": 0.4, "neutral": 0.6}, "only happy is asked for"),
        ({"happy": 0.5, "sad": 0.5}, "asked for alike: there is no order"),
        ({"happy": 0.5, "calm": 0.2}, "does not know 'calm'"),
        ({}, "neither votes nor shares"),
        ({"neutral": 1.0}, "nothing was felt that counts"),
    ],
)
def test_what_has_no_value_for_any_system(asked, said):
    for steered in (heard(happy=0.5, sad=0.1), SILENT):  # so also where the output is missing
        with pytest.raises(Unscorable, match=said) as caught:
            rho(steered, asked)
        assert caught.value.blame == "reference"


def test_silence_is_blamed_on_its_recording():
    asked = {"happy": 0.7, "sad": 0.3}
    with pytest.raises(Unscorable, match="the output is silent") as caught:
        rho(SILENT, asked)
    assert caught.value.blame == "estimate"
    with pytest.raises(Unscorable, match=r"unsteered output \(the reference\) is silent") as caught:
        rho(heard(happy=1.0), asked, SILENT)
    assert caught.value.blame == "reference"


def test_an_output_that_changed_nothing_has_failed():
    with pytest.raises(Unscorable, match="estimate is constant") as caught:
        rho(PLAIN, {"happy": 0.7, "sad": 0.3})
    assert caught.value.blame == "estimate"


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="against takes one of reference, prompt, baseline"):
        load(against="silence")
    with pytest.raises(ValueError, match="posterior and labels"):
        rho({"embedding": np.ones(3)}, {"happy": 0.7, "sad": 0.3})
