"""Downloads from real servers on this machine: good, altered, missing, gone."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from ns4d.data.download import cache_folder, download
from ns4d.errors import DataError

CONTENT = b"the content of a small data set"
ALTERED = CONTENT.replace(b"small", b"large")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def closed() -> str:
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


def files_below(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_good_mirror_is_enough(cache: Path, pinned, serve):
    found = download(pinned(mirrors=(serve("good", CONTENT),)), cache, "toy")
    assert found == cache / "small" / "small.bin"
    assert found.read_bytes() == CONTENT


def test_a_file_in_the_cache_is_not_fetched_again(cache: Path, pinned, serve, closed):
    first = download(pinned(mirrors=(serve("good", CONTENT),)), cache, "toy")
    assert download(pinned(mirrors=(closed,)), cache, "toy") == first


def test_a_damaged_file_in_the_cache_is_replaced(cache: Path, pinned, serve):
    file = pinned(mirrors=(serve("good", CONTENT),))
    path = download(file, cache, "toy")
    path.write_bytes(ALTERED)
    assert download(file, cache, "toy").read_bytes() == CONTENT


@pytest.mark.parametrize("broken", ["altered", "missing", "closed"])
def test_the_next_mirror_is_tried(cache: Path, pinned, serve, closed, broken: str):
    first = {"altered": ALTERED, "missing": None, "closed": None}[broken]
    start = closed if broken == "closed" else serve(broken, first)
    file = pinned(mirrors=(start, serve("good", CONTENT)))
    assert download(file, cache, "toy").read_bytes() == CONTENT


def test_an_altered_file_is_refused_and_not_kept(cache: Path, pinned, serve):
    mirror = serve("altered", ALTERED)
    expected = rf"small\.bin: expected a download .* got {mirror} \(altered: wrong SHA-256\)"
    with pytest.raises(DataError, match=expected):
        download(pinned(mirrors=(mirror,)), cache, "toy")
    assert files_below(cache) == []


def test_a_missing_file_is_reported_with_the_status(cache: Path, pinned, serve):
    with pytest.raises(DataError, match=r"HTTPError: 404"):
        download(pinned(mirrors=(serve("missing", None),)), cache, "toy")
    assert files_below(cache) == []


def test_a_server_that_is_gone_is_reported(cache: Path, pinned, closed):
    with pytest.raises(DataError, match="ConnectionError"):
        download(pinned(mirrors=(closed,)), cache, "toy")


def test_the_message_lists_every_mirror_and_the_way_out(cache: Path, pinned, serve, closed):
    mirrors = (serve("altered", ALTERED), serve("missing", None), closed)
    with pytest.raises(DataError) as caught:
        download(pinned(mirrors=mirrors), cache, "toy")
    assert [mirror for mirror in mirrors if mirror in caught.value.got] == list(mirrors)
    assert caught.value.fix == (
        "Put it into FOLDER/small/small.bin by other means, "
        "then run `ns4d train toy --data-dir FOLDER`."
    )


def test_no_mirror_is_reported(cache: Path, pinned):
    with pytest.raises(DataError, match="got no mirror to try"):
        download(pinned(), cache, "toy")


def test_the_cache_is_the_users_own(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder().name == "ns4d"
    assert not cache_folder().exists()


def test_without_pooch_it_says_what_to_install(monkeypatch, cache: Path, pinned):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        DataError, match=r"not installed\. Run `pip install pooch`, or name a folder"
    ):
        download(pinned(), cache, "toy")
