"""Small data that every test may use; nothing is downloaded, no cache of the user is touched."""

import os
from pathlib import Path

import pytest
from material import write_manifest

from bench import plugins


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def real_speech():
    """The folder with excerpts of public corpora, where this machine has one."""
    folder = os.environ.get("BENCH_TEST_DATA")
    if not folder:
        pytest.skip("BENCH_TEST_DATA is not set: no real speech on this machine")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory):
    return write_manifest(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_path):
    return plugins.load("datasets", f"manifest:path={tiny_path}")
