"""README and docs drift apart from the code only where these fail."""

import re
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import plugins
from bench.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["metrics", "observers", "systems", "datasets"])
def test_every_name_is_in_the_readme(kind):
    assert [n for n in plugins.names(kind) if f"`{n}`" not in README] == []


def test_every_command_is_in_the_readme():
    assert [c for c in main.commands if f"bench {c}" not in README] == []


def test_the_readme_names_no_command_or_option_that_is_not_there():
    used = set(re.findall(r"\bbench ([a-z]+)", README)) - {"is"}
    assert used <= set(main.commands)
    helps = "".join(
        CliRunner().invoke(main, [c, "--help"]).output for c in main.commands if c != "data"
    )
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert {o for o in options if o not in helps} <= {"--version"}


def test_every_dependency_has_its_reason():
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for needed in metadata("speech-bench").get_all("Requires-Dist"):
        name = re.split(r"[<>=!~;\[ ]", needed)[0]
        extra = re.search(r'extra == "(\w+)"', needed)
        if extra is None:
            assert f"| {name} |" in reasons, name
        elif extra[1] != "all":
            assert f"| `{extra[1]}` |" in reasons, extra[1]
            assert name in reasons, name


def test_the_example_runs(tmp_path):
    example = ROOT / "examples" / "python_api.py"
    done = subprocess.run(  # noqa: S603
        [sys.executable, example], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "least intelligible: " in done.stdout
