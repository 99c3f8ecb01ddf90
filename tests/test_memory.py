"""Memory must not grow with the data: audio is read, used and let go."""

import subprocess
import sys

from material import write_manifest

SCRIPT = """
import resource, sys
from pathlib import Path
from bench import plugins
from bench.suite import Options, load_metrics, load_system, run
if __name__ == "__main__":
    data = plugins.load("datasets", "manifest:path=" + sys.argv[1])
    metrics = load_metrics("si_sdr,bitrate,rtf")
    for count in (100, 1000):
        some = data.limit(count)
        options = Options(out=Path(sys.argv[2]) / str(count))
        run(load_system("mu_law", "cpu"), some, metrics, options)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_ten_times_the_data_takes_the_same_memory(tmp_path):
    manifest = write_manifest(tmp_path / "data", count=10, seconds=4.0)
    one = manifest.read_text().splitlines()
    lines = [line.replace('"id": "u', f'"id": "r{i}u') for i in range(100) for line in one]
    manifest.write_text("\n".join(lines))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(manifest), str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    small, large = map(int, done.stdout.split())
    audio = 900 * 4 * 16000 * 8 / 2**20  # MB that holding the further recordings would take
    assert audio > 400
    assert large - small < 30
