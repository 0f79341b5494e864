"""A file is written whole or not at all, whatever goes wrong, and nothing is left lying about."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ns4d.errors import ArtefactError, ConfigError
from ns4d.storage import require_folder, write_atomically

OLD, NEW_BYTES, LIMIT = b"the old content", 200_000, 100_000

# The limit on the size of a file stands for a full disk: write() really fails halfway, or with
# the signal's own effect the process is really killed halfway.
WRITE_UNDER_LIMIT = f"""
import resource, signal, sys
from pathlib import Path
from ns4d.errors import ArtefactError
from ns4d.storage import write_atomically
signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))
try:
    write_atomically(Path(sys.argv[1]), bytes({NEW_BYTES}))
except ArtefactError as error:
    print(error)
"""

WRITE_FOR_EVER = """
import itertools, sys
from pathlib import Path
from ns4d.storage import write_atomically
for number in itertools.count():
    write_atomically(Path(sys.argv[1]), bytes([number % 256]) * 300_000)
    print(number, flush=True)
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


@pytest.fixture
def script(repository: Path):
    """Start a script on a file in a process of its own."""
    started = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(repository / "src")},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(path: Path, content: bytes, got: str) -> None:
    with pytest.raises(ArtefactError) as caught:
        write_atomically(path, content)
    assert str(caught.value) == (
        f"{path}: expected to write {len(content):,} bytes, got {got}. "
        "Free some space or choose another folder; what was there before is unchanged."
    )


@pytest.mark.parametrize("content", [b"", b"\x00\xff\n\r\n", bytes(3_000_000)], ids=len)
def test_it_writes_exactly_the_content(tmp_path, content):
    path = tmp_path / "a" / "b" / "file"
    write_atomically(path, content)
    assert path.read_bytes() == content
    assert names(path.parent) == ["file"]


def test_it_replaces_what_was_there(target):
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert names(target.parent) == ["file"]


def test_a_reader_keeps_the_file_it_opened(target):
    """The old file is replaced, not written into."""
    with target.open("rb") as reader:
        write_atomically(target, b"new")
        assert reader.read() == OLD


def test_others_may_read_it(target):
    """Unlike a temporary file."""
    write_atomically(target, b"new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_a_full_disk(script, target):
    output, _ = script(WRITE_UNDER_LIMIT, target, "SIG_IGN").communicate()
    assert output == (
        f"{target}: expected to write 200,000 bytes, got File too large. "
        "Free some space or choose another folder; what was there before is unchanged.\n"
    )
    assert target.read_bytes() == OLD
    assert names(target.parent) == ["file"]


def test_killed_halfway(script, target):
    process = script(WRITE_UNDER_LIMIT, target, "SIG_DFL")
    assert process.wait() == -signal.SIGXFSZ
    assert target.read_bytes() == OLD
    (left,) = (name for name in names(target.parent) if name != "file")
    assert (target.parent / left).stat().st_size == LIMIT, "it was killed while writing"


def test_killed_at_any_moment(script, tmp_path):
    """The file is one of the versions, and none older than the last that was announced."""
    path = tmp_path / "file"
    for life in range(4):
        process = script(WRITE_FOR_EVER, path)
        for _ in range(1 + 3 * life):
            announced = int(process.stdout.readline())
        process.kill()
        rest, _ = process.communicate()
        announced = max([announced, *map(int, rest.split())])
        versions = [bytes([number % 256]) * 300_000 for number in (announced, announced + 1)]
        assert path.read_bytes() in versions


def test_a_folder_below_a_file(target):
    refused(target / "file", b"new", "File exists")
    refused(target / "folder" / "file", b"new", "Not a directory")
    assert target.read_bytes() == OLD


def test_a_folder_in_its_place(tmp_path):
    (tmp_path / "file" / "inside").mkdir(parents=True)
    refused(tmp_path / "file", b"new", "Is a directory")
    assert names(tmp_path) == ["file"]
    assert names(tmp_path / "file") == ["inside"]


def test_a_name_that_is_too_long(tmp_path):
    refused(tmp_path / ("x" * 300), b"new", "File name too long")
    assert names(tmp_path) == []


class TestRequireFolder:
    def test_a_folder_there_or_yet_to_come_is_fine(self, tmp_path):
        require_folder("--out", tmp_path)
        require_folder("--out", tmp_path / "later")

    def test_a_file_is_refused_and_left(self, tmp_path):
        file = tmp_path / "file"
        file.write_text("mine", "utf-8")
        with pytest.raises(ConfigError, match="--out: expected a folder, got the file"):
            require_folder("--out", file)
        assert file.read_text("utf-8") == "mine"
