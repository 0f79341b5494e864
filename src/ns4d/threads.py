"""Work in parts on several threads, for compiled code that releases the interpreter's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

# Threads of GNU OpenMP, torch's on Linux, spin for milliseconds after their last loop, on the cores
# that these threads need. So many turns are a fraction of a millisecond.
SPIN = {"GOMP_SPINCOUNT": "10000"}


def spin_less() -> None:
    """Ask OpenMP to leave the cores sooner; it only hears what is said before torch is loaded."""
    for name, turns in SPIN.items():
        os.environ.setdefault(name, turns)


def together(part: Callable[[int], None], threads: int) -> None:
    """Run every part once; when a signal interrupts, all are finished before it is passed on.

    Args:
        part: Called with 0 … threads - 1, each on a thread of its own.
        threads: How many.
    """
    if threads == 1:
        part(0)
        return
    waiting = set(range(threads))

    def once(k: int) -> None:
        if k in waiting:
            waiting.discard(k)
            part(k)

    started = []
    try:
        for k in range(threads):
            started.append(_pool(threads).submit(once, k))
        for done in started:
            done.result()
    except BaseException:
        for k in range(threads):
            once(k)
        wait(started)
        raise


def spread(part: Callable[[int], None], parts: int, threads: int) -> None:
    """Run every part once, the caller's thread with the others, each taking what is left.

    A thread that wakes late so finds less to do, and nobody waits for one that has not woken. An
    error or an interrupt ends the work after the parts that have begun: for what may stay undone,
    where `together` finishes what it has begun.

    Args:
        part: Called with 0 … parts - 1.
        parts: How many there are.
        threads: How many may work.
    """
    waiting = deque(range(parts))

    def work() -> None:
        while waiting:
            try:
                k = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                part(k)
            except BaseException:
                waiting.clear()
                raise

    others: list[Future[None]] = []
    try:
        for _ in range(min(threads, parts) - 1):
            others.append(_pool(threads).submit(work))
        work()
    finally:
        waiting.clear()
        wait([other for other in others if not other.cancel()])
    for other in others:
        if not other.cancelled():
            other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Kept, because starting threads takes longer than many a call."""
    return ThreadPoolExecutor(threads, thread_name_prefix="ns4d")


if hasattr(os, "register_at_fork"):
    # A forked process has the pool but none of its threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
