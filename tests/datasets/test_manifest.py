"""Manifests: every field in JSON Lines and in tables, every line that is no utterance."""

import dataclasses
import json

import pytest

from bench.datasets import manifest
from bench.datasets._base import Utterance
from bench.plugins import load

FULL = {
    "id": "naïve-日本語 1",
    "audio": "a/one.wav",
    "input": "a/noisy.flac",
    "text": "Ünïcode, with a comma; and more",
    "language": "de",
    "speaker": "s1",
    "prompt": "a/prompt.wav",
    "prompt_text": "said before",
    "style_prompt": "a/style.wav",
    "emotion": {"happy": 0.75, "calm": 0.25},
    "ratings": {"happy": 3, "calm": 1},
    "condition": "0 dB",
}
RECORDINGS = {FULL[key]: None for key in ("audio", "input", "prompt", "style_prompt")}
TABLE = {key: value for key, value in FULL.items() if key not in ("emotion", "ratings")}


def lines(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def table(*rows, delimiter=","):
    keys = list(dict.fromkeys(key for row in rows for key in row))
    quoted = [[f'"{row.get(key, "")}"' for key in keys] for row in rows]
    return "\n".join(delimiter.join(cells) for cells in [keys, *quoted]) + "\n"


def test_every_field_of_a_json_line(tree):
    root = tree({**RECORDINGS, "list.jsonl": lines(FULL)})
    (got,) = manifest.load(path=str(root / "list.jsonl")).utterances
    paths = {key: root / FULL[key] for key in ("audio", "input", "prompt", "style_prompt")}
    assert got == Utterance(**{**FULL, **paths})
    assert set(FULL) == {field.name for field in dataclasses.fields(Utterance)}


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
@pytest.mark.parametrize(
    ("emotion", "ratings"),
    [
        ("happy=0.75;calm=0.25", "happy=3; calm=1"),
        ('{""happy"": 0.75, ""calm"": 0.25}', '{""happy"": 3, ""calm"": 1}'),
    ],
)
def test_a_table_says_the_same_as_json_lines(tree, suffix, delimiter, emotion, ratings):
    row = {**TABLE, "emotion": emotion, "ratings": ratings}
    root = tree(
        {**RECORDINGS, "a.jsonl": lines(FULL), f"b{suffix}": table(row, delimiter=delimiter)}
    )
    assert manifest.read(root / f"b{suffix}") == manifest.read(root / "a.jsonl")


def test_an_empty_cell_is_a_field_not_given_and_a_bom_is_ignored(tree):
    root = tree({"b.csv": "\ufeffid,text,audio,language\nx,hello,,\n"})
    assert manifest.read(root / "b.csv") == (Utterance(id="x", text="hello"),)
    root = tree({"b.jsonl": '\n{"id": "x", "text": "hello", "audio": null}\n\n'})
    assert manifest.read(root / "b.jsonl") == (Utterance(id="x", text="hello"),)


def test_the_name_is_the_spec_without_its_root(tree):
    root = tree({"sub/list.jsonl": lines({"id": "x", "text": "t"})})
    by_root = load("datasets", f"manifest:root={root},path=sub/list.jsonl,licence=CC0")
    assert (by_root.name, by_root.licence) == ("manifest:path=sub/list.jsonl", "CC0")
    by_path = load("datasets", f"manifest:path={root}/sub/list.jsonl")
    assert (by_path.name, by_path.licence) == ("manifest:path=list.jsonl", "not stated")
    assert by_root.utterances == by_path.utterances


def test_absolute_paths_are_kept(tree):
    root = tree({"a.wav": None, "b.wav": None})
    root = tree({"m/list.jsonl": lines({"id": "x", "audio": str(root / "a.wav")})})
    assert manifest.read(root / "m/list.jsonl")[0].audio == root / "a.wav"


GOOD = {"id": "x", "text": "t"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (lines(GOOD) + "\n{oops\n", 3, "not JSON"),
        (lines(GOOD, ["id", "y"]), 2, "a JSON list; wanted an object"),
        (lines(GOOD, {"id": "y", "txt": "t"}), 2, "unknown field 'txt'; did you mean 'text'?"),
        (lines(GOOD, {"id": "y", "text": "t"}, GOOD), 3, "id 'x' is repeated; .* line 1"),
        (lines({"id": "x", "audio": "no.wav"}), 1, "audio 'no.wav' is missing: no file"),
        (lines({"id": "x", "text": "t", "prompt": "no.wav"}), 1, "prompt 'no.wav' is missing"),
        (lines({"text": "t"}), 1, "id is ''; wanted a name"),
        (lines({"id": "a/b", "text": "t"}), 1, "without slashes"),
        (lines({"id": 7, "text": "t"}), 1, "id is 7; wanted a string"),
        (lines({"id": "x"}), 1, "neither audio, input nor text"),
        (lines({**GOOD, "ratings": {"a": 1.5}}), 1, "whole numbers"),
        (lines({**GOOD, "ratings": {"a": True}}), 1, "whole numbers"),
        (lines({**GOOD, "emotion": {"a": -1}}), 1, "labels and numbers from 0"),
        (lines({**GOOD, "emotion": "happy"}), 1, "labels and numbers from 0"),
    ],
)
def test_a_line_that_is_no_utterance_is_named(tree, text, line, said):
    file = tree({"list.jsonl": text}) / "list.jsonl"
    with pytest.raises(ValueError, match=f"list.jsonl, line {line}: .*{said}"):
        manifest.read(file)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("id,text\nx,t\ny,t,more\n", 3, "more cells than the 2 of the header"),
        ("id,speeker,text\nx,s,t\n", 2, "unknown field 'speeker'; did you mean 'speaker'?"),
        ('id,text\nx,"a\nb"\nx,t\n', 4, "id 'x' is repeated; .* line 3"),
        ("id,text,ratings\nx,t,happy\n", 2, "label=1;label=2"),
        ("id,text,ratings\nx,t,happy=1.5\n", 2, "label=1;label=2"),
        ('id,text\nx,"a" b\n', 2, "not a table row"),
    ],
)
def test_a_row_that_is_no_utterance_is_named(tree, text, line, said):
    file = tree({"list.csv": text}) / "list.csv"
    with pytest.raises(ValueError, match=f"list.csv, line {line}: .*{said}"):
        manifest.read(file)


def test_what_is_no_manifest_at_all(tree, tmp_path):
    with pytest.raises(ValueError, match="manifest:path=FILE"):
        manifest.load()
    with pytest.raises(FileNotFoundError, match=r"no manifest .*none\.jsonl"):
        manifest.load(path=str(tmp_path / "none.jsonl"))
    with pytest.raises(ValueError, match="lists no utterance"):
        manifest.read(tree({"empty.jsonl": "\n"}) / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "\xe9", "text": "t"}\n')
    with pytest.raises(ValueError, match="is not UTF-8"):
        manifest.read(tmp_path / "latin.jsonl")
