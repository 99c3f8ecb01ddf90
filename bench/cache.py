"""Content-addressed store of outputs and scores, shared safely by several processes.

A key is a digest of everything that can change the value behind it, so nothing is ever stale and
nothing has to be invalidated. SQLite in write-ahead mode holds the small things; audio lies beside
it as files named by their own digest, and is believed only while its bytes still have that digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs

from bench.audio import whole

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files
 (path TEXT PRIMARY KEY, size INT, changed INT, inode INT, sha TEXT);
CREATE TABLE IF NOT EXISTS outputs (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS observations (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS scores (key TEXT PRIMARY KEY, value TEXT);
"""
_RACY_NS = 2_000_000_000  # a file changed this recently may change again within one clock tick
_VERSION = 1


def home() -> Path:
    """Return ``$BENCH_CACHE``, or the user's cache folder for this program."""
    return Path(os.environ.get("BENCH_CACHE") or platformdirs.user_cache_path("speech-bench"))


def digest(*causes: object) -> str:
    """Return 32 hex digits of `causes` (JSON values, in order)."""
    text = json.dumps(causes, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """Return ``sha256`` of a file's bytes, in hex."""
    running = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            running.update(block)
    return running.hexdigest()


class Cache:
    """The store. Use as a context manager; writes are gathered and reach the disk every second."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder or home()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.folder / f"cache-{_VERSION}.sqlite", timeout=60)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        tables = ("files", "outputs", "observations", "scores")
        self._pending: dict[str, dict[str, tuple]] = {table: {} for table in tables}
        self._flushed = time.monotonic()

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        self._db.close()

    def get(self, table: str, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values of those `keys` that are known, by key."""
        found: dict[str, Any] = {}
        for at in range(0, len(keys), 900):
            part = keys[at : at + 900]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, value FROM {table} WHERE key IN ({marks})"  # noqa: S608 - our names
            found |= {key: json.loads(value) for key, value in self._db.execute(query, part)}
        waiting = self._pending[table]
        return found | {k: json.loads(waiting[k][1]) for k in keys if k in waiting}

    def put(self, table: str, key: str, value: Mapping | Sequence) -> None:
        """Remember `value` (JSON, numbers to the last bit) under `key`."""
        self._pending[table][key] = (key, json.dumps(value, separators=(",", ":")))
        self._tick()

    def sha256(self, path: Path) -> str:
        """Return the digest of a file, read again only if size, time or inode changed."""
        return self.sha256s([path])[path]

    def sha256s(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Return the digests of many files."""
        wanted = {str(p.absolute()): p for p in dict.fromkeys(paths)}
        known: dict[str, tuple] = {}
        names = list(wanted)
        for at in range(0, len(names), 900):
            part = names[at : at + 900]
            marks = ",".join("?" * len(part))
            query = f"SELECT path, size, changed, inode, sha FROM files WHERE path IN ({marks})"  # noqa: S608
            known |= {row[0]: row[1:] for row in self._db.execute(query, part)}
        found: dict[Path, str] = {}
        for name, path in wanted.items():
            stat = os.stat(name)
            state = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
            *before, sha = known.get(name, (None,))
            if tuple(before) != state:
                sha = file_digest(path)
                if time.time_ns() - stat.st_mtime_ns > _RACY_NS:
                    self._pending["files"][name] = (name, *state, sha)
                    self._tick()
            found[path] = sha
        return found

    def keep(self, path: Path, sha: str) -> None:
        """Store a file's bytes under their digest, sharing them with `path` where links work."""
        blob = self._blob(sha, path.suffix)
        if not blob.exists():
            _link(path, blob)

    def fetch(self, sha: str, path: Path) -> bool:
        """Put the bytes with this digest at `path`; False if they are gone or no longer match."""
        blob = self._blob(sha, path.suffix)
        if not blob.exists():
            return False
        if self.sha256(blob) != sha:  # somebody wrote into it
            blob.unlink(missing_ok=True)
            return False
        _link(blob, path)
        return True

    def flush(self) -> None:
        """Write what is pending in one transaction."""
        with self._db:
            for table, rows in self._pending.items():
                if rows:
                    width = len(next(iter(rows.values())))
                    marks = ",".join("?" * width)
                    statement = f"INSERT OR REPLACE INTO {table} VALUES ({marks})"  # noqa: S608
                    self._db.executemany(statement, rows.values())
                    rows.clear()
        self._flushed = time.monotonic()

    def _tick(self) -> None:
        if time.monotonic() - self._flushed > 1:
            self.flush()

    def _blob(self, sha: str, suffix: str) -> Path:
        return self.folder / "audio" / sha[:2] / f"{sha}{suffix}"


def _link(source: Path, target: Path) -> None:
    """Make `target` the same bytes as `source`, replacing what is there in one step."""
    with whole(target) as draft:
        draft.unlink()
        try:
            os.link(source, draft)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, draft)
