"""The user's own arrays come back as they were saved, whatever their shapes and lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ns4d.data import Dataset, Permutation, load_task
from ns4d.data.own import load_own
from ns4d.errors import ConfigError, DataError

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own") / "mine.npz"


def toy(count: int = 40, length: int = 5, inputs: int = 2) -> Arrays:
    """Two classes, no optional key, every sequence different."""
    tokens = np.arange(count * length * inputs, dtype=np.float32)
    return {
        "tokens": tokens.reshape(count, length, inputs),
        "labels": np.arange(count) % 2,
    }


def load(path: Path, **arrays: np.ndarray) -> Dataset:
    np.savez(path, **arrays)  # pyright: ignore
    return load_own(path)


@st.composite
def saved(draw: st.DrawFn) -> Arrays:
    """Arrays that obey the table of ns4d.data.own, with padding full of rubbish."""
    count, length = draw(st.integers(6, 14)), draw(st.integers(1, 6))
    channels = draw(st.sampled_from([(), (1,), (3,)]))
    dtype = draw(st.sampled_from([np.uint8, np.int16, np.float32, np.float64]))
    tokens = draw(hnp.arrays(dtype, (count, length, *channels), elements=elements(dtype)))
    lengths = np.array(draw(st.lists(st.integers(1, length), min_size=count, max_size=count)))
    if np.dtype(dtype).kind == "f":
        tokens[np.arange(length) >= lengths[:, None]] = np.nan
    split = np.resize([0, 0, 2, 0, 1, 0], count)  # with labels 0 and 1 in train
    labels = np.arange(count) // 2 % 2
    return {"tokens": tokens, "labels": labels, "lengths": lengths, "split": split}


def elements(dtype: type) -> st.SearchStrategy | None:
    return st.floats(-1e3, 1e3, width=32) if np.dtype(dtype).kind == "f" else None


@settings(max_examples=40)
@given(arrays=saved())
def test_round_trip(path: Path, arrays: Arrays):
    dataset = load(path, **arrays)
    kind = np.uint8 if arrays["tokens"].dtype == np.uint8 else np.float32
    tokens = arrays["tokens"].reshape(*arrays["tokens"].shape[:2], -1)
    for number, (_, split) in enumerate(dataset.splits()):
        chosen = np.flatnonzero(arrays["split"] == number)
        assert split.tokens.dtype == kind
        assert np.array_equal(split.labels, arrays["labels"][chosen])
        assert np.array_equal(split.lengths, arrays["lengths"][chosen])
        for found, index, length in zip(split.tokens, chosen, split.lengths, strict=True):
            assert np.array_equal(found[:length], tokens[index, :length].astype(kind))
            assert not found[length:].any()


def test_the_normalization_is_that_of_train_alone(path: Path):
    arrays = toy(6, length=1, inputs=1)  # tokens 0 to 5
    dataset = load(path, **arrays, split=np.array([0, 0, 1, 1, 2, 2]))
    assert dataset.normalization.offset.tolist() == [0.5]
    assert dataset.normalization.scale.tolist() == [0.5]


@settings(max_examples=40)
@given(arrays=saved())
def test_without_a_split_every_sequence_is_used_once(path: Path, arrays: Arrays):
    del arrays["split"]
    count = len(arrays["labels"])
    arrays["tokens"] = np.broadcast_to(np.arange(count)[:, None], (count, 6)).astype(np.float32)
    arrays["lengths"] = np.full(count, 6)
    try:
        dataset = load(path, **arrays)
    except DataError as error:
        assert "at least one validation sequence" in error.expected
        return
    used = np.concatenate([split.tokens[:, 0, 0] for _, split in dataset.splits()])
    assert sorted(used.tolist()) == list(range(count))


class TestSplit:
    def test_without_a_key_it_is_stratified(self, path: Path):
        dataset = load(path, **toy(100))
        assert [len(split) for _, split in dataset.splits()] == [72, 8, 20]
        assert [np.bincount(split.labels).tolist() for _, split in dataset.splits()] == [
            [36, 36],
            [4, 4],
            [10, 10],
        ]

    def test_it_is_the_same_every_time(self, path: Path):
        first = load(path, **toy(100))
        np.random.seed(99)
        second = load(path, **toy(100))
        for (_, left), (_, right) in zip(first.splits(), second.splits(), strict=True):
            assert np.array_equal(left.tokens, right.tokens)

    def test_without_a_validation_part_it_is_held_out_of_train(self, path: Path):
        arrays = toy(50)
        split = np.repeat([0, 2], [40, 10])
        dataset = load(path, **arrays, split=split)
        assert [len(part) for _, part in dataset.splits()] == [36, 4, 10]
        assert np.array_equal(dataset.test.tokens, arrays["tokens"][40:])
        assert dataset.validation.tokens.max() < arrays["tokens"][40:].min()

    def test_a_split_with_everything_is_taken_as_it_is(self, path: Path):
        arrays = toy(6)
        dataset = load(path, **arrays, split=np.array([2, 0, 0, 1, 2, 0]))
        assert np.array_equal(dataset.train.tokens, arrays["tokens"][[1, 2, 5]])
        assert np.array_equal(dataset.validation.tokens, arrays["tokens"][[3]])
        assert np.array_equal(dataset.test.tokens, arrays["tokens"][[0, 4]])


class TestMetadata:
    def test_the_task_is_the_path_as_given(self, path: Path):
        assert load(path, **toy()).task == str(path)

    def test_a_missing_axis_means_one_channel(self, path: Path):
        arrays = toy(inputs=1)
        dataset = load(path, tokens=arrays["tokens"][:, :, 0], labels=arrays["labels"])
        assert (dataset.length, dataset.inputs) == (5, 1)

    def test_classes_are_numbered(self, path: Path):
        assert load(path, **toy()).classes == ("0", "1")

    def test_classes_may_have_names(self, path: Path):
        assert load(path, **toy(), classes=np.array(["rest", "wave"])).classes == ("rest", "wave")

    def test_lengths_are_full_by_default(self, path: Path):
        assert (load(path, **toy()).train.lengths == 5).all()

    def test_a_compressed_file_is_read(self, path: Path):
        np.savez_compressed(path, **toy())  # pyright: ignore
        assert load_own(path).length == 5


class TestByName:
    def test_a_path_is_a_task(self, path: Path):
        np.savez(path, **toy())  # pyright: ignore
        for name in (path, str(path)):
            assert load_task(name).task == str(path)

    def test_it_can_be_permuted(self, path: Path):
        arrays = toy(length=8)
        np.savez(path, **arrays, split=np.resize([0, 0, 1, 2], 40))  # pyright: ignore
        dataset = load_task(path, permutation=Permutation.BIT_REVERSAL)
        expected = arrays["tokens"][3::4][:, [0, 4, 2, 6, 1, 5, 3, 7]]
        assert dataset.permutation == "bit-reversal"
        assert np.array_equal(dataset.test.tokens, expected)

    def test_padded_sequences_are_not_permuted(self, path: Path):
        np.savez(path, **toy(), lengths=np.full(40, 3))  # pyright: ignore
        with pytest.raises(ConfigError, match="Permute only sequences of equal length"):
            load_task(path, permutation=Permutation.RANDOM_92916)

    def test_a_missing_file_is_named(self, tmp_path: Path):
        with pytest.raises(DataError, match=r"none\.npz: expected a file at /.*, got none\."):
            load_task(tmp_path / "none.npz")

    def test_no_data_folder_is_needed(self, path: Path, monkeypatch):
        np.savez(path, **toy())  # pyright: ignore
        monkeypatch.setenv("NS4D_DATA", "/nowhere")
        assert load_task(path).length == 5
