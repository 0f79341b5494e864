"""The real data sets, loaded once, plus private copies that a test may damage."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ns4d.data import Dataset, Split, load_task
from ns4d.data.pinned import PinnedFile

CONTENT = b"the content of a small data set"


@pytest.fixture(scope="session")
def smnist(data_dir: Path) -> Dataset:
    """The real MNIST as sequences."""
    return load_task("smnist", data_dir)


@pytest.fixture
def mnist_copy(data_dir: Path, tmp_path: Path) -> Path:
    """A data folder whose mnist/ holds links to the real files; replace one to damage it."""
    folder = tmp_path / "data"
    (folder / "mnist").mkdir(parents=True)
    for path in (data_dir / "mnist").glob("*.gz"):
        (folder / "mnist" / path.name).symlink_to(path)
    return folder


@pytest.fixture
def replace_file() -> Callable[[Path, bytes], None]:
    """Replace a link by a file with other content, leaving the original alone."""

    def replace(path: Path, content: bytes) -> None:
        path.unlink()
        path.write_bytes(content)

    return replace


@pytest.fixture
def pinned() -> Callable[..., PinnedFile]:
    """Describe a small file; its content is CONTENT unless another is given."""

    def describe(content: bytes = CONTENT, mirrors: tuple[str, ...] = ()) -> PinnedFile:
        digest = hashlib.sha256(content).hexdigest()
        return PinnedFile("small.bin", "small", len(content), digest, mirrors)

    return describe


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str, bytes | None], str]]:
    """Start a mirror on this machine that serves small.bin, or nothing; gives its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(name: str, content: bytes | None) -> str:
        folder = tmp_path / "mirrors" / name
        folder.mkdir(parents=True)
        if content is not None:
            (folder / "small.bin").write_bytes(content)
        handler = functools.partial(QuietHandler, directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder without logging."""

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def make_split() -> Callable[..., Split]:
    """A small part with distinct tokens, all of full length unless lengths are given."""

    def make(count: int = 6, length: int = 4, inputs: int = 2, lengths=None, offset=0) -> Split:
        tokens = np.arange(count * length * inputs, dtype=np.float32) + offset
        full = np.full(count, length, dtype=np.int64)
        return Split(
            tokens.reshape(count, length, inputs),
            np.arange(count, dtype=np.int64) % 2,
            full if lengths is None else np.array(lengths, dtype=np.int64),
        )

    return make
