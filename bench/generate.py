"""Stage 1: a system renders a data set. The only stage that needs the system's device."""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import audio
from bench.cache import Cache, digest
from bench.datasets._base import RECORDINGS, Dataset, Utterance
from bench.isolate import now
from bench.run import Output, file_name, journal, read_outputs
from systems._base import Card, Codes, Request

_AUDIBLE = 10 ** (-40 / 20)  # below the loudest sample of the output


def contents(dataset: Dataset, cache: Cache) -> dict[str, str]:
    """Return the digest of everything each utterance is made of, by its id."""
    paths = [p for u in dataset.utterances for name in RECORDINGS if (p := getattr(u, name))]
    shas = cache.sha256s(paths)
    found = {}
    for utterance in dataset.utterances:
        fields = dict(vars(utterance))
        fields |= {n: shas[p] for n in RECORDINGS if (p := fields[n])}
        found[utterance.id] = digest(fields)
    return found


def system_inputs(dataset: Dataset, cache: Cache) -> dict[str, str]:
    """Return the digest of what a system gets to see of each utterance, by its id."""
    kept = ("text", "language", "prompt_text", "emotion")
    shas = cache.sha256s(
        p for u in dataset.utterances for p in (u.input or u.audio, u.prompt, u.style_prompt) if p
    )
    return {
        u.id: digest(
            [shas[p] if p else None for p in (u.input or u.audio, u.prompt, u.style_prompt)],
            [getattr(u, name) for name in kept],
        )
        for u in dataset.utterances
    }


class Generation:
    """Renders utterances one by one; iterate over it to get their outputs in order.

    An output that this run already has is taken as it is, timing included; one that another run
    made from the same card, content and seed comes from the cache, and is not timed.
    """

    def __init__(
        self,
        system: Any,
        dataset: Dataset,
        folder: Path,
        cache: Cache,
        *,
        seed: int,
        machine: str,
        timed: bool = True,
    ):
        self.system, self.dataset, self.folder, self.cache = system, dataset, folder, cache
        self.seed, self.machine, self.timed = seed, machine, timed
        self.made = self.reused = self.cached = 0
        self.warm_up_seconds = 0.0
        inputs = system_inputs(dataset, cache)
        card = dataclasses.asdict(system.card)
        self._keys = {i: digest(card, content, seed) for i, content in inputs.items()}

    def __iter__(self) -> Iterator[Output]:
        known = self._own()
        wanted = [key for i, key in self._keys.items() if i not in known]
        stored = self.cache.get("outputs", wanted)
        with journal(self.folder) as add:
            for utterance in self.dataset.utterances:
                if output := known.get(utterance.id):
                    self.reused += 1
                    yield output
                    continue
                output = self._stored(utterance, stored.get(self._keys[utterance.id]))
                if output is None:
                    self._warm_up(utterance)
                    output = self._render(utterance)
                    self.made += 1
                else:
                    self.cached += 1
                add(output)
                yield output

    def _own(self) -> dict[str, Output]:
        """Outputs of an earlier, perhaps broken, making of this very run that still hold."""
        rows = [o for o in read_outputs(self.folder) if o.status == "ok"]
        paths = {o.id: self.folder / o.path for o in rows}
        shas = self.cache.sha256s(p for p in paths.values() if p.exists())
        held = {o.id: o for o in rows if shas.get(paths[o.id]) == o.sha256}
        return {i: o if o.machine == self.machine else _untimed(o) for i, o in held.items()}

    def _stored(self, utterance: Utterance, row: dict | None) -> Output | None:
        if row is None:
            return None
        output = Output(**{**row, "id": utterance.id, **self._places(utterance, row)})
        if not self.cache.fetch(output.sha256, self.folder / output.path):
            return None
        codes = row["codes"]
        if codes and not self.cache.fetch(codes, self.folder / output.codes):
            return None
        return output

    def _places(self, utterance: Utterance, row: Mapping) -> dict[str, str]:
        name = file_name(utterance.id)
        return {
            "path": f"audio/{name}.flac",
            "codes": f"codes/{name}.npz" if row["codes"] else "",
        }

    def _warm_up(self, utterance: Utterance) -> None:
        """Render one utterance outside the clock, so that the first is timed like the others."""
        if self.made or not self.timed:
            return
        start = time.perf_counter()
        try:
            attempt(self.system, utterance, self.seed)
        except Exception:  # noqa: BLE001 - it is met again, and recorded, when timed
            return
        finally:
            self.warm_up_seconds = time.perf_counter() - start

    def _render(self, utterance: Utterance) -> Output:
        try:
            wav, codes, wall, first = attempt(self.system, utterance, self.seed)
            audio.check(wav)
        except audio.Unusable as fault:
            return Output(utterance.id, "failed", reason=f"the output {fault}")
        except Exception as error:  # noqa: BLE001 - the one place: a system's fault is a state
            last = "".join(traceback.format_exception(error)[-3:]).strip()
            return Output(utterance.id, "failed", reason=f"{type(error).__name__}: {error}\n{last}")
        rate = rate_of(self.system, utterance)
        row = {"codes": "x" if codes is not None and codes.streams else ""}
        places = self._places(utterance, row)
        clipped = audio.write(self.folder / places["path"], wav, rate)
        sha = self.cache.sha256(self.folder / places["path"])
        self.cache.keep(self.folder / places["path"], sha)
        codes_sha = self._save_codes(places["codes"], codes) if codes and places["codes"] else ""
        emits = codes is not None and (codes.streams or codes.packets)
        output = Output(
            id=utterance.id,
            status="ok",
            path=places["path"],
            sha256=sha,
            sample_rate=rate,
            seconds=wav.size / rate,
            wall_seconds=wall if self.timed else None,
            first_audible_seconds=first if self.timed else None,
            machine=self.machine,
            bits=float(codes.bits) if codes and emits else None,
            codes=places["codes"],
            clipped=clipped,
        )
        row = {**vars(_untimed(output)), "codes": codes_sha}
        self.cache.put("outputs", self._keys[utterance.id], row)
        return output

    def _save_codes(self, place: str, codes: Codes) -> str:
        path = self.folder / place
        with audio.whole(path) as draft, draft.open("wb") as file:
            arrays = {str(i): stream for i, stream in enumerate(codes.streams)}
            np.savez_compressed(file, alphabets=np.array(codes.alphabets), **arrays)  # type: ignore[arg-type]
        sha = self.cache.sha256(path)
        self.cache.keep(path, sha)
        return sha


def rate_of(system: Any, utterance: Utterance) -> int:
    """Return the rate, in Hz, that `system` works at: its own, or the recording's."""
    if rate := system.card.sample_rate:
        return rate
    import soundfile

    return int(soundfile.info(utterance.input or utterance.audio).samplerate)


def attempt(
    system: Any, utterance: Utterance, seed: int
) -> tuple[NDArray[np.float32], Codes | None, float, float | None]:
    """Return audio, codes, wall seconds and seconds to the first audible sample."""
    card: Card = system.card
    clock = getattr(system, "clock", now)  # of the process that does the work
    rate = rate_of(system, utterance)
    if card.task == "codec":
        wav = _recording(utterance.input or utterance.audio, rate)
        if wav is None:
            msg = "the data set has no recording for this utterance"
            raise ValueError(msg)
        start = clock()
        codes = system.encode(wav)
        out = system.decode(codes)
        return out, codes, clock() - start, None
    request = Request(
        text=utterance.text or "",
        language=utterance.language,
        prompt=_recording(utterance.prompt, rate),
        prompt_text=utterance.prompt_text,
        style_prompt=_recording(utterance.style_prompt, rate),
        emotion=utterance.emotion,
        seed=seed,
    )
    packets, times, start = [], [], clock()
    for packet in system.synthesize(request):
        packets.append(packet)
        times.append(clock() - start)
    out = np.concatenate(packets) if packets else np.zeros(0, np.float32)
    return out, None, times[-1] if times else clock() - start, _first_audible(packets, times)


def _recording(path: Path | None, rate: int) -> NDArray[np.float32] | None:
    if path is None:
        return None
    wav, found = audio.read(path)
    return audio.resample(wav.astype(np.float32), found, rate)


def _first_audible(packets: list[NDArray[np.float32]], times: list[float]) -> float | None:
    """Return when the packet with the first sample above -40 dB of the peak had arrived."""
    peak = max((float(np.abs(p).max(initial=0)) for p in packets), default=0.0)
    loud = (
        t for p, t in zip(packets, times, strict=True) if np.abs(p).max(initial=0) > _AUDIBLE * peak
    )
    return next(loud, None) if peak else None


def _untimed(output: Output) -> Output:
    return dataclasses.replace(output, wall_seconds=None, first_audible_seconds=None, machine="")
