"""Votes of many raters against what an emotion observer hears; observations made up."""

import json
import sys
import types
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile

from bench import plugins
from bench.suite import Options, load_metrics, score_folder
from metrics import (
    dominant_emotion_accuracy,
    emotion_similarity,
    soft_label_jsd,
    soft_label_kl,
    target_emotion_probability,
)
from metrics._base import Unscorable
from metrics._soft_labels import consensus, dominant, labels_of, posterior_of
from metrics.observers._base import SILENT, Observer

LABELS = ["angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised"]
VOTES = {"angry": 0, "disgusted": 0, "fearful": 0, "happy": 4, "neutral": 2, "sad": 4}
tep, jsd = target_emotion_probability.load, soft_label_jsd.load
kl, accuracy = soft_label_kl.load, dominant_emotion_accuracy.load
ALL = [tep, jsd, kl, accuracy]


def heard(**posterior):
    shares = np.array([posterior.get(label, 0.0) for label in LABELS])
    return {"posterior": shares, "labels": LABELS, "embedding": np.arange(4.0)}


def one(metric, observation, emotion=None, ratings=None):
    row = metric.statistic(observation, emotion or {}, ratings or {})
    return metric.value(row[None])


# -- consensus -----------------------------------------------------------------------------------


def test_the_example_of_the_paper():
    # Eq. (9): two raters for happy, one for sad, none for angry.
    got = consensus({}, {"happy": 2, "sad": 1, "angry": 0})
    assert got == pytest.approx({"happy": 2 / 3, "sad": 1 / 3, "angry": 0})


@pytest.mark.parametrize(
    ("neutral", "want"),
    [
        ("keep", {"happy": 0.3, "sad": 0.3, "neutral": 0.4}),
        ("drop", {"happy": 0.3, "sad": 0.3}),  # the release: 0.6 of the mass
        ("renormalise", {"happy": 0.5, "sad": 0.5}),
    ],
)
def test_neutral_mass(neutral, want):
    votes = {"happy": 3, "sad": 3, "neutral": 4}
    assert consensus({}, votes, neutral=neutral) == pytest.approx(want)
    shares = {"happy": 0.3, "sad": 0.3, "neutral": 0.4}
    assert consensus(shares, {}, neutral=neutral) == pytest.approx(want)


def test_only_some_emotions():
    votes = {"happy": 2, "disgust": 4, "neutral": 2}
    some = ("happy", "surprised")
    assert consensus({}, votes, emotions=some) == {"happy": 1, "surprised": 0}
    assert consensus({}, votes, emotions=some, neutral="drop") == {"happy": 0.25, "surprised": 0}
    assert labels_of("anger + surprise+happy") == ("angry", "surprised", "happy")


def test_votes_come_before_shares_and_names_are_mapped():
    assert consensus({"sad": 1.0}, {"Anger": 1, "angry": 2}) == {"angry": 1}
    assert consensus({"sad": 1.0}, {"angry": 0}) == {"sad": 1}


def test_dominant():
    assert dominant({"happy": 0.4, "sad": 0.4, "angry": 0.2}) == ("happy", "sad")


def test_what_has_no_consensus():
    with pytest.raises(Unscorable, match="neither votes nor shares"):
        consensus({}, {"happy": 0})
    with pytest.raises(Unscorable, match="9 votes, fewer than the 10 asked for"):
        consensus({}, {"happy": 9}, raters=10)
    with pytest.raises(Unscorable, match="0 votes, fewer than the 1 asked for"):
        consensus({"happy": 1.0}, {}, raters=1)
    with pytest.raises(Unscorable, match="nothing was felt that counts here, only neutral"):
        consensus({}, {"neutral": 9, "sad": 0}, neutral="drop")
    for wrong in ({"happy": -1}, {"happy": float("nan")}):
        with pytest.raises(ValueError, match="votes and shares are 0 or more"):
            consensus(wrong, {})
    with pytest.raises(ValueError, match="neutral takes one of keep, drop, renormalise"):
        consensus({"sad": 1}, {}, neutral="ignore")


# -- TEP -----------------------------------------------------------------------------------------


def test_tep_by_hand():
    # Active without neutral: happy and sad; (0.5 + 0.1) / 2, whatever their shares.
    assert one(tep(), heard(happy=0.5, sad=0.1, other=0.4), ratings=VOTES) == pytest.approx(0.3)
    assert one(tep(), heard(happy=0.5, sad=0.1), {"happy": 0.9, "sad": 0.1}) == pytest.approx(0.3)
    # Neutral kept: (0.5 + 0.1 + 0.4) / 3.
    kept = one(tep(neutral="keep"), heard(happy=0.5, sad=0.1, neutral=0.4), ratings=VOTES)
    assert kept == pytest.approx(1 / 3)
    four = tep(emotions="angry+happy+sad+surprised")
    assert one(four, heard(happy=0.5), ratings={"happy": 1, "fear": 8}) == pytest.approx(0.5)


# -- divergences ---------------------------------------------------------------------------------


def test_jsd_by_hand():
    # (1/2, 1/2) against (1, 0): see test_agreement; "other" is divided out.
    want = (np.log2(4 / 3) + 0.5 * np.log2(2 / 3) + 0.5) / 2
    ratings = {"happy": 3, "sad": 3}
    assert one(jsd(), heard(happy=0.2, other=0.8), ratings=ratings) == pytest.approx(want)
    assert one(jsd(), heard(happy=0.5, sad=0.5), ratings=ratings) == 0
    assert one(jsd(), heard(happy=1), ratings={"happy": 0, "sad": 2}) == 1
    # rest=bin: (1/2, 1/2, 0) against (0, 0, 1) shares nothing.
    assert one(jsd(rest="bin"), heard(other=1), ratings=ratings) == 1
    assert one(jsd(rest="bin"), heard(happy=1), {"happy": 1.0}) == 0


def test_jsd_counts_the_labels_nobody_chose():
    ratings = {"happy": 4, "sad": 0, "angry": 0}
    got = [one(jsd(), heard(happy=1 - p, angry=p), ratings=ratings) for p in (0, 0.2, 0.6, 1)]
    assert got == sorted(got)
    assert (got[0], got[-1]) == (0, 1)


def test_kl_by_hand():
    # Consensus (1, 0), heard (0, 1), epsilon 0.1: log 12, as in test_agreement.
    ratings = {"happy": 2, "sad": 0}
    got = one(kl(epsilon=0.1), heard(sad=1), ratings=ratings)
    assert got == pytest.approx(np.log(12))
    assert one(kl(), heard(happy=1), ratings=ratings) == pytest.approx(np.log(1.002 / 1.001))
    assert "epsilon:0.001" in kl().signature


def test_neutral_in_a_divergence():
    # Without neutral and divided: (1/2, 1/2) on both sides.
    even = heard(happy=0.3, sad=0.3, neutral=0.4)
    assert one(jsd(neutral="renormalise"), even, ratings=VOTES) == pytest.approx(0)
    for load in (jsd, kl):
        with pytest.raises(ValueError, match="neutral of a divergence takes one of keep, renorm"):
            load(neutral="drop")


@pytest.mark.parametrize("load", [jsd, kl])
def test_one_label_leaves_nothing_to_divide(load):
    with pytest.raises(Unscorable, match=r"only 'happy' was offered.*rest=bin"):
        load().statistic(heard(happy=1), {"happy": 1.0}, {})
    with pytest.raises(Unscorable, match="nothing was heard of happy, sad") as caught:
        load().statistic(heard(other=1), {}, {"happy": 1, "sad": 1})
    assert caught.value.blame == "estimate"
    with pytest.raises(ValueError, match="rest takes one of renormalise, bin"):
        load(rest="drop")


# -- dominant emotion ----------------------------------------------------------------------------


def test_accuracy_by_hand():
    metric = accuracy()
    assert one(metric, heard(sad=0.6, happy=0.4), ratings={"happy": 2, "sad": 5}) == 100
    assert one(metric, heard(sad=0.4, happy=0.6), ratings={"happy": 2, "sad": 5}) == 0
    rows = [metric.statistic(heard(sad=1), {}, {"sad": s, "happy": 3}) for s in (1, 4, 5, 6)]
    assert metric.value(np.stack(rows)) == 75


@pytest.mark.parametrize(("ties", "want"), [("any", 100), ("share", 50)])
def test_tied_votes(ties, want):
    assert one(accuracy(ties=ties), heard(sad=1), ratings=VOTES) == want
    assert one(accuracy(ties=ties), heard(angry=1), ratings=VOTES) == 0
    assert one(accuracy(ties=ties), heard(sad=1), ratings={"sad": 2, "happy": 1}) == 100


def test_tied_votes_left_out():
    with pytest.raises(Unscorable, match="the votes tie between happy and sad"):
        accuracy(ties="exclude").statistic(heard(sad=1), {}, VOTES)


def test_among_whom_the_likeliest_is():
    loud = heard(surprised=0.7, sad=0.3)
    assert one(accuracy(), loud, ratings={"sad": 2, "happy": 1}) == 100
    assert one(accuracy(among="all"), loud, ratings={"sad": 2, "happy": 1}) == 0
    for wrong in ({"ties": "first"}, {"among": "some"}):
        with pytest.raises(ValueError, match="takes one of"):
            accuracy(**wrong)


# -- what all four share -------------------------------------------------------------------------


@pytest.mark.parametrize("load", ALL)
def test_states(load):
    with pytest.raises(Unscorable, match="the output is silent") as caught:
        load().statistic(SILENT, {}, VOTES)
    assert caught.value.blame == "estimate"
    with pytest.raises(Unscorable, match="neither votes") as caught:
        load().statistic(SILENT, {}, {})  # said before the output is looked at
    assert caught.value.blame == "reference"
    with pytest.raises(Unscorable, match="10 votes, fewer than the 11"):
        load(raters=11).statistic(heard(sad=1), {}, VOTES)
    with pytest.raises(Unscorable, match="does not know 'calm'"):
        load().statistic(heard(sad=1), {"calm": 0.5, "sad": 0.5}, {})
    with pytest.raises(ValueError, match="posterior and labels, this one hears embedding"):
        load().statistic({"embedding": np.ones(3)}, {}, VOTES)
    with pytest.raises(ValueError, match="emotions takes all, or labels joined by"):
        load(emotions=" + ")


@pytest.mark.parametrize("load", ALL)
def test_the_order_of_labels_does_not_count(load):
    a = heard(happy=0.5, sad=0.2, neutral=0.2, other=0.1)
    b = a | {"posterior": a["posterior"][::-1], "labels": LABELS[::-1]}
    backwards = dict(reversed(VOTES.items()))
    assert one(load(), b, ratings=backwards) == pytest.approx(one(load(), a, ratings=VOTES))
    assert load().listens == "observer"
    assert "observer:emotion2vec" in load().signature


def test_labels_of_a_posterior_are_mapped():
    got = posterior_of({"posterior": np.array([0.25, 0.75]), "labels": ["Sadness", "joy"]})
    assert got == {"sad": 0.25, "happy": 0.75}


# -- E-SIM ---------------------------------------------------------------------------------------


def test_esim_by_hand():
    # (3, 4) and (4, 3): 24 / 25.
    a, b = ({"embedding": np.array(v)} for v in ((3.0, 4.0), (4.0, 3.0)))
    metric = emotion_similarity.load()
    assert metric.statistic(a, b) == pytest.approx([0.96])
    assert metric.statistic(a, {"embedding": 7 * a["embedding"]}) == pytest.approx([1])
    assert metric.statistic(a, {"embedding": -a["embedding"]}) == pytest.approx([-1])


def test_esim_states():
    metric, good = emotion_similarity.load(), {"embedding": np.ones(3)}
    for bad, match in ((SILENT, "is silent"), ({"embedding": np.zeros(3)}, "zero or not finite")):
        with pytest.raises(Unscorable, match=f"the reference {match}|of the reference") as caught:
            metric.statistic(SILENT if bad is SILENT else bad, bad)
        assert caught.value.blame == "reference"
        with pytest.raises(Unscorable, match=f"the estimate {match}|of the estimate") as caught:
            metric.statistic(bad, good)
        assert caught.value.blame == "estimate"
    with pytest.raises(ValueError, match=r"one length, got \(2,\) and \(3,\)"):
        metric.statistic({"embedding": np.ones(2)}, good)
    with pytest.raises(ValueError, match="needs an observer with an embedding"):
        metric.statistic({"text": "a"}, good)


# -- through a run -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feeling(Observer):
    """Hears more of happy the louder it is."""

    name, kind, sample_rate, revision = "feeling", "emotion", 16000, 1

    def observe(self, batch):
        loud = [min(1.0, 4 * float(np.abs(clip.audio).mean())) for clip in batch]
        return [
            {
                "posterior": np.array([p, 1 - p]),
                "labels": ["happy", "sad"],
                "embedding": np.eye(2)[0],
            }
            for p in loud
        ]


def test_votes_of_a_data_set_reach_the_metrics(tmp_path, monkeypatch):
    module = types.ModuleType("observer_feeling")
    module.load = Feeling
    monkeypatch.setitem(sys.modules, "observer_feeling", module)
    plain = plugins.names
    own = {"observers": {"feeling": "observer_feeling"}}
    monkeypatch.setattr(plugins, "names", lambda kind: plain(kind) | own.get(kind, {}))
    monkeypatch.setattr(plugins, "lacking", lambda kind, spec: None)
    lines = []
    for i, votes in enumerate(({"happy": 6, "sad": 2}, {"happy": 0, "sad": 9}, {"sad": 1}, {})):
        soundfile.write(tmp_path / f"{i}.wav", np.full(8000, 0.1), 16000)
        lines.append(json.dumps({"id": f"u{i}", "audio": f"{i}.wav", "ratings": votes}))
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    out = tmp_path / "out"
    out.mkdir()
    for i in (0, 2, 3):
        soundfile.write(out / f"u{i}.wav", np.full(8000, 0.2), 16000)
    data = plugins.load("datasets", f"manifest:path={tmp_path / 'm.jsonl'}")
    names = ("target_emotion_probability", "soft_label_jsd", "dominant_emotion_accuracy")
    specs = ",".join(f"{n}:observer=feeling,raters=2" for n in (*names, "soft_label_kl"))
    metrics = load_metrics(f"{specs},emotion_similarity:observer=feeling")
    record, _ = score_folder(out, data, metrics, Options(out=tmp_path / "r"))
    states = {
        name: [record.score(name).cells[f"u{i}"].state for i in range(4)]
        for name in (*names, "soft_label_kl", "emotion_similarity")
    }
    assert states.pop("emotion_similarity") == ["scored", "missing", "scored", "scored"]
    assert set(map(tuple, states.values())) == {("scored", "missing", "unscorable", "unscorable")}
    # Loudness 0.2 gives 0.8 to happy: (0.8 + 0.2) / 2.
    assert record.score(names[0]).value == pytest.approx(0.5, abs=1e-4)
    assert record.score(names[2]).value == 100
    assert "feeling(r=1)" in record.score(names[0]).signature
