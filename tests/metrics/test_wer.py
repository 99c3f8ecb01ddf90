import dataclasses
import itertools
import os
import random
import re
import sys
import types
from dataclasses import dataclass, replace
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
from material import write_manifest

from bench import plugins
from bench.cache import Cache
from bench.suite import Options, load_metrics, load_system, run, score_folder
from bench.totals import join
from metrics._base import Unscorable
from metrics.observers._base import SILENT, Observer
from metrics.wer import load, rate, word_errors


def test_hand_worked():
    # the cat sat on the mat today -> the hat uh sat on mat today: cat/hat S, uh I, the D; N = 7.
    got = word_errors("the hat uh sat on mat today", "the cat sat on the mat today")
    assert (got.substitutions, got.insertions, got.deletions) == (1, 1, 1)
    assert got.reference_words == 7
    assert rate(got) == pytest.approx(300 / 7)


def test_micro_and_macro():
    # Ten right words and one wrong word: 1 / 11 = 0.0909 over the corpus, (0 + 1) / 2 = 0.5 as the
    # mean of the utterances' rates.
    ten = "a b c d e f g h i j"
    facts = [(ten, ten), ("yes", "no")]
    values = {}
    for average in ("corpus", "utterance"):
        metric = load(average=average, normaliser="none")
        rows = [metric.statistic(text=t, language="en", heard={"text": h}) for t, h in facts]
        values[average] = metric.value(np.stack(rows))
    assert values["corpus"] == pytest.approx(100 / 11)
    assert values["utterance"] == pytest.approx(50)


def pairs(count):
    """Random and adversarial pairs of word lists."""
    rng = random.Random(5)  # noqa: S311 - not for secrets
    alphabets = ["ab", "abcdefgh", ["a", "aa", "aaa"], ["ü", "u", "U", "你好", "'", "-", "0", "O"]]
    fixed = [
        ("", "a"),
        ("a", "a"),
        ("b c", "a b"),
        ("a " * 200, "b"),
        ("b", "a " * 200),
        ("a b " * 50, "b a " * 50),
        ("a a a b", "a b a a"),
        ("x" * 1000, "x" * 999),
        ("one  two\tthree\nfour", " one two three four "),
        ("a b c d", "d c b a"),
    ]
    for estimate, reference in fixed:
        yield estimate.split(), reference.split()
    for _ in range(count - len(fixed)):
        words = rng.choice(alphabets)
        reference = [rng.choice(words) for _ in range(rng.randint(1, 12))]
        estimate = list(reference)
        for _ in range(rng.randint(0, 6)):
            at = rng.randint(0, len(estimate))
            change = rng.choice("sid")
            estimate[at : at + (change != "i")] = [rng.choice(words)] if change != "d" else []
        if rng.random() < 0.3:
            estimate = [rng.choice(words) for _ in range(rng.randint(0, 14))]
        yield estimate, reference


def attainable(estimate, reference):
    """Every (S, I, D) of an alignment that is cheapest, by loops over the definition."""
    table = [[{(0, 0, 0)}]]
    for j in range(1, len(estimate) + 1):
        table[0].append({(0, j, 0)})
    for i, want in enumerate(reference, 1):
        table.append([{(0, 0, i)}])
        for j, got in enumerate(estimate, 1):
            wrong = want != got
            found = {(s + wrong, n, d) for s, n, d in table[i - 1][j - 1]}
            found |= {(s, n + 1, d) for s, n, d in table[i][j - 1]}
            found |= {(s, n, d + 1) for s, n, d in table[i - 1][j]}
            least = min(map(sum, found))
            table[i].append({f for f in found if sum(f) == least})
    return table[-1][-1]


def test_five_thousand_pairs_against_jiwer_and_loops():
    alone = 0
    for estimate, reference in pairs(5000):
        got = word_errors(estimate, reference)
        theirs = jiwer.process_words(" ".join(reference), " ".join(estimate))
        assert got == (
            theirs.substitutions,
            theirs.insertions,
            theirs.deletions,
            len(reference),
        )
        assert got == word_errors(" ".join(estimate), "  ".join(reference))
        assert rate(got) == pytest.approx(100 * theirs.wer)
        if len(reference) * len(estimate) > 500:
            continue
        every = attainable(estimate, reference)
        assert got[:3] in every
        assert len({sum(s) for s in every}) == 1
        alone += len(every) == 1
    assert alone > 3000  # where the split is unique, it is that one


def test_the_error_counts_that_nist_published():
    """The first test of sclite: 51 sentences of CSR-NAB, 169 errors in 1406 words."""
    path = os.environ.get("BENCH_TEST_SCLITE")
    if not path:
        pytest.skip("BENCH_TEST_SCLITE is not set: test1.pra of github.com/usnistgov/SCTK")
    text = Path(path).read_text(encoding="latin-1")
    blocks = re.split(r"Scores: \(#C #S #D #I\) ", text)[1:]
    known = [tuple(map(int, b.split("\n", 1)[0].split()[1:])) for b in blocks]
    found = []
    for block in blocks:
        lines = (re.search(rf"^{side}:(.*)$", block, re.MULTILINE)[1] for side in ("HYP", "REF"))
        sides = ([w.lower() for w in line.split() if set(w) != {"*"}] for line in lines)
        found.append(word_errors(*sides))
    assert [sum(f[:3]) for f in found] == [sum(k) for k in known]
    assert sum(sum(k) for k in known) == 169
    assert sum(f.reference_words for f in found) == 1406
    other = [k for k, (s, i, d, _) in zip(known, found, strict=True) if k != (s, d, i)]
    assert len(other) == 1  # sclite counts a substitution 4, others 3: it splits one total anew


def test_swapping_trades_insertions_for_deletions():
    for estimate, reference in itertools.islice(pairs(400), 10, 400):
        if estimate:
            there, back = word_errors(estimate, reference), word_errors(reference, estimate)
            assert sum(there[:3]) == sum(back[:3])
            assert there.insertions - there.deletions == back.deletions - back.insertions


def test_words_are_words():
    assert word_errors([], ["a", "b"]) == (0, 0, 2, 2)
    assert word_errors("", "a b") == (0, 0, 2, 2)
    for bad in (["a b"], [""], ["a", "\t"]):
        with pytest.raises(ValueError, match="white space"):
            word_errors(bad, ["a"])
    for empty in ("", "  ", []):
        with pytest.raises(Unscorable, match="no words"):
            word_errors("a", empty)


def test_silence_and_nothing_are_all_words_deleted():
    for normaliser in ("whisper_english", "basic", "none"):
        metric = load(normaliser=normaliser)
        for heard in (SILENT, {"text": ""}, {"text": " \n"}):
            row = metric.statistic(text="Ten green bottles.", language="en", heard=heard)
            assert row.tolist() == [0, 3, 0, 3]
            assert metric.value(row[None]) == 100
    row = load(normaliser="basic").statistic("Ten green bottles.", "en", {"text": " ... "})
    assert row.tolist() == [0, 3, 0, 3]
    assert load(average="utterance").statistic("a b", "en", SILENT).tolist() == [100]


def test_rows_are_substituted_deleted_inserted_and_of_how_many():
    heard = {"text": "the hat sat down again"}
    row = load().statistic(text="the cat sat down on the mat", language="en", heard=heard)
    assert row.tolist() == [2, 2, 0, 7]


def test_what_cannot_be_scored():
    metric = load()
    for text in (None, "", " ", "(laughs)"):
        with pytest.raises(Unscorable, match="no words"):
            metric.statistic(text=text, language="en", heard={"text": "a"})
        assert metric.worst_row(text=text, language="en") is None
    heard = {"unheard": "pocketsphinx hears English only, and not hi"}
    with pytest.raises(Unscorable, match="hears English only, and not hi"):
        metric.statistic(text="a", language="hi", heard=heard)
    with pytest.raises(Unscorable, match="not fr"):
        load(normaliser="seed_tts").statistic(text="a", language="fr", heard={"text": "a"})
    truth = load(of="ground_truth")
    with pytest.raises(Unscorable, match="reference is silent"):
        truth.statistic(text="a", language="en", heard_reference=SILENT)


def test_the_worst_is_every_word_deleted():
    assert load().worst_row(text="one two, three", language="en", seconds=1.0) == (0, 1, 0, 1)
    plain = load(normaliser="basic")
    assert plain.worst_row(text="one two, three", language="en") == (0, 3, 0, 3)
    assert plain.worst_row(text="你好。", language="zh") == (0, 2, 0, 2)
    assert load(average="utterance").worst_row(text="a b", language="en") == (100,)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="average is corpus or utterance, got 'mean'"):
        load(average="mean")
    with pytest.raises(ValueError, match="of is output or ground_truth, got 'prompt'"):
        load(of="prompt")
    with pytest.raises(ValueError, match="no normaliser 'english'"):
        load(normaliser="english")


def test_declaration():
    metric = load()
    assert (metric.title, metric.unit, metric.better, metric.digits) == ("WER", "%", "lower", 2)
    assert load(average="utterance").title == "WER (mean of utterances)"
    assert load(of="ground_truth", average="utterance").title == (
        "WER (ground truth, mean of utterances)"
    )
    assert load(asr="whisper:model=tiny", normaliser="basic").title == "WER (whisper, basic)"
    assert load(asr="faster_whisper:model=large-v3").title == "WER"
    assert metric.needs == ("text", "language", "heard")
    assert load(of="ground_truth").needs == ("text", "language", "heard_reference")
    assert metric.listens == "asr"
    assert metric.spec == "wer"


def test_a_signature_has_the_normaliser_its_revision_and_its_package():
    signature = load().signature
    assert "|normaliser:whisper_english@1|" in signature
    assert "|whisper-normalizer:0." in signature
    assert "|jiwer:" in signature
    basic = load(normaliser="basic")
    assert "|normaliser:basic@1|" in basic.signature
    assert "whisper-normalizer" not in basic.signature
    assert basic.requires == ("jiwer",)
    assert load(normaliser="cocoemo").requires == ("jiwer", "word2num")


def test_the_paths_of_a_spec_come_back():
    (spec,) = plugins.split("wer:asr=faster_whisper,asr.model=/models/base,average=utterance")
    metric = plugins.load("metrics", spec)
    assert metric.asr == "faster_whisper:model=/models/base"
    assert plugins.load("metrics", metric.spec) == metric


CALLS = []


@dataclass(frozen=True)
class Clerk(Observer):
    """Hears the number of samples, as a word; English only."""

    name, kind, sample_rate, revision = "clerk", "words", 16000, 1
    asks = ("language",)

    def observe(self, batch):
        CALLS.append(len(batch))
        return [
            {"text": "A voice, please!"} if c.language == "en" else {"unheard": "English only"}
            for c in batch
        ]


@pytest.fixture
def _clerk(monkeypatch):
    CALLS.clear()
    module = types.ModuleType("observer_clerk")
    module.load = Clerk
    monkeypatch.setitem(sys.modules, "observer_clerk", module)
    plain = plugins.names
    monkeypatch.setattr(
        plugins,
        "names",
        lambda kind: plain(kind) | ({"clerk": "observer_clerk"} if kind == "observers" else {}),
    )
    monkeypatch.setattr(plugins, "lacking", lambda kind, spec: None)


@pytest.mark.usefixtures("_clerk")
def test_the_ground_truth_stands_beside_and_one_pass_serves_all(tiny, tmp_path):
    metrics = load_metrics(
        "wer:asr=clerk,wer:asr=clerk,of=ground_truth,wer:asr=clerk,normaliser=none,cer:asr=clerk"
    )
    record, _ = run(load_system("mu_law", "cpu"), tiny, metrics, Options(out=tmp_path))
    assert sum(CALLS) == 24  # twelve outputs, twelve references
    assert [s.n for s in record.scores] == [12] * 6  # and two further ground truths beside
    assert record.scores[0].signature.startswith("wer|asr:clerk(r=1)|")
    assert record.scores[0].cells == record.scores[1].cells


@pytest.mark.usefixtures("_clerk")
def test_a_missing_output_counts_as_all_its_words_deleted(tmp_path):
    manifest = write_manifest(tmp_path / "data", count=4)
    texts = ["a voice please", "one word more", "so", "a b c d e"]
    data = plugins.load("datasets", f"manifest:path={manifest}")
    data = replace(
        data,
        utterances=tuple(replace(u, text=t) for u, t in zip(data.utterances, texts, strict=True)),
    )
    out = tmp_path / "out"
    out.mkdir()
    soundfile.write(out / "u0.wav", np.full(8000, 0.1), 16000)
    soundfile.write(out / "u1.wav", np.zeros(8000), 16000)  # silent; u2 and u3 are missing
    values = {}
    for policy in ("exclude", "worst"):
        options = Options(out=tmp_path / policy, policy=policy)
        metrics = load_metrics("wer:asr=clerk,normaliser=basic")
        record, _ = score_folder(out, data, metrics, options)
        score = record.scores[0]
        values[policy] = score.value
        assert score.coverage == pytest.approx(0.5)
        assert [score.cells[f"u{i}"].state for i in range(4)] == [
            *("scored", "scored", "missing", "missing")
        ]
    assert values["exclude"] == pytest.approx(100 * 3 / 6)  # of 3 + 3 words the silent 3
    assert values["worst"] == pytest.approx(100 * (3 + 1 + 5) / 12)


@pytest.mark.usefixtures("_clerk")
def test_shards_joined_remember_what_was_missing(tmp_path):
    manifest = write_manifest(tmp_path / "data", count=6)
    data = plugins.load("datasets", f"manifest:path={manifest}")
    out = tmp_path / "out"
    out.mkdir()
    soundfile.write(out / "u0.wav", np.full(8000, 0.1), 16000)

    def scored(part):
        options = Options(out=tmp_path / "runs", policy="worst", cache=tmp_path / "cache")
        return score_folder(out, part, load_metrics("wer:asr=clerk"), options)[0]

    whole = scored(data)
    parts = [dataclasses.replace(scored(data.shard(i, 2)), card=whole.card) for i in (1, 2)]
    with Cache(tmp_path / "cache") as cache:
        (joined,) = join(parts, cache)
    assert whole.scores[0].n == joined.scores[0].n == 6
    assert whole.scores[0].value == joined.scores[0].value == pytest.approx(100 * (5 + 3) / 6)


@pytest.mark.usefixtures("_clerk")
def test_a_language_the_recogniser_does_not_know_is_left_out(tiny, tmp_path):
    some = tuple(
        replace(u, text="a voice please", language="hi" if i % 3 == 0 else "en")
        for i, u in enumerate(tiny.utterances)
    )
    metrics = load_metrics("wer:asr=clerk")
    data = replace(tiny, utterances=some)
    record, _ = run(load_system("mu_law", "cpu"), data, metrics, Options(out=tmp_path))
    assert record.scores[0].states["unscorable"] == 4
    assert record.scores[0].coverage == 1
    assert record.scores[0].value == 0


def test_the_ground_truth_stands_beside(monkeypatch):
    from bench import suite

    monkeypatch.setattr(suite, "_bound", lambda metric: metric)
    specs = [m.spec for m in suite.load_metrics("wer,cer:normaliser=none")]
    assert specs == [
        "wer",
        "wer:of=ground_truth",
        "cer:normaliser=none",
        "cer:normaliser=none,of=ground_truth",
    ]
    assert [m.spec for m in suite.load_metrics("wer:of=ground_truth")] == ["wer:of=ground_truth"]
    both = [m.spec for m in suite.load_metrics("wer,wer:of=ground_truth")]
    assert both == ["wer", "wer:of=ground_truth"]
