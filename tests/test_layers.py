"""Who may import whom: arrays at the bottom, tables at the top, the command line over all."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "metrics": {"metrics"},
    "systems": {"systems"},
    "bench": {"bench", "metrics", "systems"},
    "leaderboards": {"leaderboards", "bench", "metrics", "systems"},
}
ABOVE_ALL = {ROOT / "bench" / "cli.py"}  # it renders, so it sees the tables too


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_dependencies_point_down(layer):
    files = [p for p in (ROOT / layer).rglob("*.py") if p not in ABOVE_ALL]
    assert files
    for path in files:
        ours = set(imported(path)) & set(MAY_IMPORT)
        extra = ours - MAY_IMPORT[layer]
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_the_core_never_imports_torchaudio(layer):
    for path in (ROOT / layer).glob("*.py"):
        assert "torchaudio" not in set(imported(path)), path


def test_naming_everything_imports_nothing_heavy():
    code = (
        "import sys; from bench import cli, plugins\n"
        "[plugins.summaries(k) for k in ('metrics', 'observers', 'systems', 'datasets')]\n"
        "print(sorted({'torch', 'pandas', 'scipy', 'pyarrow', 'pesq', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
