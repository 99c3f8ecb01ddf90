"""docs/datasets.md keeps up with the data sets and their parameters."""

import importlib
import inspect
from pathlib import Path

import pytest

from bench.datasets import demo
from bench.plugins import names

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
BUILT_IN = [name for name, home in names("datasets").items() if home.startswith("bench.datasets.")]


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_page_has_the_data_set_and_its_parameters(name):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    module = importlib.import_module(f"bench.datasets.{name}")
    for parameter in set(inspect.signature(module.load).parameters) - {"root"}:
        assert f"`{parameter}=" in row
    size = next(iter(getattr(module, "SIZES", {}).values()), None)
    if size and len(module.SIZES) < 3:
        assert f"{size.speakers}, {size.utterances:,}" in row


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_module_says_what_it_is(name):
    doc = importlib.import_module(f"bench.datasets.{name}").__doc__
    for heading in ("Licence:", "Layout:" if name != "manifest" else "Format:"):
        assert f"\n{heading}" in doc


def test_the_page_has_every_voice_of_the_demo():
    for speaker in {u.speaker for u in demo.load().utterances}:
        assert speaker in PAGE
