"""The store under two processes, under a kill in the middle of writing, and under tampering."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bench.cache import Cache, digest, file_digest

WRITER = """
import sys
from pathlib import Path
from bench.cache import Cache
with Cache(Path(sys.argv[1])) as cache:
    print("ready", flush=True)
    for i in range(int(sys.argv[3])):
        cache.put("scores", f"{sys.argv[2]}{i}", ["scored", "", [i / 3]])
        if i % 50 == 0:
            cache.flush()
"""


def writer(folder, name, count):
    command = [sys.executable, "-c", WRITER, str(folder), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603


def test_numbers_come_back_to_the_last_bit(tmp_path):
    with Cache(tmp_path) as cache:
        cache.put("scores", "k", ["scored", "", [1 / 3, 1e-300, -0.1]])
        assert cache.get("scores", ["k", "unknown"]) == {"k": ["scored", "", [1 / 3, 1e-300, -0.1]]}
    with Cache(tmp_path) as cache:
        assert cache.get("scores", ["k"])["k"][2] == [1 / 3, 1e-300, -0.1]


def test_two_processes_share_it(tmp_path):
    Cache(tmp_path)
    both = [writer(tmp_path, name, 1000) for name in "ab"]
    assert [p.wait(60) for p in both] == [0, 0]
    with Cache(tmp_path) as cache:
        keys = [f"{name}{i}" for name in "ab" for i in range(1000)]
        assert len(cache.get("scores", keys)) == 2000
    for process in both:
        process.stdout.close()


def test_a_kill_while_writing_leaves_whole_entries(tmp_path):
    for turn in range(3):
        process = writer(tmp_path, f"t{turn}-", 100_000)
        process.stdout.readline()
        time.sleep(0.05 * (turn + 1))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    with Cache(tmp_path) as cache:
        keys = [f"t{t}-{i}" for t in range(3) for i in range(100_000)]
        found = cache.get("scores", keys)
        assert found
        assert all(v == ["scored", "", [int(k.split("-")[1]) / 3]] for k, v in found.items())


def test_a_digest_is_read_again_only_after_a_change(tmp_path, monkeypatch):
    file = tmp_path / "x.bin"
    file.write_bytes(b"one")
    os.utime(file, (1e9, 1e9))
    with Cache(tmp_path / "c") as cache:
        first = cache.sha256(file)
        assert first == file_digest(file)
        cache.flush()
        monkeypatch.setattr("bench.cache.file_digest", lambda path: pytest.fail("read again"))
        assert cache.sha256(file) == first
        monkeypatch.undo()
        file.write_bytes(b"two")
        assert cache.sha256(file) != first


def test_a_file_changed_a_moment_ago_is_not_trusted(tmp_path):
    file = tmp_path / "x.bin"
    with Cache(tmp_path / "c") as cache:
        file.write_bytes(b"one")
        state = file.stat()
        first = cache.sha256(file)
        file.write_bytes(b"two")
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))  # same size, same time
        assert cache.sha256(file) != first


def test_bytes_that_changed_in_the_store_are_not_given_out(tmp_path):
    source = tmp_path / "a.flac"
    source.write_bytes(b"audio")
    with Cache(tmp_path / "c") as cache:
        sha = cache.sha256(source)
        cache.keep(source, sha)
        assert cache.fetch(sha, tmp_path / "b.flac")
        assert (tmp_path / "b.flac").read_bytes() == b"audio"
        with source.open("r+b") as file:  # the same inode
            file.write(b"AUDIO")
        assert not cache.fetch(sha, tmp_path / "d.flac")
        assert not cache.fetch(sha, tmp_path / "d.flac")


def test_a_digest_tells_its_causes_apart():
    assert digest("a", "b") != digest("ab")
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
