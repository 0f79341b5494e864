"""The arrays of the Lava script: names, kinds, and an archive that depends on the chain alone."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest

from float_walk import programs
from ns4d.export.chain import Chain, Linear, Recurrence, Sum, chain_of
from ns4d.export.lava.parameters import EPOCH, to_arrays, to_bytes

CHAINS = [chain_of(program) for program in programs()]


@pytest.fixture(params=CHAINS, ids=lambda chain: chain.program.digest[:6])
def chain(request) -> Chain:
    return request.param


def test_every_array_of_the_chain_is_there(chain):
    arrays = to_arrays(chain)
    for link in (*chain.links, chain.readout):
        for field in link.__dataclass_fields__:
            value = getattr(link, field)
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(arrays.pop(f"{link.name}/{field}"), value)
    np.testing.assert_array_equal(arrays.pop("offset"), chain.offset)
    np.testing.assert_array_equal(arrays.pop("scale"), chain.scale)
    assert set(arrays) == {"links", "classes", "task"}


def test_the_links_stand_in_order_with_their_kinds(chain):
    kinds = {Linear: "linear", Recurrence: "recurrence", Sum: "sum"}
    links = json.loads(str(to_arrays(chain)["links"]))
    assert [link["name"] for link in links] == [link.name for link in chain.links]
    for described, link in zip(links, chain.links, strict=True):
        assert described["kind"] == kinds[type(link)]
        assert described["activation"] == link.activation.value
        assert described.get("source") == (link.source if isinstance(link, Sum) else None)


def test_the_archive_needs_no_pickle(chain):
    with np.load(io.BytesIO(to_bytes(chain)), allow_pickle=False) as arrays:
        for name, value in to_arrays(chain).items():
            np.testing.assert_array_equal(arrays[name], value)


def test_the_archive_tells_no_time(chain):
    with zipfile.ZipFile(io.BytesIO(to_bytes(chain))) as archive:
        assert {member.date_time for member in archive.infolist()} == {EPOCH}
    assert to_bytes(chain) == to_bytes(chain)
