"""Bring a corpus from its official place, and say what a corpus folder is short of.

A download goes on where it was cut (HTTP Range on ``<archive>.part``), is checked against the
published SHA-256, and only then unpacked; nothing in an archive is written outside the corpus
folder. ``.bench/<archive>.json`` in that folder records what was unpacked: a second call does
nothing. A place that publishes no checksum is trusted once: the one seen is recorded there.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import os
import shutil
import stat
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import IO, Any

from bench.datasets._base import Dataset, Utterance
from bench.datasets._corpus import Archive, Size
from bench.plugins import Unavailable, UnknownName, load, names, nearest

CHUNK = 1 << 20  # bytes
TIMEOUT = 60.0  # seconds without a byte
RECORDS = ".bench"  # folder of the records and the downloads, in the corpus's own
SHOWN = 3  # examples in a message

Step = Callable[[int], None]  # called with the bytes done since the last call


class FetchError(Unavailable):
    """A download that did not come through, or is not what was published."""


def get(spec: str, root: str | Path | None = None, *, progress: bool = True) -> Path:
    """Return the folder of a corpus, downloaded and unpacked if it was not there.

    Args:
        spec: a data set, with its split where archives are per split:
            "librispeech:split=test-clean".
        root: the corpus folder itself; else ``$BENCH_DATA/<usual folder name>``.
        progress: draw bars on stderr, if that is a terminal.

    Raises:
        UnknownName: no built-in data set of this name.
        ValueError: a data set without an official place, or without this split.
        FetchError: no connection, a cut download (repeat the call to go on), a wrong checksum, an
            archive that wants to write elsewhere.
    """
    module, parameters = _module(spec)
    if not hasattr(module, "ARCHIVES"):
        return _shipped(module, spec)
    folder = _folder(module, root or parameters.get("root"))
    archives = _archives(module, spec, parameters)
    records = folder / RECORDS
    wanted = [a for a in archives if not _unpacked(_record(records, a), folder)]
    if not wanted or not _shortfall(module, spec, folder):
        return folder
    records.mkdir(parents=True, exist_ok=True)
    with _bars(progress) as bar:
        for archive in wanted:
            file = records / _name(archive)
            if not file.exists():
                _download(archive, file, bar)
            digest = _verified(archive, file, bar)
            paths = _unpack(file, folder, module.FOLDER, bar)
            record = {
                "url": archive.url,
                "sha256": digest,
                "published": archive.sha256 is not None,
                "bytes": file.stat().st_size,
                "files": len(paths),
                "first": paths[0],
                "last": paths[-1],
            }
            text = json.dumps(record, indent=1, ensure_ascii=False)
            _record(records, archive).write_text(text + "\n", encoding="utf-8")
            file.unlink()
    return folder


def check(spec: str, root: str | Path | None = None, *, progress: bool = True) -> list[str]:
    """Return what is wrong with a corpus folder, a line each; none for a complete one.

    Looks at the published number of speakers and utterances, at texts, and at the header of every
    recording (readable, not empty, mono, at the published rate). No audio is decoded.

    Args:
        spec: a data set, with its split.
        root: the corpus folder itself; else ``$BENCH_DATA/<usual folder name>``.
        progress: draw a bar on stderr, if that is a terminal.

    Raises:
        UnknownName: no built-in data set of this name.
    """
    module, _ = _module(spec)
    try:
        dataset = _load(spec, root)
    except (ValueError, FileNotFoundError) as error:
        return [str(error)]
    size: Size | None = module.SIZES.get(dataset.name) if hasattr(module, "SIZES") else None
    problems = _count(dataset, size) if size else []
    silent = [u.id for u in dataset.utterances if u.text is None and not _known(module, u)]
    if silent:
        problems.append(f"{len(silent)} utterances have no text: {_some(silent)}")
    return problems + _headers(dataset, size, progress=progress)


def sources(spec: str) -> tuple[Archive, ...]:
    """Return what `get` would download for a spec, none for a data set without an official place.

    Raises:
        UnknownName: no built-in data set of this name.
        ValueError: no such split.
    """
    module, parameters = _module(spec)
    return _archives(module, spec, parameters) if hasattr(module, "ARCHIVES") else ()


# -- the data set's own module -------------------------------------------------------------------


def _module(spec: str) -> tuple[Any, dict[str, str]]:
    name, _, rest = spec.partition(":")
    known = names("datasets")
    if name not in known:
        message = f"unknown dataset {name!r}{nearest(name, known)} Known: {', '.join(known)}"
        raise UnknownName(message)
    pairs = (piece.partition("=") for piece in rest.split(",") if piece)
    return importlib.import_module(known[name].partition(":")[0]), {k: v for k, _, v in pairs}


def _load(spec: str, root: str | Path | None) -> Dataset:
    given = {} if root is None else {"root": str(root)}
    dataset: Dataset = load("datasets", spec, **given)
    return dataset


def _folder(module: Any, root: str | Path | None) -> Path:
    if root:
        return Path(root).expanduser()
    return Path(os.environ.get("BENCH_DATA", "."), module.FOLDER)


def _archives(module: Any, spec: str, parameters: dict[str, str]) -> tuple[Archive, ...]:
    archives: dict[str, tuple[Archive, ...]] = module.ARCHIVES
    if "" in archives:
        return archives[""]
    split = parameters.get("split") or inspect.signature(module.load).parameters["split"].default
    if split in archives:
        return archives[split]
    message = f"{spec.partition(':')[0]} publishes no split {split!r}{nearest(split, archives)}"
    message += f" It has: {', '.join(archives)}"
    raise ValueError(message)


def _shipped(module: Any, spec: str) -> Path:
    if hasattr(module, "HERE"):
        here: Path = module.HERE
        return here
    message = f"{spec!r} has no official place to download from; it reads files that you have"
    raise ValueError(message)


def _shortfall(module: Any, spec: str, folder: Path) -> bool:
    """Return whether fewer utterances are there than were published."""
    try:
        dataset = _load(spec, folder)
    except (ValueError, FileNotFoundError):
        return True
    size = module.SIZES.get(dataset.name)
    return size is None or len(dataset.utterances) < size.utterances


def _known(module: Any, utterance: Utterance) -> bool:
    return utterance.speaker in getattr(module, "WITHOUT_TEXT", ())


# -- checks --------------------------------------------------------------------------------------


def _count(dataset: Dataset, size: Size) -> list[str]:
    found = len({u.speaker for u in dataset.utterances}), len(dataset.utterances)
    pairs = zip(("speakers", "utterances"), found, (size.speakers, size.utterances), strict=True)
    return [f"{there} {what}; published: {said}" for what, there, said in pairs if there != said]


def _headers(dataset: Dataset, size: Size | None, *, progress: bool) -> list[str]:
    import soundfile

    bad: list[str] = []
    rates: Counter[int] = Counter()
    wide: list[str] = []
    files = [f for u in dataset.utterances for f in (u.audio, u.input) if f is not None]
    with _bars(progress, bytewise=False) as bar:
        step = bar("headers", len(files))
        for file in files:
            step(1)
            try:
                info = soundfile.info(file)
            except (soundfile.LibsndfileError, OSError) as error:
                bad.append(f"unreadable: {file} ({error})")
                continue
            if not info.frames:
                bad.append(f"empty: {file}")
            if info.channels != 1:
                wide.append(str(file))
            rates[info.samplerate] += 1
    if wide:
        bad.append(f"{len(wide)} recordings are not mono: {_some(wide)}")
    for rate, count in sorted(rates.items()):
        if size and rate != size.sample_rate:
            bad.append(
                f"{count} recordings are at {rate} Hz; published: {size.sample_rate} Hz"
                " (a resampled copy?)"
            )
    return bad


def _some(items: list[str]) -> str:
    return ", ".join(items[:SHOWN]) + (", ..." if len(items) > SHOWN else "")


# -- download ------------------------------------------------------------------------------------


@dataclass
class _Part:
    """A download under way: the bytes so far, and the server's name for their version."""

    file: Path

    @property
    def have(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    @property
    def tag(self) -> str:
        note = self.file.with_suffix(".tag")
        return note.read_text(encoding="utf-8") if note.exists() else ""

    def start(self, tag: str) -> None:
        self.file.write_bytes(b"")
        self.file.with_suffix(".tag").write_text(tag, encoding="utf-8")

    def drop(self) -> None:
        self.file.unlink(missing_ok=True)
        self.file.with_suffix(".tag").unlink(missing_ok=True)


def _download(archive: Archive, file: Path, bar: _Bar) -> None:
    """Fetch to ``<file>.part``, going on as long as each try brings bytes; then rename it."""
    part = _Part(file.with_name(file.name + ".part"))
    step: Step | None = None
    while True:
        before = part.have
        reason = "the connection ended early"
        total: int | None = None
        try:
            with _open(archive.url, part) as answer:
                total = _begin(answer, part)
                _space(file.parent, total, part.have)
                if step is None:
                    step = bar(file.name, total)
                    step(part.have)
                with part.file.open("ab") as out:
                    _copy(answer, out, step)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and before:  # nothing follows what is there
                size = error.headers.get("Content-Range", "").rpartition("/")[2]
                if size in {"*", "", str(before)}:
                    break
                part.drop()
                continue
            message = f"{archive.url}: the server answers {error.code} {error.reason}"
            raise FetchError(message) from error
        except (OSError, HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        else:
            if total is None:  # a server that does not say how much comes
                break
        if total is not None and part.have >= total:
            break
        if part.have <= before:
            said = f"{part.have} of {total}" if total is not None else str(part.have)
            message = f"{archive.url}: {reason}; {said} bytes are kept: repeat the command to go on"
            raise FetchError(message)
    part.file.replace(file)
    part.drop()


def _open(url: str, part: _Part) -> HTTPResponse:
    if not url.startswith(("https://", "http://")):
        message = f"{url}: wanted an http or https address"
        raise FetchError(message)
    headers = {"User-Agent": _agent(), "Accept-Encoding": "identity"}
    if part.have:
        headers["Range"] = f"bytes={part.have}-"
        if part.tag:
            headers["If-Range"] = part.tag
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (checked above)
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
    return answer


def _begin(answer: HTTPResponse, part: _Part) -> int | None:
    """Return the total size if the server says it; begin anew where it sends the whole."""
    length = answer.headers.get("Content-Length")
    if answer.status == 206:
        _, _, total = answer.headers.get("Content-Range", "").rpartition("/")
        return int(total) if total.isdecimal() else None
    if answer.headers.get_content_type() == "text/html":
        message = f"{answer.url}: a web page came instead of the archive; has it moved?"
        raise FetchError(message)
    tag = answer.headers.get("ETag", "")
    part.start("" if tag.startswith("W/") else tag or answer.headers.get("Last-Modified", ""))
    return int(length) if length else None


def _space(folder: Path, total: int | None, have: int) -> None:
    free = shutil.disk_usage(folder).free
    if total is not None and total - have > free:
        message = f"{folder} has {free / 1e9:.1f} GB free; the download needs "
        message += f"{(total - have) / 1e9:.1f} GB more, and the unpacked corpus as much again"
        raise FetchError(message)


def _verified(archive: Archive, file: Path, bar: _Bar) -> str:
    """Return the SHA-256 of a download; one that is not the published one is deleted."""
    digest = hashlib.sha256()
    step = bar(f"verify {file.name}", file.stat().st_size)
    with file.open("rb") as data:
        while chunk := data.read(CHUNK):
            digest.update(chunk)
            step(len(chunk))
    seen = digest.hexdigest()
    if archive.sha256 is not None and seen != archive.sha256:
        file.unlink()
        message = f"{archive.url}: SHA-256 is {seen}; published: {archive.sha256}. The download is "
        message += "deleted: it was damaged on the way, or the archive was changed"
        raise FetchError(message)
    return seen


# -- unpacking -----------------------------------------------------------------------------------


def _unpack(file: Path, folder: Path, strip: str, bar: _Bar) -> list[str]:
    """Write an archive's files under `folder`, without a leading ``<strip>/``; return their paths.

    Raises:
        FetchError: not an archive, or one with a path or a link that leads elsewhere.
    """
    try:
        unpack = _unzip if zipfile.is_zipfile(file) else _untar
        paths = sorted(unpack(file, folder, strip, bar))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        message = f"{file.name} was not unpacked: {error}"
        raise FetchError(message) from error
    if not paths:
        message = f"{file.name} holds no file"
        raise FetchError(message)
    return paths


def _untar(file: Path, folder: Path, strip: str, bar: _Bar) -> Iterator[str]:
    step = bar(f"unpack {file.name}", None)
    with tarfile.open(file, "r:*") as archive:
        for member in archive:
            name = _inside(member.name, strip)
            if name and not member.isdir():
                archive.extract(member.replace(name=name, deep=False), folder, filter="data")
                step(member.size)
                yield name


def _unzip(file: Path, folder: Path, strip: str, bar: _Bar) -> Iterator[str]:
    with zipfile.ZipFile(file) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        step = bar(f"unpack {file.name}", sum(m.file_size for m in members))
        for member in members:
            name = _inside(member.filename, strip)
            if stat.S_ISLNK(member.external_attr >> 16):
                message = f"{member.filename!r} is a link"
                raise zipfile.BadZipFile(message)
            if name:
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as data, target.open("wb") as out:
                    _copy(data, out, step)
                yield name


def _inside(name: str, strip: str) -> str:
    """Return a member's path without the corpus's own folder, or nothing for what is no data.

    Raises:
        FetchError: an absolute path, or one with ``..``.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        message = f"the archive wants to write to {name!r}, outside its folder; refused"
        raise FetchError(message)
    parts = path.parts[1:] if path.parts[:1] == (strip,) else path.parts
    if not parts or parts[0] in {"__MACOSX", RECORDS} or parts[-1] == ".DS_Store":
        return ""
    return str(PurePosixPath(*parts))


def _unpacked(record: Path, folder: Path) -> bool:
    """Return whether an archive's files were all written here, and the first and last still are."""
    if not record.is_file():
        return False
    held = json.loads(record.read_text(encoding="utf-8"))
    return all((folder / held[key]).exists() for key in ("first", "last"))


def _record(records: Path, archive: Archive) -> Path:
    return records / f"{_name(archive)}.json"


def _name(archive: Archive) -> str:
    return archive.url.partition("?")[0].rpartition("/")[2]


def _copy(source: IO[bytes] | HTTPResponse, target: IO[bytes], step: Step) -> None:
    while chunk := source.read(CHUNK):
        target.write(chunk)
        step(len(chunk))


def _agent() -> str:
    try:
        return f"speech-bench/{version('speech-bench')}"
    except PackageNotFoundError:
        return "speech-bench"


# -- bars ----------------------------------------------------------------------------------------


class _Bar:
    """Starts one bar a call; the bars are drawn by `_bars`."""

    def __init__(self, drawn: Any) -> None:
        self.drawn = drawn

    def __call__(self, what: str, total: int | None) -> Step:
        if self.drawn is None:
            return lambda _: None
        task = self.drawn.add_task(what, total=total)
        return lambda done: self.drawn.advance(task, done)


@contextmanager
def _bars(progress: bool, *, bytewise: bool = True) -> Iterator[_Bar]:
    """Draw bars with rate and remaining time on stderr, if it is a terminal."""
    if not (progress and sys.stderr.isatty()):
        yield _Bar(None)
        return
    from rich import progress as rich
    from rich.console import Console

    measured = (rich.DownloadColumn(), rich.TransferSpeedColumn())
    columns = measured if bytewise else (rich.MofNCompleteColumn(),)
    with rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        *columns,
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as drawn:
        yield _Bar(drawn)
