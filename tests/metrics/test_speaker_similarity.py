from importlib.util import find_spec

import numpy as np
import pytest
import soundfile
from scipy.spatial.distance import cosine as cosine_distance

from bench import plugins
from bench.suite import Options, load_metrics, score_folder
from metrics._base import Unscorable
from metrics.speaker_similarity import (
    cosine,
    equal_error_rate,
    load,
    separation,
    separation_intervals,
)


def heard(*numbers):
    return {"embedding": np.array(numbers, dtype=np.float64)}


def test_hand_worked():
    # (3, 4) . (4, 3) = 24, both of length 5: 24 / 25.
    assert cosine([3, 4], [4, 3]) == pytest.approx(0.96)
    # Utterances at 0.96 and 0: mean 0.48.
    metric = load()
    rows = [
        metric.statistic(heard=heard(3, 4), heard_reference=heard(4, 3)),
        metric.statistic(heard=heard(1, 0), heard_reference=heard(0, 1)),
    ]
    assert metric.value(np.stack(rows)) == pytest.approx(0.48)


def test_scipy():
    random = np.random.default_rng(1)
    for _ in range(20):
        a, b = random.standard_normal((2, 192))
        assert cosine(a, b) == pytest.approx(1 - cosine_distance(a, b), abs=1e-12)


@pytest.mark.parametrize("gain", [1e-3, 40.0])
def test_length_does_not_count(gain):
    assert cosine([3 * gain, 4 * gain], [4, 3]) == pytest.approx(0.96)
    assert cosine([4, 3], [3 * gain, 4 * gain]) == pytest.approx(0.96)


def test_bounds():
    random = np.random.default_rng(2)
    for vector in random.standard_normal((50, 256)):
        assert cosine(vector, vector) <= 1
        assert cosine(vector, vector) == pytest.approx(1)
        assert cosine(vector, -vector) >= -1


def test_identity_scores_one_against_the_ground_truth():
    row = load().statistic(heard=heard(1, 2), heard_reference=heard(1, 2))
    assert row[0] == pytest.approx(1)


def test_a_copy_of_the_prompt_has_failed():
    metric = load(reference="prompt")
    for other in (heard(1, 2), heard(2, 4), heard(1, 2.02)):
        with pytest.raises(Unscorable, match="a copy of the prompt") as caught:
            metric.statistic(heard=heard(1, 2), heard_prompt=other)
        assert caught.value.blame == "estimate"
    # (1, 2) . (1, 2.1) = 5.2; lengths 2.2360680 and 2.3259407: 0.99981.
    near = metric.statistic(heard=heard(1, 2), heard_prompt=heard(1, 2.1))
    assert near[0] == pytest.approx(0.999815, abs=1e-6)


@pytest.mark.parametrize("which", ["prompt", "reference", "output"])
@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        ({"silent": True}, "is silent"),
        ({"unheard": "lasts 0.01 s, ecapa needs 0.10 s"}, "lasts 0.01 s, ecapa needs 0.10 s"),
        (heard(0, 0), "no voice was found in the"),
        (heard(np.nan, 1), "no voice was found in the"),
    ],
)
def test_what_has_no_value(which, observation, reason):
    metric = load(reference="prompt" if which == "prompt" else "ground_truth")
    inputs = {name: heard(1, 2) for name in metric.needs}
    name = "heard" if which == "output" else f"heard_{which}"
    with pytest.raises(Unscorable, match=reason) as caught:
        metric.statistic(**inputs | {name: observation})
    assert which in str(caught.value)
    assert caught.value.blame == ("estimate" if which == "output" else "reference")


def test_where_both_are_at_fault_the_reference_is_blamed():
    with pytest.raises(Unscorable, match="the reference is silent"):
        load().statistic(heard={"silent": True}, heard_reference={"silent": True})


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="one of ground_truth, prompt, resynthesised, got 'codec'"):
        load(reference="codec")
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        cosine([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="one shape"):
        cosine([[1, 2]], [[1, 2]])
    with pytest.raises(ValueError, match="n speakers"):
        separation(np.ones((3, 2)), ["a", "b"])
    with pytest.raises(ValueError, match="0 of one speaker and 3 of two"):
        separation(np.eye(3), ["a", "b", "c"])
    with pytest.raises(ValueError, match="1 of one speaker and 0 of two"):
        separation(np.eye(2), ["a", "a"])
    with pytest.raises(Unscorable, match="no voice"):
        separation(np.zeros((3, 2)), ["a", "a", "b"])


@pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs the speaker extra")
def test_declaration():
    assert load().title == "SIM (ground truth)"
    assert load(reference="prompt").title == "SIM-o"
    assert load(encoder="wavlm_sv:model=x", reference="prompt").title == "SIM-o, wavlm_sv"
    assert load().needs == ("heard", "heard_reference")
    assert load(reference="prompt").needs == ("heard", "heard_prompt")
    (metric,) = load_metrics("speaker_similarity:reference=prompt")
    assert "|encoder:resemblyzer(level=fixed,r=1)@" in metric.signature
    assert metric.signature.endswith("|reference:prompt|r:1")
    assert plugins.load("metrics", metric.spec) == metric


def test_separation_by_hand():
    # a: (1, 0), (3, 4); b: (0, 1). Same: 0.6. Different: 0 and 0.8.
    # Accepting from 0.8: 1 of 2 false, the one right pair rejected; from 0.6: 1 of 2 false, none
    # rejected. In between the rejections go from 0 to 1 while the acceptances stay: 0.5.
    found = separation([[1, 0], [3, 4], [0, 2]], ["a", "a", "b"])
    assert found == pytest.approx((0.6, 0.4, 0.5))


@pytest.mark.parametrize(
    ("same", "different", "eer"),
    [
        ([0.9, 0.8], [0.1, 0.2, 0.3], 0.0),
        ([0.1, 0.2], [0.8, 0.9], 1.0),
        ([0.5], [0.5], 0.5),
        # From 2: 0.5 accepted, 0.25 rejected; from 3: 0.25 and 0.5. They cross half way.
        ([1, 2, 3, 5], [0, 1, 2, 4], 0.375),
    ],
)
def test_equal_error_rate_by_hand(same, different, eer):
    assert equal_error_rate(same, different) == pytest.approx(eer)


def test_equal_error_rate_elsewhere(elsewhere):
    for case in elsewhere("sklearn"):
        assert equal_error_rate(case["same"], case["different"]) == pytest.approx(
            case["eer"], abs=1e-9
        )


def loops(same, different):
    """The equal error rate once more: every threshold, every pair, and a line between two."""
    last = (1.0, 0.0)
    for threshold in [*sorted({*same, *different}), float("inf")]:
        accepted = sum(x >= threshold for x in different) / len(different)
        rejected = sum(x < threshold for x in same) / len(same)
        if accepted <= rejected:
            above, below = last[0] - last[1], accepted - rejected
            return last[0] + (accepted - last[0]) * above / (above - below)
        last = (accepted, rejected)
    raise AssertionError


def test_equal_error_rate_against_loops():
    random = np.random.default_rng(3)
    for _ in range(200):
        m, n = random.integers(1, 12, 2)
        same = random.integers(0, 6, m) + random.integers(0, 4)
        different = random.integers(0, 6, n)
        got = equal_error_rate(same, different)
        assert got == pytest.approx(loops(same.tolist(), different.tolist())), (same, different)


def test_intervals_against_loops():
    """The same bootstrap once more: speakers drawn, and every pair of their recordings listed."""
    random = np.random.default_rng(5)
    vectors, names = random.standard_normal((11, 6)), np.array(list("aaabbccddde"))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    drawn = np.random.default_rng(0).multinomial(5, np.full(5, 0.2), 200)
    within, across = [], []
    for counts in drawn:
        draws = [s for s, count in zip("abcde", counts, strict=True) for _ in range(count)]
        same, different = [], []
        for i, one in enumerate(draws):
            mine = unit[names == one]
            same += [x @ y for j, x in enumerate(mine) for y in mine[j + 1 :]]
            others = [unit[names == other] for other in draws[i + 1 :] if other != one]
            different += [x @ y for theirs in others for x in mine for y in theirs]
        within.append(np.mean(same) if same else np.nan)
        across.append(np.mean(different) if different else np.nan)
    want = [np.nanquantile(m, [0.025, 0.975]) for m in (within, across)]
    assert separation_intervals(vectors, names, trials=200) == pytest.approx(np.array(want))


def test_intervals_need_three_speakers():
    assert np.isnan(separation_intervals([[1, 0], [3, 4], [0, 2]], ["a", "a", "b"])).all()


def test_anchors_are_said():
    voices = [heard(1, 0), heard(3, 4), heard(0, 2), {"silent": True}, heard(9, 9)]
    line = load().context(voices, ["a", "a", "b", "b", None])  # as separated by hand above
    assert line == (
        "anchors: same speaker 0.600, different speakers 0.400, EER 50.0 % "
        "(pairs of 3 recordings it is compared with, 2 speakers)"
    )
    many = [heard(1, i % 3, i % 7) for i in range(5000)]
    said = load().context(many, [f"s{i % 4}" for i in range(5000)])
    assert "pairs of 1667 recordings it is compared with, 4 speakers" in said
    assert said.count("[") == 2
    for speakers in (["a"] * 3, list("abc"), [None] * 3):
        assert load().context(voices[:3], speakers).startswith("no anchors: they need two speakers")


def test_separation_does_not_depend_on_order():
    random = np.random.default_rng(4)
    vectors, names = random.standard_normal((12, 8)), np.array(list("aabbccddeeff"))
    order = random.permutation(12)
    assert separation(vectors, names) == pytest.approx(separation(vectors[order], names[order]))


@pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs the speaker extra")
def test_states_through_the_pipeline(tiny, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    some = tiny.limit(4)
    first, second, third, _ = (soundfile.read(u.audio)[0] for u in some.utterances)
    soundfile.write(folder / "u0.wav", first, 16000, subtype="PCM_16")
    soundfile.write(folder / "u1.wav", np.zeros_like(second), 16000)
    soundfile.write(folder / "u2.wav", 0.5 * third[::-1], 16000)
    metrics = load_metrics("speaker_similarity,speaker_similarity:reference=prompt")
    record, _ = score_folder(folder, some, metrics, Options(out=tmp_path / "runs"))
    cells = record.score("speaker_similarity").cells
    assert [cells[f"u{i}"].state for i in range(4)] == ["scored", "failed", "scored", "missing"]
    assert cells["u0"].row[0] == pytest.approx(1, abs=1e-6)
    assert 0 < cells["u2"].row[0] < 1 - 1e-4
    note = record.score("speaker_similarity").note  # four recordings of four speakers
    assert note.startswith("no anchors")
    prompted = record.score("speaker_similarity:reference=prompt").cells  # there are no prompts
    assert {c.state for c in prompted.values()} == {"unscorable"}
    assert prompted["u0"].reason == "there is no prompt"


def test_speakers_of_real_speech_are_kept_apart(real_speech):
    from metrics.observers._base import Clip
    from metrics.observers.resemblyzer import load as encoder

    files = sorted((real_speech / "LibriSpeech" / "test-other").rglob("*.flac"))[::3]
    clips = [Clip(soundfile.read(path, dtype="float32")[0][:80000]) for path in files]
    names = [path.parts[-3] for path in files]
    found = separation([o["embedding"] for o in encoder().observe(clips)], names)
    assert found.same > found.different + 0.15
    assert found.eer < 0.1
