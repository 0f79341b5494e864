"""Every way a user's file can be wrong is named by file, key, index, with what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.data.own import load_own
from ns4d.errors import DataError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


def refuse(folder: Path, match: str, **changes: object) -> None:
    """Save good arrays with some changes (None leaves a key out) and expect the message."""
    path = folder / "mine.npz"
    arrays: dict[str, object] = {
        "tokens": np.arange(240, dtype=np.float32).reshape(20, 4, 3),
        "labels": np.arange(20) % 2,
        "lengths": np.full(20, 4),
        "split": np.arange(20) // 2 % 3,
        **changes,
    }
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})  # pyright: ignore
    with pytest.raises(DataError, match=r"mine\.npz" + match):
        load_own(path)


def altered(value: object, key: str = "tokens") -> np.ndarray:
    """Good tokens with one bad value at sequence 3, step 2, channel 1."""
    tokens = np.arange(240, dtype=np.float64).reshape(20, 4, 3)
    tokens[3, 2, 1] = value
    return tokens


class TestKeys:
    @pytest.mark.parametrize("key", ["tokens", "labels"])
    def test_a_required_key_is_named(self, folder: Path, key: str):
        match = r": expected the keys tokens, labels, got .*lengths, split\. Save it with np\.savez"
        refuse(folder, match, **{key: None})

    def test_a_misspelled_key_is_not_ignored(self, folder: Path):
        match = ": expected only the keys .*, got 'length'. Rename the key or leave it out"
        refuse(folder, match, length=np.full(20, 4))

    def test_an_unnamed_array_is_not_ignored(self, folder: Path):
        refuse(folder, ": expected only the keys .*, got 'arr_0'", arr_0=np.zeros(3))


class TestTokens:
    @pytest.mark.parametrize("shape", [(20,), (20, 4, 3, 1), (20, 0, 3), (20, 4, 0), (0, 4, 3)])
    def test_two_or_three_axes(self, folder: Path, shape: tuple[int, ...]):
        match = r", tokens: expected shape \(sequences, length, inputs\) or .*, got shape \("
        refuse(folder, match, tokens=np.zeros(shape))

    @pytest.mark.parametrize("dtype", ["U3", "c8", "?", "M8[s]", "S2"])
    def test_numbers(self, folder: Path, dtype: str):
        tokens = np.zeros((20, 4, 3)).astype(dtype)
        refuse(folder, ", tokens: expected whole numbers or floats, got", tokens=tokens)

    def test_objects_are_refused(self, folder: Path):
        ragged = np.array([[1, 2], [3]], dtype=object)
        refuse(folder, r": expected a \.npz file .* ValueError: Object arrays", tokens=ragged)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39, -1e300])
    def test_finite_in_float32(self, folder: Path, bad: float):
        got = str(np.float64(bad)).replace("+", r"\+")
        match = rf", tokens\[3, 2, 1\]: expected a finite number within float32, got {got}\."
        refuse(folder, match, tokens=altered(bad))

    def test_the_padding_may_be_anything(self, folder: Path):
        path = folder / "padded.npz"
        lengths = np.full(20, 2)
        np.savez(path, tokens=altered(np.nan), labels=np.arange(20) % 2, lengths=lengths)
        assert load_own(path).length == 4

    @given(sequence=st.integers(0, 19), step=st.integers(0, 3), channel=st.integers(0, 2))
    def test_the_index_is_the_bad_one(self, folder, sequence: int, step: int, channel: int):
        tokens = np.zeros((20, 4, 3))
        tokens[sequence, step, channel] = np.nan
        refuse(folder, rf", tokens\[{sequence}, {step}, {channel}\]: expected a f", tokens=tokens)


class TestLabels:
    def test_one_per_sequence(self, folder: Path):
        match = r", labels: expected whole numbers of shape \(20,\), got int64 of shape \(19,\)"
        refuse(folder, match, labels=np.zeros(19, dtype=np.int64))

    def test_not_one_hot(self, folder: Path):
        match = r", labels: expected whole numbers of shape \(20,\), got int64 of shape \(20, 2\)"
        refuse(folder, match, labels=np.zeros((20, 2), dtype=np.int64))

    def test_whole_numbers(self, folder: Path):
        match = ", labels: expected whole numbers .* got float64 .* one whole number per sequence"
        refuse(folder, match, labels=np.zeros(20))

    @pytest.mark.parametrize("bad", [-1, 20, 10**12])
    def test_in_range(self, folder: Path, bad: int):
        labels = np.arange(20) % 2
        labels[7] = bad
        refuse(
            folder, rf", labels\[7\]: expected 0 to 19, got {bad}\. Correct labels", labels=labels
        )

    def test_a_huge_unsigned_label_does_not_wrap(self, folder: Path):
        labels = (np.arange(20) % 2).astype(np.uint64)
        labels[5] = 2**64 - 1
        refuse(folder, r", labels\[5\]: expected 0 to 19, got 18446744073709551615", labels=labels)

    def test_counted_from_0(self, folder: Path):
        match = ", labels: expected each class 0 to 2 in the train part, got none of class 0"
        refuse(folder, match, labels=np.arange(20) % 2 + 1)

    def test_without_gaps(self, folder: Path):
        match = ", labels: expected each class 0 to 2 .* got none of class 1. Number the classes"
        refuse(folder, match, labels=np.arange(20) % 2 * 2)

    def test_more_than_one_class(self, folder: Path):
        match = ", labels: expected at least 2 classes, got 1"
        refuse(folder, match, labels=np.zeros(20, dtype=np.int64))

    def test_each_class_can_be_learned(self, folder: Path):
        split = np.where(np.arange(20) % 2, 0, 2)
        split[1] = 1
        match = ", labels: expected each class 0 to 1 in the train part, got none of class 0"
        refuse(folder, match, split=split)


class TestLengths:
    @pytest.mark.parametrize("bad", [0, -3, 5])
    def test_in_range(self, folder: Path, bad: int):
        lengths = np.full(20, 4)
        lengths[11] = bad
        refuse(folder, rf", lengths\[11\]: expected 1 to 4, got {bad}\. Correct", lengths=lengths)

    def test_one_per_sequence(self, folder: Path):
        match = r", lengths: expected whole numbers of shape \(20,\), got int64 of shape \(\)"
        refuse(folder, match, lengths=np.array(4))


class TestSplit:
    @pytest.mark.parametrize("bad", [-1, 3])
    def test_in_range(self, folder: Path, bad: int):
        split = np.arange(20) % 3
        split[4] = bad
        refuse(folder, rf", split\[4\]: expected 0 to 2, got {bad}\.", split=split)

    def test_one_per_sequence(self, folder: Path):
        match = r", split: expected whole numbers of shape \(20,\), got <U5 of shape \(20,\)"
        refuse(folder, match, split=np.array(["train"] * 20))

    def test_a_test_part_is_needed(self, folder: Path):
        match = (
            ": expected at least one test sequence, got 10 train, 10 validation, 0 test. "
            "Add sequences, or assign them by the key split: 0 train, 1 validation, 2 test"
        )
        refuse(folder, match, split=np.repeat([0, 1], 10))

    def test_a_train_part_is_needed(self, folder: Path):
        match = ": expected at least one train sequence, got 0 train, 10 validation, 10 test"
        refuse(folder, match, split=np.repeat([1, 2], 10))

    def test_too_few_sequences_to_split(self, folder: Path):
        match = ": expected at least one validation sequence, got 2 train, 0 validation, 0 test"
        tokens, labels = np.zeros((2, 4)), np.array([0, 1])
        refuse(folder, match, tokens=tokens, labels=labels, lengths=None, split=None)


class TestClasses:
    def test_text(self, folder: Path):
        match = r", classes: expected text of shape \(classes,\), got int64 of shape \(2,\)"
        refuse(folder, match, classes=np.array([0, 1]))

    def test_distinct(self, folder: Path):
        match = r", classes: expected distinct names, got 'a' twice\. Rename one of them"
        refuse(folder, match, classes=np.array(["a", "b", "a"]))

    def test_one_per_label(self, folder: Path):
        match = r", labels\[1\]: expected 0 to 0, got 1"
        refuse(folder, match, classes=np.array(["only"]))

    def test_one_label_per_class(self, folder: Path):
        match = ", labels: expected each class 0 to 2 in the train part, got none of class 2"
        refuse(folder, match, classes=np.array(["a", "b", "c"]))
