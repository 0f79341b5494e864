"""Turn Ctrl-C into a request that the loop honours between two steps."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType

from ns4d.errors import TrainingError


class Interrupt:
    """While entered, the first SIGINT or SIGTERM sets `requested`; the second acts as usual."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interrupt:
        # Only the main thread may set handlers; elsewhere signals keep their usual effect.
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGINT, signal.SIGTERM):
                self._previous[name] = signal.signal(name, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for name, handler in self._previous.items():
            signal.signal(name, handler)  # type: ignore[arg-type]
        self._previous.clear()


def interrupted(step: int, steps: int, folder: Path) -> TrainingError:
    """What a run raises that was asked to stop and has saved everything.

    Args:
        step: The last one done.
        steps: Of the whole run.
        folder: Where it is kept.
    """
    return TrainingError(
        str(folder),
        expected=f"{steps} steps",
        got=f"an interrupt after step {step}",
        fix="Everything is saved; repeat the same command to go on.",
    )
