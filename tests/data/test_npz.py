"""Reading .npz: a round trip, and a clear refusal of everything damaged or pickled."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ns4d.data.npz import read_npz
from ns4d.errors import DataError

FIX = "Save it again."
REFUSED = r"x\.npz: expected a \.npz file of numbers and text, got "


def saved(compress: bool = False, **arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("npz") / "x.npz"


@given(
    compress=st.booleans(),
    first=hnp.arrays(
        st.sampled_from([np.uint8, np.int64, np.float32]), hnp.array_shapes(min_side=0)
    ),
    second=hnp.arrays(np.dtype("U5"), 3, elements=st.text("abcé", max_size=5)),
)
def test_round_trip(path: Path, compress: bool, first: np.ndarray, second: np.ndarray):
    path.write_bytes(saved(compress, first=first, second=second))
    found = read_npz(path, FIX)
    assert list(found) == ["first", "second"]
    for name, array in (("first", first), ("second", second)):
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array, equal_nan=array.dtype.kind == "f")


def test_objects_are_never_unpickled(path: Path, tmp_path: Path):
    touched = tmp_path / "touched"

    class Evil:
        def __reduce__(self):
            return Path.touch, (touched,)

    path.write_bytes(saved(tokens=np.array([Evil()], dtype=object)))
    with pytest.raises(DataError, match=REFUSED + "ValueError: Object arrays cannot be loaded"):
        read_npz(path, FIX)
    assert not touched.exists()


def test_a_bare_pickle_is_refused(path: Path):
    path.write_bytes(pickle.dumps({"tokens": [1]}))
    with pytest.raises(DataError, match=REFUSED + "BadZipFile"):
        read_npz(path, FIX)


def test_a_single_array_is_refused(path: Path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=REFUSED + r"BadZipFile: .* Save it again\."):
        read_npz(path, FIX)


def test_another_kind_of_zip_is_refused(path: Path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(DataError, match=REFUSED):
        read_npz(path, FIX)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"x\.npz: expected a file at /.*x\.npz, got none\."):
        read_npz(tmp_path / "x.npz", FIX)


def test_a_folder_is_refused(tmp_path: Path):
    (tmp_path / "x.npz").mkdir()
    with pytest.raises(DataError, match=REFUSED + "IsADirectoryError"):
        read_npz(tmp_path / "x.npz", FIX)


def test_a_header_that_claims_too_much_is_refused(path: Path):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tokens.npy", buffer.getvalue())
    with pytest.raises(DataError, match=REFUSED):
        read_npz(path, FIX)


@given(compress=st.booleans(), data=st.data())
def test_a_truncated_file_is_refused(path: Path, compress: bool, data: st.DataObject):
    whole = saved(compress, tokens=np.arange(30), labels=np.arange(5))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DataError, match=REFUSED):
        read_npz(path, FIX)


@given(compress=st.booleans(), value=st.integers(1, 255), data=st.data())
def test_an_altered_byte_changes_no_number(path, compress: bool, value: int, data: st.DataObject):
    """Either it is refused, or it was in a part of the container that carries no number."""
    arrays = {"tokens": np.arange(30), "labels": np.arange(5)}
    content = bytearray(saved(compress, **arrays))
    content[data.draw(st.integers(0, len(content) - 1))] ^= value
    path.write_bytes(content)
    try:
        found = read_npz(path, FIX)
    except DataError:
        return
    values = {array.tobytes() for array in arrays.values()}
    assert {array.tobytes() for array in found.values()} <= values


def test_a_shortened_header_is_refused(path: Path):
    """The numbers it claims are all there, so only the checksum of the whole can tell."""
    whole = saved(tokens=np.arange(30000))
    assert whole.count(b"(30000,)") == 1
    path.write_bytes(whole.replace(b"(30000,)", b"(20000,)"))
    with pytest.raises(DataError, match=REFUSED + "BadZipFile: Bad CRC-32 for file 'tokens.npy'"):
        read_npz(path, FIX)


def test_duplicate_names_are_harmless(path: Path):
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for value in (1, 2):
            buffer = io.BytesIO()
            np.save(buffer, np.array([value]))
            archive.writestr("tokens.npy", buffer.getvalue())
    assert read_npz(path, FIX)["tokens"].tolist() == [2]
