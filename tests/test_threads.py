"""Parts on threads: each once; errors are passed on when no part runs any more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ns4d import threads as threads_file
from ns4d.threads import spin_less, spread, together


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_part_runs_once(threads):
    done = []
    together(done.append, threads)
    assert sorted(done) == list(range(threads))


def test_one_part_stays_on_the_callers_thread():
    names = []
    together(lambda _: names.append(threading.current_thread()), 1)
    assert names == [threading.current_thread()]


def test_parts_run_at_the_same_time():
    meeting = threading.Barrier(2, timeout=60)

    def part(k: int) -> None:
        meeting.wait()

    together(part, 2)


def test_an_error_comes_after_all_parts():
    done = []

    def part(k: int) -> None:
        done.append(k)
        if k == 0:
            raise ValueError("of part 0")

    with pytest.raises(ValueError, match="of part 0"):
        together(part, 4)
    assert sorted(done) == [0, 1, 2, 3]


class TestSpread:
    @pytest.mark.parametrize("threads", [1, 2, 5])
    @pytest.mark.parametrize("parts", [0, 1, 2, 33])
    def test_every_part_runs_once(self, parts, threads):
        done = []
        spread(done.append, parts, threads)
        assert sorted(done) == list(range(parts))

    def test_the_callers_thread_works_too(self):
        names = set()
        meeting = threading.Barrier(2, timeout=60)

        def part(k: int) -> None:
            names.add(threading.current_thread())
            meeting.wait()

        spread(part, 2, 2)
        assert len(names) == 2
        assert threading.current_thread() in names

    def test_nobody_waits_for_a_thread_that_never_wakes(self, monkeypatch):
        """The only thread of the pool is busy until all is done."""
        with ThreadPoolExecutor(1) as pool:
            busy, done = threading.Event(), []
            first = pool.submit(busy.wait, 20)
            monkeypatch.setattr(threads_file, "_pool", lambda _: pool)
            spread(done.append, 5, 2)
            assert not first.done()
            busy.set()
        assert done == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("failing", ["caller", "other"])
    def test_an_error_ends_the_work(self, failing):
        caller, done = threading.current_thread(), []
        meeting = threading.Barrier(2, timeout=60)

        def part(k: int) -> None:
            if k < 2:  # one for each thread
                meeting.wait()
            is_caller = threading.current_thread() is caller
            if is_caller == (failing == "caller"):
                raise ValueError(f"of the {failing}")
            done.append(k)
            time.sleep(1e-4)

        with pytest.raises(ValueError, match=f"of the {failing}"):
            spread(part, 10_000, 2)
        assert len(done) < 9_000
        left = list(done)
        time.sleep(0.05)
        assert done == left  # nobody goes on


def test_openmp_is_told_unless_the_user_has_spoken(monkeypatch):
    environment: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environment)
    spin_less()
    assert environment == threads_file.SPIN
    environment.update(dict.fromkeys(threads_file.SPIN, "7"))
    spin_less()
    assert set(environment.values()) == {"7"}


def test_the_command_line_tells_it_before_torch_is_loaded():
    code = "import os, sys; from ns4d.cli import main; sys.argv[1:] = ['--version']\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])"
    environment = {k: v for k, v in os.environ.items() if k not in threads_file.SPIN}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert ran.stdout.split()[-2:] == ["False", "10000"], ran.stderr
