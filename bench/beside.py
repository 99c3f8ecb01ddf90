"""Outputs of another run that a metric compares with: unsteered ones, or resynthesised prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cache import Cache, digest
from bench.datasets._base import Dataset
from bench.generate import contents
from bench.run import read
from bench.totals import added
from metrics._base import Metric

#: Role -> what the other run has to be.
ROLES = {
    "baseline": "an unsteered run over the same data",
    "resynthesised": "a codec's run over the prompts, made with `bench run --prompts`",
}


@dataclass(frozen=True)
class Beside:
    """One role of the outputs of another run."""

    about: str  # which run, for the line under the table
    paths: Mapping[str, Path]  # by utterance id; an output that failed or is missing is not there


def find(
    metrics: Sequence[Metric],
    dataset: Dataset,
    folders: Mapping[str, Any],
    cache: Path | None = None,
) -> dict[str, Beside]:
    """Return what `metrics` need beside the run, by role.

    Args:
        metrics: the columns that are asked for.
        dataset: what the run renders; the other run must have the same digest (or, for
            ``resynthesised``, that of its prompts).
        folders: run folders, or None, by role; other keys are not looked at.
        cache: the store's folder, None for the usual one.

    Raises:
        ValueError: a role is needed and not given, or given and not needed; the other run has other
            data, or no audio.
        FileNotFoundError: no finished run is there.
    """
    found = {}
    for role, what in ROLES.items():
        asking = next((m for m in metrics if f"heard_{role}" in m.needs), None)
        folder = folders.get(role)
        if asking and not folder:
            msg = f"{asking.spec} needs {what}: --{role} RUN"
            raise ValueError(msg)
        if folder and not asking:
            key = "against" if role == "baseline" else "reference"
            msg = f"--{role} {folder}: no metric asks for it; say {key}={role} in its spec"
            raise ValueError(msg)
        if folder:
            wanted = dataset if role == "baseline" else dataset.prompts()
            found[role] = _outputs(role, folder, wanted, cache)
    return found


def _outputs(role: str, folder: Path, wanted: Dataset, cache: Path | None) -> Beside:
    run = read(folder)
    with Cache(cache) as store:
        whole = added(digest(*item) for item in contents(wanted, store).items())
    if run.dataset_digest != whole:
        msg = (
            f"--{role} {folder} is a run over {run.dataset} ({run.dataset_digest}), and not over "
            f"{wanted.name} ({whole}): it has to be {ROLES[role]}"
        )
        raise ValueError(msg)
    paths = {o.id: folder / o.path for o in run.outputs if o.status == "ok"}
    if gone := [p for p in paths.values() if not p.is_file()]:
        msg = f"--{role} {folder}: {len(gone)} outputs have no audio there, as {gone[0]}"
        raise ValueError(msg)
    return Beside(f"{role}: {run.card.name} ({run.id}, seed {run.seed})", paths)
