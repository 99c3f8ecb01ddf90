"""Run a system in another Python environment, over a pipe: `--isolate PYTHON`.

The child needs numpy and what the system imports; this package is found where it is, without what
is installed beside it. A message is a length (4 bytes, little endian), that much JSON, and the
bytes of the arrays that the JSON lists. The child's own standard output goes to its standard error.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bench import plugins
from systems._base import Audio, Card, Codes, Request

_LENGTH = struct.Struct("<I")
#: Makes `bench` and `systems` known, and nothing that is installed beside them.
_BOOT = """
import importlib.util, sys
sys.path = [p for p in sys.path if p]
for name, folder in (("systems", sys.argv[1]), ("bench", sys.argv[2])):
    at = folder + "/__init__.py"
    spec = importlib.util.spec_from_file_location(name, at, submodule_search_locations=[folder])
    sys.modules[name] = importlib.util.module_from_spec(spec)
from bench.isolate import serve
serve()
"""
#: Takes this package, whatever its version, from where the interpreter has it installed.
_BOOT_OWN = (
    "import sys; sys.path = [p for p in sys.path if p]; import bench.isolate as i; i.serve()"
)
_SAID = 2000  # last characters of the child's standard error that are repeated when it dies


class ChildFailed(RuntimeError):
    """The system raised in its own environment, or died there; the message says where."""


class Isolated:
    """A system in a child process, with the interface of a system here.

    A child that dies costs the utterance it was on; the next one gets a new child. `clock` counts
    the seconds that the system worked in the child, without the pipe.
    """

    def __init__(self, spec: str, python: str, device: str = "cpu", *, own: bool = False) -> None:
        """Start the child and load the system there.

        Args:
            spec: name and parameters.
            python: the interpreter.
            device: where the system works.
            own: run the interpreter's own installation of this package, not this one.

        Raises:
            Unavailable: no such interpreter, or the system cannot be loaded there.
            ValueError: a mistake in the spec.
        """
        self.spec, self.python, self.device, self.own = spec, python, device, own
        self._child: subprocess.Popen[bytes] | None = None
        self._worked = 0.0
        try:
            self.card: Card = self._start()
        except ChildFailed as failure:
            msg = f"{spec} cannot be loaded by {python}: {failure}"
            raise plugins.Unavailable(msg) from None

    def clock(self) -> float:
        """Return the seconds that the system has worked so far."""
        return self._worked

    def peak_memory(self) -> int | None:
        """Return the most bytes that the child has held at once; None where it cannot be read."""
        try:
            lines = Path(f"/proc/{self._child.pid if self._child else 0}/status").read_text()
        except OSError:
            return None
        peak = next((line.split()[1] for line in lines.splitlines() if "VmHWM" in line), None)
        return int(peak) * 1024 if peak else None

    def encode(self, wav: Audio) -> Codes:
        """Code (T,) samples in the child."""
        reply, arrays = self._call("encode", [wav])
        count = len(reply["alphabets"])
        packets = tuple(a.tobytes() for a in arrays[count:])
        return Codes(
            tuple(arrays[:count]), tuple(reply["alphabets"]), reply["samples"], packets=packets
        )

    def decode(self, codes: Codes) -> Audio:
        """Return ``(codes.samples,)``, decoded in the child."""
        about, arrays = _plain(codes)
        return self._call("decode", arrays, **about)[1][0]

    def synthesize(self, request: Request) -> Iterator[Audio]:
        """Yield the packets that the child yields."""
        wavs = {k: v for k in ("prompt", "style_prompt") if (v := getattr(request, k)) is not None}
        fields = {k: v for k, v in vars(request).items() if k not in ("prompt", "style_prompt")}
        fields |= {"emotion": dict(request.emotion), "controls": dict(request.controls)}
        fields["text"] = request.text if isinstance(request.text, str) else list(request.text)
        reply, arrays = self._call("synthesize", list(wavs.values()), wavs=list(wavs), **fields)
        while not reply["end"]:
            yield arrays[0]
            reply, arrays = self._receive()

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()
            self._child.wait()
            self._said.close()
            self._child = None

    def _start(self) -> Card:
        self._said = tempfile.TemporaryFile()
        here = Path(__file__).parent
        boot = [_BOOT_OWN] if self.own else [_BOOT, str(here.parent / "systems"), str(here)]
        try:
            self._child = subprocess.Popen(  # noqa: S603 - the user names the interpreter
                [self.python, "-c", *boot],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
            )
        except OSError as error:
            self._said.close()
            msg = f"--isolate {self.python}: {error.strerror}"
            raise plugins.Unavailable(msg) from None
        reply, _ = self._call("load", [], spec=self.spec, device=self.device)
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in reply["card"].items()
        }
        return Card(**fields)

    def _call(self, do: str, arrays: Sequence[NDArray], **about: Any) -> tuple[dict, list]:
        if self._child is None:
            self._start()
        child = self._child
        assert child is not None and child.stdin is not None  # noqa: S101, PT018 - for the types
        try:
            send(child.stdin, {"do": do, **about}, arrays)
        except BrokenPipeError:
            self._died()
        return self._receive()

    def _receive(self) -> tuple[dict, list]:
        child = self._child
        assert child is not None and child.stdout is not None  # noqa: S101, PT018 - for the types
        try:
            reply, arrays = receive(child.stdout)
        except EOFError:
            self._died()
        self._worked += reply.get("seconds", 0.0)
        if mistake := reply.get("mistake"):
            raise (plugins.Unavailable if reply["unavailable"] else ValueError)(mistake)
        if failure := reply.get("failure"):
            raise ChildFailed(failure)
        return reply, arrays

    def _died(self) -> None:
        child = self._child
        assert child is not None  # noqa: S101 - for the types
        status = child.wait()
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip()[-_SAID:]
        self.close()
        msg = f"the process of {self.spec} ended with {how}" + (f":\n{said}" if said else "")
        raise ChildFailed(msg)

    def __del__(self) -> None:
        self.close()


def now() -> float:
    """Return the clock, once whatever runs on a GPU has finished."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def send(pipe: IO[bytes], about: dict, arrays: Sequence[NDArray] = ()) -> None:
    """Write one message."""
    found = [np.ascontiguousarray(a) for a in arrays]
    shapes = [[a.dtype.str, a.shape] for a in found]
    head = json.dumps({**about, "arrays": shapes}).encode()
    pipe.write(_LENGTH.pack(len(head)) + head)
    for array in found:
        pipe.write(array.tobytes())
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[dict, list]:
    """Read one message: its JSON, and its arrays.

    Raises:
        EOFError: the other side has ended.
    """
    (size,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    about = json.loads(_exactly(pipe, size))
    arrays = []
    for kind, shape in about.pop("arrays"):
        dtype = np.dtype(kind)
        data = _exactly(pipe, dtype.itemsize * int(np.prod(shape)))
        arrays.append(np.frombuffer(data, dtype).reshape(shape).copy())
    return about, arrays


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _plain(codes: Codes) -> tuple[dict, list]:
    """Return codes as JSON and arrays.

    Raises:
        TypeError: they hold more than `Codes` does.
    """
    if type(codes) is not Codes:
        msg = f"{type(codes).__name__} cannot leave its process: only plain Codes can"
        raise TypeError(msg)
    packets = [np.frombuffer(p, np.uint8) for p in codes.packets]
    return {"alphabets": codes.alphabets, "samples": codes.samples}, [*codes.streams, *packets]


def serve() -> None:
    """Answer calls on standard input until it ends: the child's side."""
    import faulthandler

    faulthandler.enable()
    calls, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what the system prints, in Python or below it, is no reply
    system: Any = None
    while True:
        try:
            call, arrays = receive(calls)
        except EOFError:
            return
        do = call.pop("do")
        try:
            if do == "load":
                taken = plugins.takes("systems", call["spec"], "device")
                device = {"device": call["device"]} if taken else {}
                system = plugins.load("systems", call["spec"], **device)
                send(replies, {"card": dataclasses.asdict(system.card)})
            else:
                for about, found in _answers(system, do, call, arrays):
                    send(replies, about, found)
        except Exception as error:  # noqa: BLE001 - whatever a system raises is the parent's to tell
            send(replies, _fault(do, error))


def _fault(do: str, error: Exception) -> dict:
    if do == "load" and isinstance(error, plugins.Unavailable | ValueError | FileNotFoundError):
        return {"mistake": str(error), "unavailable": not isinstance(error, ValueError)}
    trace = "".join(traceback.format_exception(error)).strip()
    return {"failure": f"{type(error).__name__}: {error}\n{trace}"}


def _answers(system: Any, do: str, call: dict, arrays: list) -> Iterator[tuple[dict, list]]:
    start = now()
    if do == "encode":
        codes = system.encode(arrays[0])
        seconds = now() - start
        about, found = _plain(codes)
        yield {**about, "seconds": seconds}, found
    elif do == "decode":
        count = len(call["alphabets"])
        packets = tuple(a.tobytes() for a in arrays[count:])
        streams, alphabets = tuple(arrays[:count]), tuple(call["alphabets"])
        wav = system.decode(Codes(streams, alphabets, call["samples"], packets=packets))
        yield {"seconds": now() - start}, [wav]
    else:
        wavs = dict(zip(call.pop("wavs"), arrays, strict=True))
        start = now()
        for packet in system.synthesize(Request(**call, **wavs)):
            yield {"end": False, "seconds": now() - start}, [packet]
            start = now()
        yield {"end": True, "seconds": now() - start}, []
