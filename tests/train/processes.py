"""Trainings in processes of their own, as a test sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Training:
    """A training in a process of its own."""

    nursery: Nursery
    pid: int
    output: Path

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        self.nursery.ask({"signal": self.pid, "number": number})

    def wait(self) -> int:
        """Its exit status; negative, the signal that ended it."""
        return self.nursery.ask({"wait": self.pid})

    @property
    def running(self) -> bool:
        return self.nursery.ask({"running": self.pid}) == 1

    @property
    def text(self) -> str:
        return self.output.read_text()


class Nursery:
    """Starts trainings by forking a process that has loaded everything."""

    def __init__(self, scratch: Path) -> None:
        self._scratch, self._count = scratch, 0
        path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
        self._process = subprocess.Popen(
            [sys.executable, str(TESTS / "train" / "nursery.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )

    def ask(self, order: dict[str, Any]) -> Any:
        """The nursery's answer to one order."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, folder: Path, **order: Any) -> Training:
        """Start a training into a folder; see `nursery.run` for what else can be ordered."""
        self._count += 1
        output = self._scratch / f"{self._count}.txt"
        defaults = {
            "recipe": "restless_recipe",
            "overrides": [],
            "checkpoint_seconds": 0.0,
            "line_seconds": 30.0,
            "print_seeds": False,
            "signals": [],
            "environment": {},
            "file_bytes": None,
        }
        chosen = defaults | order | {"folder": str(folder), "output": str(output)}
        return Training(self, self.ask(chosen), output)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
