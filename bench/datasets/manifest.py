"""Any list of utterances: JSON Lines or CSV, one utterance a line.

Spec: ``manifest:path=FILE`` or ``manifest:root=FOLDER,path=FILE`` (relative to the folder).
Format: ``.jsonl`` holds an object a line, ``.csv`` (comma) and ``.tsv`` (tab) a header line and a
row a line; UTF-8. The keys are the fields of `Utterance`: id, audio, input, text, language,
speaker, prompt, prompt_text, style_prompt, emotion, ratings, condition. Only ``id`` is required,
and one of audio, input and text. Recordings are paths, relative to the manifest's folder or
absolute. ``emotion`` (label to share) and ``ratings`` (label to votes) are objects; in a table, a
JSON object or ``label=3;label=1``. An empty cell, or null, is a field not given.
Licence: unknown to this file; say it with ``licence=...``.
Known holes: none are let through. A line that is no utterance stops the reading, with its number.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.datasets._base import RECORDINGS, Dataset, Utterance, root_of
from bench.plugins import nearest

FIELDS = tuple(field.name for field in fields(Utterance))
NUMBERS = ("emotion", "ratings")  # fields that map a label to a number
TABLES = {".csv": ",", ".tsv": "\t"}  # suffix -> delimiter; anything else is JSON Lines


def load(root: str | None = None, path: str = "", licence: str = "not stated") -> Dataset:
    """Return the utterances of a manifest, in its order.

    Args:
        root: folder that `path` is relative to; left out of the data set's name.
        path: the manifest.
        licence: of the audio, as the tables will state it.

    Raises:
        ValueError: no path; a line that is no utterance, an unknown field, a repeated id, a missing
            recording (the message names file and line).
        FileNotFoundError: no such folder or manifest.
    """
    if not path:
        message = "manifest needs the file that lists the utterances: manifest:path=FILE"
        raise ValueError(message)
    file = Path(root_of(root, "") if root else "", str(path)).expanduser()
    utterances = read(file)
    name = str(path) if root else file.name
    return Dataset(f"manifest:path={name}", str(licence), utterances)


def read(file: Path) -> tuple[Utterance, ...]:
    """Return the utterances that a manifest lists.

    Raises:
        ValueError: as `load`.
        FileNotFoundError: no such manifest.
    """
    if not file.is_file():
        message = f"no manifest {file}; wanted a .jsonl, .csv or .tsv file"
        raise FileNotFoundError(message)
    folder = str(file.parent)
    table = file.suffix.lower() in TABLES
    found: dict[str, Utterance] = {}
    lines: dict[str, int] = {}
    number = 0
    try:
        for number, row in _rows(file):
            utterance = _utterance(row, folder, table=table)
            if utterance.id in found:
                message = f"id {utterance.id!r} is repeated; it is already on line "
                message += str(lines[utterance.id])
                raise ValueError(message)
            found[utterance.id] = utterance
            lines[utterance.id] = number
    except UnicodeDecodeError as error:
        message = f"{file} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8"
        raise ValueError(message) from error
    except _Bad as error:
        message = f"{file}, line {error.line}: {error}"
        raise ValueError(message) from error
    except ValueError as error:
        message = f"{file}, line {number}: {error}"
        raise ValueError(message) from error
    if not found:
        message = f"{file} lists no utterance; is it the right file?"
        raise ValueError(message)
    return tuple(found.values())


class _Bad(ValueError):
    """A line that cannot be parsed at all; `line` is its number."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        if delimiter := TABLES.get(file.suffix.lower()):
            reader = csv.DictReader(lines, delimiter=delimiter, restkey="", strict=True)
            while True:
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    message = f"not a table row ({error})"
                    raise _Bad(message, reader.reader.line_num) from error
                if "" in row:
                    message = f"more cells than the {len(reader.fieldnames or ())} of the header"
                    raise _Bad(message, reader.line_num)
                yield reader.line_num, {key: value for key, value in row.items() if value}
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, _object(line, number)


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        message = f"not JSON ({error.msg} at column {error.colno}); wanted one object a line"
        raise _Bad(message, number) from error
    if not isinstance(row, dict):
        message = f"a JSON {type(row).__name__}; wanted an object with the fields of an utterance"
        raise _Bad(message, number)
    return {key: value for key, value in row.items() if value is not None}


def _utterance(row: Mapping[str, Any], folder: str, *, table: bool) -> Utterance:
    given: dict[str, Any] = {}
    for key, value in row.items():
        if key not in FIELDS:
            message = f"unknown field {key!r}{nearest(key, FIELDS)} Known: {', '.join(FIELDS)}"
            raise ValueError(message)
        if key in NUMBERS:
            given[key] = _numbers(key, value, table=table)
        elif not isinstance(value, str):
            message = f"{key} is {value!r}; wanted a string in quotes"
            raise ValueError(message)
        elif key in RECORDINGS:
            path = os.path.join(folder, value)
            if not os.path.isfile(path):
                message = f"{key} {value!r} is missing: no file {path}"
                raise ValueError(message)
            given[key] = Path(path)
        else:
            given[key] = value
    name = given.get("id", "")
    if not name or "/" in name or "\\" in name or name in {".", ".."}:
        message = f"id is {name!r}; wanted a name without slashes: outputs are named <id>.wav"
        raise ValueError(message)
    if not given.keys() & {"audio", "input", "text"}:
        message = f"utterance {name!r} has neither audio, input nor text: nothing to do with it"
        raise ValueError(message)
    return Utterance(**given)


def _numbers(key: str, value: Any, *, table: bool) -> dict[str, float]:
    """Return label -> number from an object, or from the text of a table's cell."""
    pairs = _cell(key, value) if table and isinstance(value, str) else value
    whole = key == "ratings"
    good = isinstance(pairs, dict) and all(
        isinstance(n, (int,) if whole else (int, float)) and not isinstance(n, bool) and n >= 0
        for n in pairs.values()
    )
    if not good:
        kind = "whole numbers" if whole else "numbers"
        wanted = f"an object of labels and {kind} from 0"
        if table:
            wanted += ', as {"label": 1} or label=1;label=2'
        message = f"{key} is {value!r}; wanted {wanted}"
        raise ValueError(message)
    return dict(pairs)


def _cell(key: str, cell: str) -> Any:
    try:
        if cell.lstrip().startswith("{"):
            return json.loads(cell)
        pairs = (piece.rpartition("=") for piece in cell.split(";") if piece.strip())
        number = int if key == "ratings" else float
        return {label.strip(): number(value) for label, _, value in pairs}
    except ValueError:
        return None
