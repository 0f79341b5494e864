"""A file is taken from the user's folder, and only without a folder is it downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from ns4d.data import obtain as module
from ns4d.data.obtain import obtain, places
from ns4d.errors import DataError


def test_it_is_looked_for_in_two_places():
    folder = Path("data")
    assert places(folder, "small", "x.gz") == (folder / "small" / "x.gz", folder / "x.gz")


def test_the_subfolder_comes_first(tmp_path: Path, pinned):
    direct, below = tmp_path / "small.bin", tmp_path / "small" / "small.bin"
    below.parent.mkdir()
    direct.touch()
    assert obtain(pinned(), tmp_path, "toy") == direct
    below.touch()
    assert obtain(pinned(), tmp_path, "toy") == below


def test_a_folder_is_not_a_file(tmp_path: Path, pinned):
    (tmp_path / "small.bin").mkdir()
    with pytest.raises(DataError, match="got neither"):
        obtain(pinned(), tmp_path, "toy")


def test_a_missing_file_is_named_with_the_command(tmp_path: Path, pinned):
    with pytest.raises(DataError) as caught:
        obtain(pinned(), tmp_path, "toy")
    assert str(caught.value) == (
        f"{tmp_path}: expected the file small/small.bin or small.bin, got neither. "
        "Put it there, or run `ns4d train toy --data-dir FOLDER` with the folder that has it; "
        "with neither --data-dir nor NS4D_DATA it is downloaded."
    )


def test_a_given_folder_is_never_filled(tmp_path: Path, pinned, serve):
    mirror = serve("good", b"the content of a small data set")
    folder = tmp_path / "given"
    folder.mkdir()
    with pytest.raises(DataError, match="got neither"):
        obtain(pinned(mirrors=(mirror,)), folder, "toy")
    assert list(folder.iterdir()) == []


def test_without_a_folder_it_is_downloaded_to_the_cache(tmp_path, pinned, serve, monkeypatch):
    mirror = serve("good", b"the content of a small data set")
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    found = obtain(pinned(mirrors=(mirror,)), None, "toy")
    assert found == tmp_path / "cache" / "small" / "small.bin"
    assert found.read_bytes() == b"the content of a small data set"
