import random

import jiwer
import numpy as np
import pytest

from metrics._base import Unscorable
from metrics.cer import character_errors, load
from metrics.wer import load as load_wer


def test_hand_worked():
    # "kitten" -> "sitting": k/s and e/i substituted, g inserted; N = 6.
    assert character_errors("sitting", "kitten") == (2, 1, 0, 6)
    # one space between words is a character: "a b" has three.
    assert character_errors("ab", " a  b ") == (0, 0, 1, 3)


def distance(estimate, reference):
    row = list(range(len(estimate) + 1))
    for i, want in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, got in enumerate(estimate, 1):
            best = min(row[j] + 1, row[j - 1] + 1, before + (want != got))
            before, row[j] = row[j], best
    return row[-1]


def test_against_jiwer_and_loops():
    rng = random.Random(3)  # noqa: S311 - not for secrets
    letters = ["a", "b", " ", "é", "你", "ा"]
    for _ in range(5000):
        reference = "".join(rng.choices(letters, k=rng.randint(1, 15))).strip() or "a"
        estimate = "".join(rng.choices(letters, k=rng.randint(0, 15)))
        got = character_errors(estimate, reference)
        plain = [" ".join(t.split()) for t in (estimate, reference)]
        theirs = jiwer.process_characters(plain[1], plain[0])
        assert got[:3] == (theirs.substitutions, theirs.insertions, theirs.deletions)
        assert sum(got[:3]) == distance(*plain)
        assert got.insertions - got.deletions == len(plain[0]) - len(plain[1])
        assert got.reference_words == len(plain[1])


def test_english_and_chinese():
    row = load().statistic(text="It's fine.", language="en", heard={"text": "it is fin"})
    assert row.tolist() == [0, 1, 0, 10]  # "it is fine" against "it is fin"
    facts = {"text": "今天天气很好。", "language": "zh", "heard": {"text": "今天 天汽好"}}
    chinese = load().statistic(**facts)
    assert chinese.tolist() == [1, 1, 0, 6]
    assert chinese.tolist() == load_wer().statistic(**facts).tolist()


def test_pooled_over_the_corpus_or_the_utterances():
    rows = np.array([[0.0, 0, 0, 9], [1, 0, 0, 1]])
    assert load().value(rows) == pytest.approx(10)
    assert load(average="utterance").value(np.array([[0.0], [100]])) == pytest.approx(50)


def test_nothing_to_say_is_unscorable():
    with pytest.raises(Unscorable, match="no words"):
        character_errors("a", " ")
    with pytest.raises(Unscorable, match="no words"):
        load().statistic(text="?", language="en", heard={"text": "a"})
    with pytest.raises(ValueError, match="cer: average"):
        load(average="x")


def test_declaration():
    metric = load()
    assert metric.title == "CER"
    assert load(of="ground_truth").title == "CER (ground truth)"
    assert metric.worst_row(text="a b", language="en") == (0, 3, 0, 3)
    assert metric.signature.startswith("cer|asr:faster_whisper:model=base|normaliser:whisper_")
    assert metric.spec == "cer"
