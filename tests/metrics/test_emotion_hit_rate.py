"""Did the dominant emotion rise most? Observations made up."""

import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.emotion_hit_rate import load
from metrics.observers._base import SILENT

LABELS = ["angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised"]


def heard(**posterior):
    return {"posterior": np.array([posterior.get(n, 0.0) for n in LABELS]), "labels": LABELS}


PLAIN = heard(neutral=0.75, happy=0.125, sad=0.125)


def hit(steered, emotion, unsteered=PLAIN, **parameters):
    (value,) = load(**parameters).statistic(
        heard=steered, heard_reference=unsteered, emotion=emotion, ratings={}
    )
    return value


@pytest.mark.parametrize("ties", ["any", "manifest"])
def test_hand_worked(ties):
    # Increases: happy .5 - .125 = .375, sad .25 - .125 = .125, angry .25.
    steered = heard(happy=0.5, sad=0.25, angry=0.25)
    assert hit(steered, {"happy": 0.6, "sad": 0.2, "angry": 0.2}, ties=ties) == 1
    assert hit(steered, {"happy": 0.2, "sad": 0.6, "angry": 0.2}, ties=ties) == 0
    # Happy is not asked for: of the other two angry rose most.
    assert hit(steered, {"happy": 0, "sad": 0.4, "angry": 0.6}, ties=ties) == 1
    assert hit(steered, {"sad": 0.4, "angry": 0.3}, ties=ties) == 0


def test_both_tie_rules():
    # Happy and sad tie in the shares, sad rose more.
    steered = heard(happy=0.25, sad=0.5, neutral=0.25)
    assert hit(steered, {"happy": 0.4, "sad": 0.4, "angry": 0.2}, ties="any") == 1
    assert hit(steered, {"happy": 0.4, "sad": 0.4, "angry": 0.2}, ties="manifest") == 0
    assert hit(steered, {"sad": 0.4, "happy": 0.4, "angry": 0.2}, ties="manifest") == 1
    # Equal increases: sad is among the largest under both.
    even = heard(happy=0.25, sad=0.25, neutral=0.5)
    asked = {"happy": 0.3, "sad": 0.5, "angry": 0.2}
    for ties in ("any", "manifest"):
        assert hit(even, asked, ties=ties) == 1
    # Increases that differ by 1e-9 tie within the tolerance, not exactly.
    near = heard(happy=0.25 + 1e-9, sad=0.25, neutral=0.5)
    assert hit(near, asked, ties="any") == 1
    assert hit(near, asked, ties="manifest") == 0


@pytest.mark.parametrize("ties", ["any", "manifest"])
def test_no_steering_is_no_hit(ties):
    assert hit(PLAIN, {"happy": 0.3, "sad": 0.7}, ties=ties) == 0
    alike = heard(happy=0.25, sad=0.25, neutral=0.5)
    assert hit(alike, {"happy": 0.3, "sad": 0.7}, ties=ties) == 0


def test_the_release(elsewhere):
    scored = 0
    for case in elsewhere("cocoemo_steering"):
        sides = {}
        for name in ("before", "after"):
            shares = dict(zip(("angry", "happy", "sad", "surprised"), case[name], strict=True))
            sides[name] = heard(**shares)
        inputs = {"heard": sides["after"], "heard_reference": sides["before"], "emotion": {}}
        if case["hit"] is None:
            with pytest.raises(Unscorable):
                load().statistic(**inputs, ratings=case["votes"])
        else:
            votes = list(case["votes"].values())
            pairs = zip(votes, case["before"], case["after"], strict=True)
            gained = [after - before for n, before, after in pairs if n]
            alike = np.ptp(gained) < 1e-9  # a hit there, a miss here
            want = 0 if alike else case["hit"]
            assert load().statistic(**inputs, ratings=case["votes"]) == want
            scored += not alike
    assert scored > 15


def test_rises_may_be_below_zero():
    # Both fell: happy by .025, sad by .1.
    assert hit(heard(happy=0.1, sad=0.025, neutral=0.875), {"happy": 0.7, "sad": 0.3}) == 1


def test_share_of_utterances():
    assert load().value(np.array([[1.0], [0.0], [1.0], [1.0]])) == pytest.approx(75)
    assert load().worst == (0.0,)
    assert load(ties="manifest").signature != load().signature
    assert load(against="prompt").needs == ("heard", "emotion", "ratings", "heard_prompt")


def test_what_has_no_value():
    for steered in (heard(happy=1.0), SILENT):
        with pytest.raises(Unscorable, match="only happy is asked for") as caught:
            hit(steered, {"happy": 1.0})
        assert caught.value.blame == "reference"
    with pytest.raises(Unscorable, match="the output is silent") as caught:
        hit(SILENT, {"happy": 0.7, "sad": 0.3})
    assert caught.value.blame == "estimate"
    with pytest.raises(Unscorable, match=r"the unsteered output .* is silent") as caught:
        hit(heard(happy=1.0), {"happy": 0.7, "sad": 0.3}, SILENT)
    assert caught.value.blame == "reference"
    # Equal shares are no reason here: either may rise most.
    assert hit(heard(happy=1.0), {"happy": 0.5, "sad": 0.5}) == 1


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="ties takes one of any, manifest"):
        load(ties="first")
    with pytest.raises(ValueError, match="against takes one of reference, prompt"):
        load(against="nobody")
