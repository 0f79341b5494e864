"""A folder of files is written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ns4d.errors import ArtefactError
from ns4d.export import folder as folder_module
from ns4d.export import write_folder

FILES = {"a.c": b"int a;\n", "sub/b.h": b"int b;\n"}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_new_folder_has_exactly_these_files(tmp_path):
    write_folder(tmp_path / "deep" / "out", FILES)
    assert contents(tmp_path) == {f"deep/out/{name}": content for name, content in FILES.items()}


def test_others_may_read_it(tmp_path):
    write_folder(tmp_path / "out", FILES)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out" / "a.c").stat().st_mode & 0o777 == 0o644


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    write_folder(tmp_path / "out", FILES)
    assert contents(tmp_path / "out") == FILES


def test_an_earlier_export_is_kept_unless_told_otherwise(tmp_path):
    write_folder(tmp_path / "out", {"a.c": b"old"})
    with pytest.raises(ArtefactError, match=r"got an earlier export\. Add --replace"):
        write_folder(tmp_path / "out", FILES)
    assert contents(tmp_path / "out") == {"a.c": b"old"}
    (tmp_path / "out" / "build").mkdir()
    (tmp_path / "out" / "build" / "a.o").write_bytes(b"old")
    write_folder(tmp_path / "out", FILES, replace=True)
    assert contents(tmp_path) == {f"out/{name}": content for name, content in FILES.items()}


def test_a_folder_with_other_files_is_never_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_bytes(b"years")
    with pytest.raises(ArtefactError, match=r"got one with thesis\.tex. Choose another folder"):
        write_folder(tmp_path / "out", FILES, replace=True)
    assert contents(tmp_path) == {"out/thesis.tex": b"years"}


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_bytes(b"file")
    with pytest.raises(ArtefactError, match="out: expected a new or empty folder, got a file"):
        write_folder(tmp_path / "out", FILES)
    assert contents(tmp_path) == {"out": b"file"}


@pytest.mark.parametrize("old", [None, {}, {"a.c": b"old"}], ids=["new", "empty", "replaced"])
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
@pytest.mark.parametrize("at", [1, 2])
def test_a_stop_at_any_file_leaves_what_was_there(tmp_path, monkeypatch, old, stop, at):
    out = tmp_path / "out"
    if old is not None:
        out.mkdir()
        for name, content in old.items():
            (out / name).write_bytes(content)
    written = []

    def failing(path: Path, content: bytes) -> None:
        written.append(path)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content[:3])
        if len(written) == at:
            raise stop

    monkeypatch.setattr(folder_module, "write_atomically", failing)
    with pytest.raises((KeyboardInterrupt, ArtefactError)):
        write_folder(out, FILES, replace=True)
    assert len(written) == at
    assert [path.name for path in tmp_path.iterdir()] == ([] if old is None else ["out"])
    assert old is None or contents(out) == old


def test_a_stop_at_the_last_rename_leaves_what_was_there(tmp_path, monkeypatch):
    write_folder(tmp_path / "out", {"a.c": b"old"})
    replace, calls = os.replace, []

    def failing(source: Path, target: Path) -> None:
        calls.append(Path(target))
        if Path(target) == tmp_path / "out" and calls.count(Path(target)) == 1:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(folder_module.os, "replace", failing)
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "out", FILES, replace=True)
    assert contents(tmp_path) == {"out/a.c": b"old"}


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtefactError, match="what was there before is unchanged"):
        write_folder(tmp_path / "file" / "out", FILES)
