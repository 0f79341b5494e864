"""Where a number was measured: machine, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from llvmlite.binding import get_host_cpu_name

PACKAGES = ("ns4d", "numpy", "numba", "torch", "onnxruntime", "safetensors")


def environment() -> dict[str, str | int]:
    """Machine, versions and commit of this process, for the record of a measurement.

    Returns:
        Plain values; the commit ends in `+changes` if the working tree differs from it.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": f"{_processor()}, {platform.machine()}",
        "microarchitecture": get_host_cpu_name(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


@cache
def commit() -> str:
    """The commit of this code, looked up once: its files may change while a long run goes on.

    Whoever writes a record at the end of something long calls it at the beginning.
    """
    head = _git("rev-parse", "HEAD")
    # Installed below somebody else's checkout, that one's commit says nothing about this code.
    if head is None or _git("ls-files", "--error-unmatch", __file__) is None:
        return "unknown (not in a git checkout)"
    return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
