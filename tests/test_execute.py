import os
import signal
import subprocess
import sys

import pytest

from bench.execute import Crashed, Failed, Pool, cores


def work(offset, task):
    if task == "raise":
        msg = "a bug"
        raise KeyError(msg)
    if task == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    return task + offset


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_task_comes_back_once(jobs):
    with Pool(jobs, work, 10) as pool:
        assert sorted(pool.map(range(40))) == [(i, i + 10) for i in range(40)]


def test_a_dead_worker_costs_its_task_only():
    tasks = [0, 1, "segfault", 2, 3, "segfault", 4]
    with Pool(2, work, 0) as pool:
        results = list(pool.map(tasks))
    assert sorted(r for t, r in results if t != "segfault") == [0, 1, 2, 3, 4]
    crashed = [r for t, r in results if t == "segfault"]
    assert [type(r) for r in crashed] == [Crashed, Crashed]
    assert "SIGSEGV" in crashed[0].reason


def test_a_bug_brings_its_traceback():
    with Pool(1, work, 0) as pool:
        ((_, result),) = pool.map(["raise"])
    assert isinstance(result, Failed)
    assert "KeyError: 'a bug'" in result.traceback


def test_workers_that_cannot_start_stop_the_run(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import sys\nfrom bench.execute import Pool\n"
        "if '__mp_main__' == __name__: raise SystemExit(3)\n"
        "list(Pool(1, print, None).map([1]))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 1
    assert "ended before its first task" in done.stderr


def test_tasks_are_drawn_as_they_are_taken():
    drawn = []

    def source():
        for i in range(100):
            drawn.append(i)
            yield i

    with Pool(2, work, 0) as pool:
        results = pool.map(source())
        next(results)
        assert len(drawn) <= 6
        list(results)
    assert cores() >= 1
