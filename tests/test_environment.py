"""What a record says of the code: its own commit, or that there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from llvmlite import binding

from ns4d import environment as module

UNKNOWN = "unknown (not in a git checkout)"


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit_seen_by(path: Path) -> str:
    """What a copy of the module at that place takes for its commit."""
    code = (
        "import importlib.util as u, sys\n"
        "spec = u.spec_from_file_location('copy', sys.argv[1])\n"
        "copy = u.module_from_spec(spec)\n"
        "sys.modules['copy'] = copy\n"
        "spec.loader.exec_module(copy)\n"
        "print(copy.commit())"
    )
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_only_a_checkout_that_has_the_code_names_its_commit(tmp_path):
    path = tmp_path / ".venv" / "environment.py"
    path.parent.mkdir()
    shutil.copy(str(module.__file__), path)
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "somebody's own project")
    assert commit_seen_by(path) == UNKNOWN
    git(tmp_path, "add", "-f", ".venv")
    git(tmp_path, "commit", "-q", "-m", "with the code")
    assert commit_seen_by(path) == git(tmp_path, "rev-parse", "HEAD")
    path.write_text(path.read_text() + "\n")
    assert commit_seen_by(path).endswith("+changes")


def test_the_commit_is_that_of_the_first_call(monkeypatch):
    """Whoever commits meanwhile does not change what code a record came from."""
    module.commit.cache_clear()
    first = module.commit()
    monkeypatch.setattr(module, "_git", lambda *_: "another")
    assert module.commit() == module.environment()["commit"] == first != "another"


def test_a_record_tells_what_kernels_are_compiled_for():
    """Processors of one name differ in it, as an AMD EPYC with AVX-512 and one without."""
    assert module.environment()["microarchitecture"] == binding.get_host_cpu_name() != ""
