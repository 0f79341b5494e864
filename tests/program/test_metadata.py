"""Metadata holds text and JSON scalars, nothing that a file could not."""

from __future__ import annotations

import math

import pytest

from ns4d.errors import ConfigError
from ns4d.program import Metadata


def test_it_keeps_a_copy():
    provenance = {"seed": 1, "accuracy": 0.5, "done": True, "note": "ä", "none": None}
    metadata = Metadata("smnist", ("zero", "one"), provenance)
    provenance["seed"] = 2
    assert metadata.provenance["seed"] == 1
    with pytest.raises(TypeError):
        metadata.provenance["seed"] = 3  # type: ignore[index]


def test_provenance_may_be_empty():
    assert dict(Metadata("smnist", ("zero",)).provenance) == {}


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800", 2**63])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(
        ConfigError, match=r"^metadata provenance 'x': expected a finite JSON scalar, got"
    ):
        Metadata("smnist", ("zero",), {"x": value})


def test_text_that_utf8_cannot_hold_is_refused():
    with pytest.raises(ConfigError, match=r"^metadata task: expected text, got"):
        Metadata("\udc80", ("zero",))
    with pytest.raises(ConfigError, match=r"^metadata classes: expected a tuple of names, got"):
        Metadata("smnist", ("zero", "\udc80"))
    with pytest.raises(ConfigError, match=r"^metadata provenance key '\\udc80': expected text"):
        Metadata("smnist", ("zero",), {"\udc80": 1})


def test_no_classes_are_refused():
    with pytest.raises(
        ConfigError, match=r"^metadata classes: expected a tuple of names, got \(\)"
    ):
        Metadata("smnist", ())
