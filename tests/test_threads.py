"""Parts on threads: each once, errors and interrupts only after all of them."""

from __future__ import annotations

import threading

import pytest

from ns4d.threads import together


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
