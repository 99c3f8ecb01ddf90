"""Make the README's table anew: the main job, run for real, pasted between its two marks.

python benchmarks/readme_table.py
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
JOB = "run --system vocodec --system opus:kbps=6 --system identity --dataset demo --format md"


def main() -> None:
    """Run the job with a cache of its own and replace the table."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-c", "from bench.cli import main; main()", *JOB.split()]
        done = subprocess.run(  # noqa: S603
            [*command, "--out", f"{name}/runs"],
            env={"BENCH_CACHE": f"{name}/cache", "PATH": ""},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    text = README.read_text(encoding="utf-8")
    marks = r"(<!-- table: [^>]*-->\n).*?(<!-- /table -->)"
    new = re.sub(marks, lambda m: f"{m[1]}{done.stdout}{m[2]}", text, flags=re.DOTALL)
    README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
