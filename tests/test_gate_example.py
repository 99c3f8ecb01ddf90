"""The gate of examples/ci, on two commits of a toy codec: one alters nothing, one is worse."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "examples" / "ci" / "try_it.sh"


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_the_gate_stops_the_worse_commit():
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603
        [str(SCRIPT)], capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("commit ")]
    assert said == [
        "commit 'A codec of eight bits': exit status 0, expected 0",
        "commit 'Another docstring': exit status 0, expected 0",
        "commit 'Two bits fewer': exit status 1, expected 1",
    ]
    assert "| SI-SDR (dB) | 23.93 | 15.16 |" in done.stdout
