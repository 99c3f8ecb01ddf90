# ruff: noqa: RUF001 - punctuation of several scripts is the subject
import json
import random
import string
import unicodedata
from pathlib import Path

import pytest

from metrics import _normalise
from metrics._base import Unscorable
from metrics._normalise import NORMALISERS, primary, rules, spaced, words

ENGLISH = [
    *("Mr. Mrs Dr. St. kinda 'cause cause dunno sorta won't gonna uh hmm [noise] (laughs)").split(),
    *("colour grey theatre naïve œuvre café it's he's I've y'all don't o'clock").split(),
    *("zero oh one two seven ten eleven twenty fifty hundred thousand million and a half").split(),
    *("double triple minus plus point percent dollars cents first 274th 1960s 007 10,000").split(),
    *("$20 £3.50 50% 3.14 12.5 1,234 . , ! ? - … ’ “quoted” the dog of in").split(),
]


def sentences(count, seed):
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    for _ in range(count):
        yield " ".join(rng.choice(ENGLISH) for _ in range(rng.randint(0, 9)))


def test_traps_of_digits():
    # Measured: one spelling of a number loses its zeros, the other keeps them.
    assert words("007") == ["7"]
    assert words("zero zero seven") == ["007"]
    assert words("007", normaliser="basic") == ["007"]
    assert words("zero zero seven", normaliser="basic") == ["zero", "zero", "seven"]
    assert words("007", normaliser="cocoemo") == ["007"]
    assert words("zero zero seven", normaliser="cocoemo") == ["0", "0", "7"]
    assert words("twenty-five") == words("25") == ["25"]


@pytest.mark.filterwarnings(  # it leaves its table of spellings open
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed file:ResourceWarning"
)
def test_english_is_as_openai_whisper_has_it():
    found = pytest.importorskip("whisper.normalizers", reason="needs openai-whisper to compare")
    theirs = found.EnglishTextNormalizer()
    for text in [*sentences(3000, 1), *string.printable, "", "\u00a0x\u3000y"]:
        assert words(text) == theirs(text).split(), text


def test_english_by_hand():
    text = "Mr. Hale won't  pay £20, um, for the COLOUR (sic)!"
    assert words(text) == "mister hale will not pay £20 for the color".split()
    assert words("kinda") == ["kinda"]  # whisper-normalizer alone would make two words of it
    assert words("O'Neil")[0] == "0"  # a trap of the original: a lone o is read as a zero


def test_other_languages_go_through_basic():
    for language, text in (("de", "Größe, 7!"), ("hi", "नमस्ते, दुनिया।"), ("zh-CN", "你好，世界。")):
        assert words(text, language) == words(text, language, normaliser="basic")
    assert words("Größe, 7!", "de") == ["größe", "7"]


def test_basic_by_hand():
    got = words("Don\u2019t 'quote' me — “ever”: ﬁve_six ＡＢ x²", normaliser="basic")
    assert got == ["don't", "quote", "me", "ever", "five", "six", "ab", "x2"]
    assert words("क्या हुआ?", "hi", normaliser="basic") == ["क्या", "हुआ"]  # the vowel signs stay
    assert words("", normaliser="basic") == words(" …! ", normaliser="basic") == []
    assert words("zero\u200bwidth", normaliser="basic") == ["zerowidth"]


@pytest.mark.parametrize("normaliser", ["basic", "whisper_english", "none"])
def test_characters_where_words_have_no_spaces(normaliser):
    assert words("你好 世界", "zh", normaliser=normaliser) == ["你", "好", "世", "界"]
    thai = words("กินข้าว", "th", normaliser=normaliser)
    assert "".join(thai) == "กินข้าว"
    assert not any(unicodedata.combining(cluster[0]) for cluster in thai)
    assert words("안녕 하세요", "ko", normaliser=normaliser) == ["안녕", "하세요"]


def test_none_does_nothing():
    assert words(" Don't,  STOP! ", normaliser="none") == ["Don't,", "STOP!"]


def test_seed_tts_by_hand():
    assert words("Well-known 'A', it's 5%.", normaliser="seed_tts") == [
        "wellknown",
        "'a'",
        "it's",
        "5",
    ]
    assert words("你好，“世界”。 A", "zh", normaliser="seed_tts") == ["你", "好", "世", "界", "A"]
    with pytest.raises(Unscorable, match="not fr"):
        words("bonjour", "fr", normaliser="seed_tts")


def test_seed_tts_punctuation_is_zhon_s():
    hanzi = pytest.importorskip("zhon.hanzi", reason="needs zhon 2.1.1 to compare")
    assert set(hanzi.punctuation) == _normalise._CHINESE


def test_cocoemo_by_hand():
    pytest.importorskip("word2num", reason="needs word2num: pip install 'speech-bench[asr]'")
    assert words("It's Twenty-Five, at 10,000!", normaliser="cocoemo") == [
        "it",
        "s",
        "25",
        "at10000",
    ]
    assert words("one two", normaliser="cocoemo") == ["1", "2"]
    assert words("one hundred and five dogs", normaliser="cocoemo") == ["105", "dogs"]
    assert words("a hundred", normaliser="cocoemo") == ["a", "0"]  # its slip
    assert words("5,000.25", normaliser="cocoemo") == ["5000", "25"]


def test_cocoemo_as_released():
    """Values of the authors' own code."""
    pytest.importorskip("word2num", reason="needs word2num: pip install 'speech-bench[asr]'")
    path = Path(__file__).parent / "fixtures" / "normalise_cocoemo.json"
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        assert words(case["text"], normaliser="cocoemo") == case["words"], case["text"]


def test_a_second_time_changes_nothing():
    for text in sentences(300, 2):
        once = " ".join(words(text, normaliser="basic"))
        assert words(once, normaliser="basic") == once.split()


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no normaliser 'whisper'; known: whisper_english, basic"):
        words("a", normaliser="whisper")


def test_every_normaliser_has_a_revision_and_is_described():
    for name, made in NORMALISERS.items():
        assert made.revision >= 1
        assert f"``{name}``" in _normalise.__doc__
        assert rules(name) is made


def test_tags_of_languages():
    assert [primary(t) for t in ("en", "en-GB", "zh_Hans", "PT-br")] == ["en", "en", "zh", "pt"]
    assert [spaced(t) for t in ("en", "zh-TW", "ja", "ko", "hi")] == [
        True,
        False,
        False,
        True,
        True,
    ]
