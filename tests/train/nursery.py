"""A process that has loaded torch once and forks trainings on demand: real processes to kill.

It reads one JSON object per line and answers with one number per line: the process id of the
training it started, the exit status of the one it was asked to wait for, or whether it has ended.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # AdamW loads it at its first step; loaded here, all children have it
from torch import Tensor

from ns4d.errors import Ns4dError
from ns4d.train import override, train
from train import tiny


def signal_self(number: int, at: int) -> Callable[[Tensor, torch.Generator], Tensor]:
    """A hook that sends this process a signal while the `at`-th batch is drawn, from 1."""
    calls = 0

    def hook(tokens: Tensor, generator: torch.Generator) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), number)
        return tokens

    return hook


def run(order: dict[str, Any]) -> int:
    """One training, as the order describes it."""
    os.environ.update(order["environment"])
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    if order["file_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    hooks = [signal_self(signal.Signals[name], at) for name, at in order["signals"]]
    try:
        train(
            override(getattr(tiny, order["recipe"])(), order["overrides"]),
            tiny.tiny_dataset(),
            Path(order["folder"]),
            hooks=hooks,
            checkpoint_seconds=order["checkpoint_seconds"],
        )
    except Ns4dError as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    return 0


def fork(order: dict[str, Any]) -> int:
    """Start a training whose output goes to a file; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        status = run(order)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(status)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        elif "ended" in order:
            # WNOWAIT leaves it waitable: its process id stays its own until `wait`.
            looking = os.WEXITED | os.WNOHANG | os.WNOWAIT
            answer = int(os.waitid(os.P_PID, order["ended"], looking) is not None)
        else:
            answer = fork(order)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # taking torch apart takes seconds
