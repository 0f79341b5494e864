"""The original CIFAR-10 batches: written here as Python 2 wrote them, read back, and attacked."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from ns4d.data.cifar_batches import BATCH_MD5, TARBALL, read_folder, read_tarball, to_split
from ns4d.data.pinned import PinnedFile
from ns4d.errors import DataError

TASK = "scifar"
COUNT = 3
FOLDER = "cifar-10-batches-py"


def text(value: bytes) -> bytes:
    """A Python 2 str in pickle protocol 2: SHORT_BINSTRING below 256 bytes, else BINSTRING."""
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + struct.pack("<i", len(value)) + value


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def array(values: np.ndarray) -> bytes:
    """A uint8 matrix as NumPy 1 under Python 2 reduced it, opcode by opcode."""
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + integer(0) + b"t"
    kind = b"cnumpy\ndtype\n(" + text(b"u1") + integer(0) + integer(1) + b"tR"
    state = b"(" + integer(3) + text(b"|") + b"NNN" + integer(-1) * 2 + integer(0) + b"tb"
    shape = b"(" + b"".join(map(integer, values.shape)) + b"t"
    content = b"(" + integer(1) + shape + kind + state + b"\x89" + text(values.tobytes()) + b"tb"
    return empty + text(b"b") + b"tR" + content


def batch(pixels: bytes, labels: list[int], label_key: bytes = b"labels") -> bytes:
    """One batch file: a dict with four keys, of which two are read."""
    listed = b"](" + b"".join(map(integer, labels)) + b"e"
    names = b"](" + b"".join(text(b"leptodactylus_%d.png" % n) for n in labels) + b"e"
    entries = text(b"batch_label") + text(b"training batch 1 of 5") + text(label_key) + listed
    entries += text(b"data") + pixels + text(b"filenames") + names
    return b"\x80\x02}(" + entries + b"u."


def images() -> dict[str, tuple[np.ndarray, list[int]]]:
    generator = np.random.RandomState(7)
    return {
        name: (
            generator.randint(0, 256, (COUNT, 3072)).astype(np.uint8),
            generator.randint(0, 10, COUNT).tolist(),
        )
        for name in BATCH_MD5
    }


def originals() -> dict[str, bytes]:
    return {name: batch(array(pixels), labels) for name, (pixels, labels) in images().items()}


def tarball(path: Path, batches: dict[str, bytes], mode: str = "w:gz") -> PinnedFile:
    """Write the batches as the original tarball lays them out; its description."""
    with tarfile.open(path, mode) as archive:  # pyright: ignore
        folder = tarfile.TarInfo(FOLDER)
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in {"readme.html": b"<html>", **batches}.items():
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return pin(path)


def pin(path: Path) -> PinnedFile:
    content = path.read_bytes()
    return PinnedFile(path.name, "cifar10", len(content), hashlib.sha256(content).hexdigest())


def unpacked(folder: Path, batches: dict[str, bytes]) -> dict[str, str]:
    """Write the batches as files; their checksums."""
    for name, content in batches.items():
        (folder / name).write_bytes(content)
    digest = {n: hashlib.md5(c, usedforsecurity=False).hexdigest() for n, c in batches.items()}
    return {name: digest.get(name, "") for name in BATCH_MD5}


def token(pixels: np.ndarray, image: int, row: int, column: int) -> list[int]:
    """Red, green, blue of one pixel, by the published layout: 1024 of each, row by row."""
    return [int(pixels[image, 1024 * colour + 32 * row + column]) for colour in range(3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / TARBALL.name


def test_the_hand_written_pickle_is_what_python_reads():
    """The writer above is right: the unrestricted reader agrees with it."""
    pixels, labels = images()["data_batch_1"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # numpy.core has moved since
        found = pickle.loads(batch(array(pixels), labels), encoding="bytes")
    assert found[b"labels"] == labels
    assert np.array_equal(found[b"data"], pixels)
    assert found[b"batch_label"] == b"training batch 1 of 5"


def check(train, test) -> None:
    """Every pixel of every image where the published layout puts it."""
    names, source = list(BATCH_MD5), images()
    assert (len(train), len(test)) == (5 * COUNT, COUNT)
    for number, name in enumerate(names):
        split, first = (test, 0) if name == "test_batch" else (train, number * COUNT)
        pixels, labels = source[name]
        assert split.labels[first : first + COUNT].tolist() == labels
        for image in range(COUNT):
            for row, column in ((0, 0), (0, 31), (31, 0), (13, 7), (31, 31)):
                found = split.tokens[first + image, 32 * row + column].tolist()
                assert found == token(pixels, image, row, column)
    assert train.tokens.dtype == np.uint8
    assert (train.lengths == 1024).all()


def test_the_tarball_is_read(path: Path):
    check(*read_tarball(path, TASK, tarball(path, originals())))


def test_the_folder_is_read(tmp_path: Path):
    check(*read_folder(tmp_path, TASK, unpacked(tmp_path, originals())))


def test_the_order_of_the_members_does_not_matter(path: Path):
    backwards = dict(reversed(originals().items()))
    check(*read_tarball(path, TASK, tarball(path, backwards)))


def test_to_split_interleaves_the_colours():
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 12)
    found = to_split(pixels, np.zeros(1, dtype=np.int64))
    assert found.tokens.tolist() == [[[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]]


def test_the_original_tarball_is_pinned():
    assert TARBALL.size == 170498071
    assert TARBALL.mirrors == ("https://www.cs.toronto.edu/~kriz/",)


def test_a_tarball_of_another_size_is_refused_first(path: Path):
    tarball(path, originals())
    expected = rf"{TARBALL.name}: expected 170498071 bytes, got {path.stat().st_size} bytes"
    with pytest.raises(DataError, match=expected):
        read_tarball(path, TASK)


def test_an_altered_tarball_is_refused(path: Path):
    pinned = tarball(path, originals())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"expected SHA-256 {pinned.sha256}"):
        read_tarball(path, TASK, pinned)


@pytest.mark.parametrize("content", [b"not a tarball", b"\x1f\x8b\x08\x00 broken"])
def test_something_else_is_refused(path: Path, content: bytes):
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"expected a gzip tarball, got .* Fetch it again, then run"
    ):
        read_tarball(path, TASK, pin(path))


def test_a_truncated_tarball_is_refused(path: Path):
    tarball(path, originals())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match="expected a gzip tarball, got"):
        read_tarball(path, TASK, pin(path))


@pytest.mark.parametrize("name", list(BATCH_MD5))
def test_a_missing_batch_is_named(path: Path, tmp_path: Path, name: str):
    batches = originals()
    del batches[name]
    with pytest.raises(DataError, match=f"expected the batch {name}, got .*data_batch_"):
        read_tarball(path, TASK, tarball(path, batches))
    with pytest.raises(DataError, match=f"expected the batch {name}, got .*data_batch_"):
        read_folder(tmp_path, TASK, unpacked(tmp_path, batches))


def test_an_empty_folder_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="expected the batch data_batch_1, got none"):
        read_folder(tmp_path, TASK)


def test_an_altered_batch_is_named(tmp_path: Path):
    md5 = unpacked(tmp_path, originals())
    content = bytearray((tmp_path / "data_batch_4").read_bytes())
    content[100] ^= 1
    (tmp_path / "data_batch_4").write_bytes(content)
    expected = f"data_batch_4: expected MD5 {md5['data_batch_4']}, got .* Unpack cifar-10-python"
    with pytest.raises(DataError, match=expected):
        read_folder(tmp_path, TASK, md5)


def test_batches_are_compared_with_the_published_ones(tmp_path: Path):
    unpacked(tmp_path, originals())
    with pytest.raises(
        DataError, match="data_batch_1: expected MD5 c99cafc152244af753f735de768cd7"
    ):
        read_folder(tmp_path, TASK)


class TestMalicious:
    """A pickle with the right checksum still runs nothing."""

    def refuse(self, folder: Path, content: bytes, match: str) -> None:
        batches = {**originals(), "data_batch_2": content}
        where = r"data_batch_2: expected a pickled dict with data and labels, got "
        with pytest.raises(DataError, match=where + match):
            read_folder(folder, TASK, unpacked(folder, batches))

    def test_a_command_is_not_run(self, tmp_path: Path):
        touched = tmp_path / "touched"

        class Evil:
            def __reduce__(self):
                return os.system, (f"touch {touched}",)

        content = pickle.dumps({"data": Evil()}, protocol=2)
        self.refuse(tmp_path, content, r".*it asks for posix\.system, which is refused")
        assert not touched.exists()

    @pytest.mark.parametrize(
        "name",
        [
            "builtins eval",
            "builtins getattr",
            "__builtin__ eval",
            "os system",
            "subprocess Popen",
            "numpy load",
            "numpy f2py",
            "numpy.core.multiarray scalar",
            "numpy ndarray.tofile",
        ],
    )
    def test_only_the_parts_of_an_array_are_found(self, tmp_path: Path, name: str):
        module, attribute = name.split()
        content = batch(f"c{module}\n{attribute}\n".encode(), [0])
        self.refuse(
            tmp_path, content, rf"UnpicklingError: it asks for {module}\.{attribute}, which"
        )

    def test_an_extension_or_persistent_object_is_refused(self, tmp_path: Path):
        self.refuse(tmp_path, batch(b"\x82\x01", [0]), "ValueError: unregistered extension code 1")
        self.refuse(tmp_path, batch(b"Psecret\n", [0]), "UnpicklingError")

    @pytest.mark.parametrize("content", [b"", b"\x80\x02}", b"garbage", b"\x80\x02K\x01."])
    def test_what_is_no_pickled_dict_is_refused(self, tmp_path: Path, content: bytes):
        self.refuse(tmp_path, content, "")

    def test_every_truncation_is_refused(self, tmp_path: Path):
        whole = originals()["data_batch_2"]
        for cut in (1, 30, 200, len(whole) // 2, len(whole) - 1):
            self.refuse(tmp_path, whole[:cut], "")


class TestMalformed:
    """A batch with the right checksum and the wrong content names itself."""

    def refuse(self, folder: Path, content: bytes, match: str) -> None:
        batches = {**originals(), "test_batch": content}
        with pytest.raises(DataError, match=f"test_batch: expected {match}"):
            read_folder(folder, TASK, unpacked(folder, batches))

    def test_labels_are_needed(self, tmp_path: Path):
        content = batch(array(np.zeros((1, 3072), dtype=np.uint8)), [0], b"fine_labels")
        self.refuse(tmp_path, content, "a pickled dict .* got KeyError: b'labels'")

    def test_data_is_an_array(self, tmp_path: Path):
        self.refuse(tmp_path, batch(text(b"abc"), [0]), "data in uint8, got bytes")

    @pytest.mark.parametrize("shape", [(2, 3072), (1, 1024), (3072,)])
    def test_data_has_an_image_per_label(self, tmp_path: Path, shape: tuple[int, ...]):
        content = batch(array(np.zeros(shape, dtype=np.uint8)), [0])
        self.refuse(tmp_path, content, r"data of shape \(1, 3072\), got \(")
