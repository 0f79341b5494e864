"""This machine at the work of the paper's two tables: the native engine, timed now.

Its energy is not measured: that needs the power counters of the processor, which a virtual machine
does not show. A share of a thermal design power would be a guess, so none is given.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ns4d.engines import default_engine
from ns4d.loihi2.comparison import Item, Row, measured
from ns4d.program import Program

TOKENS, BATCH, ROUNDS, BATCH_ROUNDS = 500, 64, 7, 3


def cpu_rows(program: Program, tokens: np.ndarray, rounds: int = ROUNDS) -> tuple[Row, ...]:
    """Token by token; a sample at once; a batch of samples.

    Args:
        program: What runs.
        tokens: (l, i): one sample.
        rounds: How often each is timed, the batch, which is long, at most three times. The best
            counts: what else the machine does only ever adds to a time.

    Returns:
        One row each: latency of an item, items per second.
    """
    engine = default_engine()
    stream = program.stream(engine)
    again = [tokens[k % len(tokens)] for k in range(TOKENS)]

    def token_by_token() -> None:
        stream.reset()
        for token in again:
            stream.step(token)

    sample, batch = tokens[None], np.repeat(tokens[None], BATCH, axis=0)
    token_s = _best(token_by_token, rounds) / TOKENS
    sample_s = _best(lambda: program.run(sample, engine=engine), rounds)
    batch_s = _best(lambda: program.run(batch, engine=engine), min(rounds, BATCH_ROUNDS))
    return (
        measured("this CPU", Item.TOKEN, token_s, 1 / token_s),
        measured("this CPU, batch 1", Item.SAMPLE, sample_s, 1 / sample_s),
        measured(f"this CPU, batch {BATCH}", Item.SAMPLE, batch_s, BATCH / batch_s),
    )


def _best(work: Callable[[], object], rounds: int) -> float:
    """Seconds; the first call, which may compile, does not count."""
    work()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)
