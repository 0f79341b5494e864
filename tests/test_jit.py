"""What keeps machine code on disk: it follows its sources."""

from __future__ import annotations

from pathlib import Path

from ns4d.jit import stamp


def test_a_stamp_follows_every_source_of_the_folder(tmp_path: Path):
    (tmp_path / "a.py").write_text("x = 1\n")
    first = stamp(tmp_path)
    assert stamp(tmp_path) == first
    (tmp_path / "b.py").write_text("")
    (tmp_path / "a.py").write_text("x = 2\n")
    changed = stamp(tmp_path)
    assert changed != first
    (tmp_path / "notes.txt").write_text("none of its business")
    assert stamp(tmp_path) == changed
