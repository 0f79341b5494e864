"""What a person sees while a network trains: a live bar in a terminal, lines in a log file."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

LINE_SECONDS = 30.0


class Display:
    """Loss, accuracy, samples per second and time left; silent unless told to show.

    Args:
        steps: Steps of the whole training.
        per_epoch: Steps of an epoch.
        done: Steps done before this session.
        show: Whether to print at all.
    """

    def __init__(self, steps: int, per_epoch: int, done: int, show: bool) -> None:
        self._steps, self._per_epoch, self._first, self._show = steps, per_epoch, done, show
        self._began = self._spoke = time.monotonic()
        console = Console(file=sys.stderr)
        self._bar = None
        if show and console.is_terminal:
            self._bar = Progress(BarColumn(30), TextColumn("{task.description}"), console=console)
            self._task = self._bar.add_task("starting", total=steps, completed=done)

    def __enter__(self) -> Display:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, step: int, loss: float, accuracy: float, batch: int) -> None:
        """After a step: figures of the epoch so far."""
        if not self._show:
            return
        now = time.monotonic()
        text = self._describe(step, loss, accuracy, batch, now)
        if self._bar is not None:
            self._bar.update(self._task, completed=step, description=text)
        elif now - self._spoke > LINE_SECONDS:
            self._spoke = now
            print(text, file=sys.stderr, flush=True)

    def epoch(self, text: str) -> None:
        """After an epoch: its figures, kept on the screen."""
        if self._bar is not None:
            self._bar.console.print(text, highlight=False)
        elif self._show:
            print(text, file=sys.stderr, flush=True)

    def _describe(self, step: int, loss: float, accuracy: float, batch: int, now: float) -> str:
        seconds = max(now - self._began, 1e-9)
        pace = max(step - self._first, 1) / seconds
        left = duration((self._steps - step) / pace)
        epoch = min((step - 1) // self._per_epoch + 1, self._steps // self._per_epoch)
        return (
            f"epoch {epoch}/{self._steps // self._per_epoch}  step {step}/{self._steps}  "
            f"loss {loss:.4f}  accuracy {accuracy:.2%}  {pace * batch:.0f} samples/s  left {left}"
        )


def duration(seconds: float | int) -> str:
    """Seconds as a person reads them.

    >>> duration(12), duration(200), duration(7500)
    ('12 s', '3 min 20 s', '2 h 05 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
