"""The same work on several threads, for compiled code that releases the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache


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


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Kept, because starting threads takes longer than many a call."""
    return ThreadPoolExecutor(threads, thread_name_prefix="ns4d")


if hasattr(os, "register_at_fork"):
    # A forked process has the pool but none of its threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
