"""Choosing by name: the row, or an error that lists what there is."""

from __future__ import annotations

import pytest

from ns4d.choice import choose
from ns4d.errors import ConfigError

TABLE = {"left": 1, "right": 2}


@pytest.mark.parametrize("name", TABLE)
def test_the_row_of_that_name(name):
    assert choose("--side", TABLE, name, "Leave it out.") == TABLE[name]


@pytest.mark.parametrize("name", ["", "Left", "middle"])
def test_an_unknown_name_is_an_error_that_lists_the_known(name):
    with pytest.raises(ConfigError) as caught:
        choose("--side", TABLE, name, "Leave it out.")
    error = caught.value
    assert (error.where, error.expected) == ("--side", "one of left, right")
    assert (error.got, error.fix) == (repr(name), "Leave it out.")
