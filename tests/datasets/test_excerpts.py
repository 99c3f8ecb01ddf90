"""The real corpora, as far as BENCH_TEST_DATA has them: excerpts in their own layouts."""

import pytest
import soundfile

from bench.datasets import _fetch
from bench.plugins import load


@pytest.fixture(autouse=True)
def data(real_speech, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(real_speech))


@pytest.mark.parametrize(
    ("spec", "utterances", "speakers", "texts"),
    [
        ("vctk", 11, 11, 11),
        ("vctk:split=heldout", 3, 3, 3),
        ("vctk:split=train", 8, 8, 8),
        ("librispeech", 50, 5, 50),
        ("librispeech:split=train-clean-100", 251, 251, 0),
        ("libritts:split=excerpt", 42, 36, 14),
        ("ljspeech", 32, 1, 8),
        ("voicebank_demand", 25, 2, 25),
    ],
)
def test_excerpt(spec, utterances, speakers, texts):
    got = load("datasets", spec)
    assert len(got.utterances) == len({u.id for u in got.utterances}) == utterances
    assert len({u.speaker for u in got.utterances}) == speakers
    assert sum(u.text is not None for u in got.utterances) == texts
    assert [u.speaker for u in got.utterances] == sorted(u.speaker for u in got.utterances)
    assert load("datasets", spec) == got
    assert not {"/", "\\"} & set("".join(u.id for u in got.utterances))
    for utterance in got.utterances[:3]:
        assert soundfile.info(utterance.audio).frames > 0


def test_a_second_manifest(real_speech):
    got = load("datasets", f"manifest:root={real_speech},path=vctk16k/manifest.jsonl")
    assert len(got.utterances) == 62
    assert len({u.speaker for u in got.utterances}) > 10


def test_check_calls_an_excerpt_an_excerpt():
    assert _fetch.check("vctk") == [
        "11 speakers; published: 110",
        "11 utterances; published: 44455",
    ]
    assert "50 recordings are at 16000 Hz; published: 48000 Hz" in "\n".join(
        _fetch.check("voicebank_demand")
    )
