"""Where work runs: worker processes on this machine, each one replaceable.

A worker that dies (native metric code can take its process with it) costs the task it was on and
nothing else: the task comes back as `Crashed`, and a new worker takes the dead one's place.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_READY = "ready"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Crashed:
    """The result of a task whose process died."""

    def __init__(self, code: int | None):
        name = signal.Signals(-code).name if code and code < 0 else f"exit status {code}"
        self.reason = f"the metric's process died ({name})"


class CannotStart(RuntimeError):
    """Worker processes die before they take any task."""


class Failed:
    """The result of a task that raised: a bug, whose traceback is printed where it is met."""

    def __init__(self, traceback: str):
        self.traceback = traceback


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warm(modules: list[str]) -> None:
    """Begin to import `modules` in a clean process that workers are then forked from."""
    if _METHOD != "forkserver":
        return
    from multiprocessing import forkserver

    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # one thread a worker, one worker a core
    try:
        multiprocessing.set_forkserver_preload(modules)
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class Pool:
    """Workers that apply ``work(context, task)``; at most two tasks a worker are in flight."""

    def __init__(self, jobs: int, work: Callable[[Any, Any], Any], context: Any):
        self._context: Any = multiprocessing.get_context(_METHOD)
        self._start = (work, context)
        self._workers: list[tuple[BaseProcess, Connection, list[Any]]] = []
        self._jobs = jobs
        self._ready: dict[int | None, bool] = {}

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for process, pipe, _tasks in self._workers:
            pipe.close()
            process.terminate()
        for process, _pipe, _tasks in self._workers:
            process.join()

    def map(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield ``(task, result)`` as they finish; `tasks` is drawn only as workers take them."""
        source, more = iter(tasks), True
        while True:
            while more and self._has_room():
                try:
                    task = next(source)
                except StopIteration:
                    more = False
                    break
                self._send(self._free(), task)
            busy = {worker[1]: worker for worker in self._workers if worker[2]}
            if not busy:
                return
            for pipe in wait(list(busy)):
                yield from self._receive(busy[pipe])  # type: ignore[index]

    def _has_room(self) -> bool:
        return len(self._workers) < self._jobs or any(len(w[2]) < 2 for w in self._workers)

    def _free(self) -> tuple[BaseProcess, Connection, list[Any]]:
        """Return the least busy worker, hired only now if all others have something to do."""
        idle = min(self._workers, key=lambda w: len(w[2]), default=None)
        if idle is None or (idle[2] and len(self._workers) < self._jobs):
            return self._hire()
        return idle

    def _hire(self) -> tuple[BaseProcess, Connection, list[Any]]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, *self._start), daemon=True)
        process.start()
        theirs.close()
        self._workers.append((process, ours, []))
        return self._workers[-1]

    def _send(self, worker: tuple[BaseProcess, Connection, list[Any]], task: Any) -> None:
        worker[2].append(task)
        try:
            worker[1].send(task)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it died: the wait finds that out, and the task is given to another

    def _receive(self, worker: tuple[BaseProcess, Connection, list]) -> Iterator[tuple[Any, Any]]:
        process, pipe, tasks = worker
        try:
            result = pipe.recv()
        except (EOFError, ConnectionResetError):
            process.join()
            self._workers.remove(worker)
            if not self._ready.get(process.pid):
                msg = (
                    f"a worker process ended before its first task (exit status {process.exitcode})"
                    "; a script that calls this library needs `if __name__ == '__main__':`"
                )
                raise CannotStart(msg) from None
            culprit, rest = tasks[0], tasks[1:]
            replacement = self._hire()
            for task in rest:
                self._send(replacement, task)
            yield culprit, Crashed(process.exitcode)
            return
        if result == _READY:
            self._ready[process.pid] = True
        else:
            yield tasks.pop(0), result


def _serve(pipe: Connection, work: Callable[[Any, Any], Any], context: Any) -> None:
    """A worker's life: take a task, send its result, until the pipe closes."""
    import traceback

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops us
    pipe.send(_READY)
    while True:
        try:
            task = pipe.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            result = work(context, task)
        except Exception:  # noqa: BLE001 - carried to the parent whole, which stops the run
            result = Failed(traceback.format_exc())
        try:
            pipe.send(result)
        except (BrokenPipeError, ConnectionResetError):
            return
