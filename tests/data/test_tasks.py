"""The table of tasks: found by name, fed from the right folder, loaded without heavy imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ns4d.data
from ns4d.data import TASKS, Dataset, Permutation, Task, load_task
from ns4d.data import tasks as module
from ns4d.errors import ConfigError, DataError


@pytest.fixture
def asked(monkeypatch) -> list[Path | None]:
    """The folders that a stand-in for smnist was asked to read."""
    folders: list[Path | None] = []

    def load(data_dir: Path | None) -> Dataset:
        folders.append(data_dir)
        return TASKS["digits"].load(None)

    row = Task("smnist", "a stand-in", load)
    monkeypatch.setattr(module, "TASKS", {**TASKS, "smnist": row})
    monkeypatch.delenv("NS4D_DATA", raising=False)
    return folders


class TestTable:
    def test_the_rows(self):
        assert list(TASKS) == ["digits", "smnist", "psmnist", "scifar"]

    @pytest.mark.parametrize("name", TASKS)
    def test_a_row_describes_itself(self, name: str):
        assert TASKS[name].name == name
        assert 10 < len(TASKS[name].summary) < 80
        assert "\n" not in TASKS[name].summary

    def test_it_cannot_be_changed(self):
        with pytest.raises(TypeError, match="does not support item assignment"):
            TASKS["mine"] = TASKS["digits"]  # pyright: ignore

    def test_a_row_loads_what_it_is_named(self):
        """The other rows are loaded by name in the fixtures of their own tests."""
        assert load_task("digits").task == "digits"

    def test_the_public_names_are_exported(self):
        expected = "Dataset Normalization Permutation Split TASKS Task load_task"
        assert sorted(ns4d.data.__all__, key=str.lower) == sorted(expected.split(), key=str.lower)
        assert all(hasattr(ns4d.data, name) for name in ns4d.data.__all__)


class TestName:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [("smnits", "smnist"), ("PSMNIST", "psmnist"), ("cifar", "scifar"), ("digit", "digits")],
    )
    def test_the_nearest_name_is_proposed(self, typed: str, meant: str):
        expected = (
            r"^task: expected one of digits, smnist, psmnist, scifar, or the path of a \.npz file, "
            rf"got '{typed}'\. Did you mean '{meant}'\?$"
        )
        with pytest.raises(ConfigError, match=expected):
            load_task(typed)

    @pytest.mark.parametrize("typed", ["", "zzz", "recording.csv"])
    def test_without_a_near_name_it_says_how_to_start(self, typed: str):
        with pytest.raises(ConfigError, match=rf"got '{typed}'\. Start with `ns4d train digits`\."):
            load_task(typed)


class TestFolder:
    def test_the_argument_comes_first(self, asked, monkeypatch, tmp_path: Path):
        monkeypatch.setenv("NS4D_DATA", "/nowhere")
        load_task("smnist", tmp_path)
        load_task("smnist", str(tmp_path))
        assert asked == [tmp_path, tmp_path]

    def test_then_the_environment(self, asked, monkeypatch, tmp_path: Path):
        monkeypatch.setenv("NS4D_DATA", str(tmp_path))
        load_task("smnist")
        assert asked == [tmp_path]

    def test_then_the_download(self, asked, monkeypatch):
        load_task("smnist")
        monkeypatch.setenv("NS4D_DATA", "")
        load_task("smnist")
        assert asked == [None, None]

    def test_the_home_folder_may_be_short(self, asked, monkeypatch, tmp_path: Path):
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "data").mkdir()
        load_task("smnist", "~/data")
        assert asked == [tmp_path / "data"]

    def test_a_wrong_argument_is_named(self, asked, tmp_path: Path):
        expected = (
            rf"^--data-dir {tmp_path}/none: expected a folder with data sets, got no such folder\. "
            r"Name one that exists, or leave --data-dir out to download"
        )
        with pytest.raises(ConfigError, match=expected):
            load_task("smnist", tmp_path / "none")
        assert asked == []

    def test_a_wrong_variable_is_named(self, asked, monkeypatch, tmp_path: Path):
        (tmp_path / "file").touch()
        monkeypatch.setenv("NS4D_DATA", str(tmp_path / "file"))
        expected = rf"^NS4D_DATA {tmp_path}/file: expected a folder .* got a file\. Name one that"
        with pytest.raises(ConfigError, match=expected):
            load_task("smnist")
        assert asked == []

    def test_an_empty_folder_names_the_file_and_the_command(self, monkeypatch, tmp_path: Path):
        monkeypatch.setenv("NS4D_DATA", str(tmp_path))
        expected = (
            r"expected the file mnist/train-images-idx3-ubyte\.gz .* `ns4d train smnist --dat"
        )
        with pytest.raises(DataError, match=expected):
            load_task("smnist")

    def test_bundled_data_need_no_folder(self, monkeypatch):
        monkeypatch.setenv("NS4D_DATA", "/nowhere")
        assert load_task("digits", "/nowhere/either").length == 64


class TestPermutation:
    @pytest.mark.parametrize("permutation", Permutation)
    def test_it_is_applied_and_named(self, permutation: Permutation):
        plain, shown = load_task("digits"), load_task("digits", permutation=permutation)
        assert shown.permutation == permutation.value
        order = permutation.order(64)
        assert np.array_equal(shown.test.tokens, plain.test.tokens[:, order])


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(ns4d.data.__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": source, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_importing_loads_nothing_heavy():
    code = "import sys, ns4d.data; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    ran = run_python(code)
    assert ran.returncode == 0, ran.stderr
    assert not set(ran.stdout.split()) & {"sklearn", "pooch", "PIL", "torch", "requests", "scipy"}


def test_a_given_folder_needs_no_pooch(data_dir: Path):
    code = "import sys, ns4d.data as d; d.load_task('smnist'); print('pooch' in sys.modules)"
    ran = run_python(code, NS4D_DATA=str(data_dir))
    assert (ran.stdout.strip(), ran.stderr) == ("False", "")
