"""Profiles as files: what is written comes back; what is wrong is named by its field."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.errors import ConfigError
from ns4d.numerics import (
    LOIHI2,
    PROFILES,
    WIDE,
    Arithmetic,
    ProductRounding,
    SynapseRounding,
    read_profile,
    write_profile,
)
from ns4d.numerics.arithmetic import WIDTHS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my.json"


@pytest.mark.parametrize("arithmetic", PROFILES.values(), ids=PROFILES)
def test_a_built_in_profile_comes_back(path, arithmetic):
    write_profile(arithmetic, path)
    assert read_profile(path) == arithmetic
    assert read_profile(str(path)) == arithmetic


@given(data=st.data())
def test_any_profile_comes_back(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("profiles") / "my.json"
    widths = {name: data.draw(st.integers(*between)) for name, between in WIDTHS.items()}
    product = data.draw(st.sampled_from(ProductRounding))
    synapse = data.draw(st.sampled_from(SynapseRounding))
    arithmetic = Arithmetic("mine", **widths, product_rounding=product, synapse_rounding=synapse)
    write_profile(arithmetic, path)
    assert read_profile(path) == arithmetic


def test_it_is_the_form_that_the_documents_show(path):
    path.write_text(
        """
    {"name": "narrow", "weight_bits": 4, "message_bits": 6, "coefficient_bits": 8,
     "state_bits": 16, "multiplier_bits": 16, "accumulator_bits": 24,
     "product_rounding": "each_toward_zero", "synapse_rounding": "floor"}"""
    )
    narrow = {"weight_bits": 4, "message_bits": 6, "coefficient_bits": 8, "state_bits": 16}
    assert read_profile(path) == replace(LOIHI2, name="narrow", **narrow)


def plain() -> dict:
    return {
        "name": "mine",
        **dict.fromkeys(WIDTHS, 8),
        "product_rounding": "sum_half_up",
        "synapse_rounding": "half_up",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state_bits": 33}, r"my\.json 'state_bits': expected an integer from 2 to 32, got 33"),
        ({"state_bits": 8.0}, r"'state_bits': expected an integer from 2 to 32, got 8\.0"),
        ({"state_bits": True}, r"'state_bits': expected an integer .*, got True"),
        ({"state_bits": None}, r"'state_bits': expected an integer .*, got None"),
        ({"weight_bits": "8"}, r"'weight_bits': expected an integer from 2 to 16, got '8'"),
        ({"name": "a b"}, r"'name': expected 1 to 32 letters, digits, '-' or '_', got 'a b'"),
        ({"name": 7}, r"'name': expected text, got 7"),
        ({"name": "loihi2"}, r"'name': expected a name of its own, got 'loihi2', the name of"),
        (
            {"product_rounding": "nearest"},
            r"'product_rounding': expected one of each_toward_zero, sum_half_up, got 'nearest'",
        ),
        ({"synapse_rounding": 3}, r"'synapse_rounding': expected one of floor, half_up, got 3"),
        ({"synapse_rounding": []}, r"'synapse_rounding': expected one of floor, half_up, got \[\]"),
        ({"state_bit": 8}, r"'state_bit': .* got no such field\. Did you mean 'state_bits'\?"),
        ({"zzz": 8}, r"'zzz': expected one of name, weight_bits, .*, got no such field\. Remove"),
    ],
)
def test_the_field_is_named(path, changes, message):
    path.write_text(json.dumps(plain() | changes))
    with pytest.raises(ConfigError, match=message) as caught:
        read_profile(path)
    assert str(path) in caught.value.where


@pytest.mark.parametrize("field", plain())
def test_every_field_is_needed(path, field):
    path.write_text(json.dumps({k: v for k, v in plain().items() if k != field}))
    with pytest.raises(ConfigError, match=rf"'{field}': expected a value, got none\. Give every"):
        read_profile(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a profile in JSON"),
        (b"\xff\xfe\xfd", "expected a profile in JSON"),
        (b"[1]", "expected a JSON object, got list"),
        (b"null", "expected a JSON object, got NoneType"),
        (b'{"name": "a", "name": "b"}', "expected a profile in JSON, got 'name' twice"),
        (b"[" * 60_000, "expected a profile in JSON, got"),
        (b'{"name": ' + b"1" * 9999 + b"}", "expected a profile in JSON, got"),
        (b" " * 70_000, "expected at most 65536 bytes, got more"),
    ],
)
def test_what_is_no_profile(path, content, message):
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_profile(path)


def test_a_missing_file(path):
    with pytest.raises(ConfigError, match=r"my\.json: expected a profile in JSON, got No such f"):
        read_profile(path)


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigError, match="expected to write a profile, got Is a directory"):
        write_profile(WIDE, tmp_path)
