"""A process that has loaded torch once and forks trainings on demand: real processes to kill.

It reads one JSON object per line and answers with one number per line: the process id of the
training it started, the exit status of the one it was asked to wait for, or whether one runs.
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
from ns4d.train import display, override, train
from train import tiny

PATIENCE_S = 300  # then a training that hangs is a training that failed


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


def print_seed(tokens: Tensor, generator: torch.Generator) -> Tensor:
    """A hook that tells what the random numbers of a step come from."""
    print("seeds", generator.initial_seed(), torch.initial_seed())
    return tokens


def run(order: dict[str, Any]) -> int:
    """One training, as the order describes it."""
    os.environ.update(order["environment"])
    warnings.simplefilter("error")
    signal.alarm(PATIENCE_S)
    torch.set_num_threads(1)
    if order["file_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    display.LINE_SECONDS = order["line_seconds"]
    hooks = [signal_self(signal.Signals[name], at) for name, at in order["signals"]]
    hooks += [print_seed] if order["print_seeds"] else []
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
    finally:
        if torch.distributed.is_initialized():
            print("the process group is still there")
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


class Children:
    """What became of the trainings. Signals pass through here: a process that has been waited for
    may have left its number to a stranger."""

    def __init__(self) -> None:
        self._statuses: dict[int, int] = {}

    def status(self, pid: int, options: int) -> int | None:
        """The exit status, negative for a signal; None while it runs, if not to wait for it."""
        if pid not in self._statuses:
            ended, status = os.waitpid(pid, options)
            if not ended:
                return None
            self._statuses[pid] = os.waitstatus_to_exitcode(status)
        return self._statuses[pid]

    def answer(self, order: dict[str, Any]) -> int | None:
        """Obey one order."""
        if "wait" in order:
            return self.status(order["wait"], 0)
        if "running" in order:
            return int(self.status(order["running"], os.WNOHANG) is None)
        if "signal" in order:
            running = self.status(order["signal"], os.WNOHANG) is None
            return os.kill(order["signal"], order["number"]) if running else None
        return fork(order)


def main() -> None:
    children = Children()
    for line in sys.stdin:
        print(json.dumps(children.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # taking torch apart takes seconds
