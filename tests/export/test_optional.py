"""What is missing is named, with the command that brings it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ns4d.errors import ConfigError
from ns4d.export.optional import require_packages

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_what_is_there_is_enough():
    require_packages("onnx", "onnx", "numpy")


def test_what_is_missing_is_named():
    with pytest.raises(ConfigError, match=r"--to nir: .* got no no_such_a, no_such_b") as caught:
        require_packages("nir", "numpy", "no_such_a", "no_such_b")
    assert caught.value.expected == "the packages numpy, no_such_a, no_such_b"
    assert 'pip install "ns4d[nir]"' in caught.value.fix


@pytest.mark.parametrize("extra", ["onnx", "nir"])
def test_the_extras_exist(extra):
    extras = tomllib.loads(PROJECT.read_text("utf-8"))["project"]["optional-dependencies"]
    assert any(entry.startswith(extra) for entry in extras[extra])
