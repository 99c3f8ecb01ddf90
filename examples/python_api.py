"""The main job from Python: a system over a data set, and its numbers.

python examples/python_api.py
"""

from pathlib import Path

from bench import plugins
from bench.suite import Options, load_metrics, load_system, run
from leaderboards.board import build
from leaderboards.text import terminal


def main() -> None:
    """Compare two systems on six utterances, and look at the worst one."""
    data = plugins.load("datasets", "demo").limit(6)
    metrics = load_metrics("stoi,si_sdr,bitrate")
    systems = [load_system(spec, "cpu") for spec in ("mu_law:bits=8", "mu_law:bits=5")]
    records = [run(system, data, metrics, Options(out=Path("runs")))[0] for system in systems]
    print(terminal(build(records)))
    cells = records[1].score("stoi").cells
    worst = min(cells, key=lambda identity: cells[identity].row[0])
    print(f"least intelligible: {worst}, STOI {cells[worst].row[0]:.3f}")


if __name__ == "__main__":  # workers import this file anew
    main()
