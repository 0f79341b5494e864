"""The containers refuse what cannot be a data set, and say what they got."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ns4d.data import Dataset, Normalization, Permutation, Split
from ns4d.errors import ConfigError, RangeError, ShapeError

UNIT = Normalization(np.zeros(2), np.ones(2))


@pytest.fixture
def dataset(make_split) -> Dataset:
    return Dataset("toy", make_split(6), make_split(4), make_split(2), UNIT, ("no", "yes"))


class TestNormalization:
    def test_scale_is_positive(self):
        with pytest.raises(RangeError, match=r"scale\[1\]: expected more than 0, got 0\.0"):
            Normalization(np.zeros(2), np.array([1.0, 0.0]))

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_values_are_finite(self, bad: float):
        with pytest.raises(
            RangeError, match=r"offset\[0\]: expected a finite number, got -?(nan|inf)"
        ):
            Normalization(np.array([bad]), np.ones(1))
        with pytest.raises(RangeError, match=r"scale\[0\]: expected a finite number"):
            Normalization(np.ones(1), np.array([bad]))

    def test_shapes_agree(self):
        with pytest.raises(
            ShapeError, match=r"scale: expected float64 of shape \(2,\), got float6"
        ):
            Normalization(np.zeros(2), np.ones(3))

    def test_precision_is_double(self):
        with pytest.raises(ShapeError, match=r"offset: expected float64 of shape \(2,\), got f"):
            Normalization(np.zeros(2, dtype=np.float32), np.ones(2))

    def test_channels_are_listed_on_one_axis(self):
        with pytest.raises(ShapeError, match=r"got float64 of shape \(2, 1\)"):
            Normalization(np.zeros((2, 1)), np.ones((2, 1)))

    def test_it_cannot_be_reassigned(self):
        with pytest.raises(FrozenInstanceError):
            UNIT.scale = np.ones(2)  # pyright: ignore


class TestSplit:
    def test_its_size_is_the_number_of_sequences(self, make_split):
        assert len(make_split(5)) == 5

    def test_a_sequence_comes_without_its_padding(self, make_split):
        split = make_split(3)
        lengths = np.array([1, split.tokens.shape[1], 2])
        split = replace(split, lengths=lengths)
        for k, length in enumerate(lengths):
            tokens = split.sequence(k)
            assert tokens.dtype == np.float64
            np.testing.assert_array_equal(tokens, split.tokens[k, :length])

    def test_the_channel_axis_is_needed(self, make_split):
        split = make_split(3)
        with pytest.raises(
            ShapeError, match=r"\(sequences, length, inputs\), got float32 of shape"
        ):
            Split(split.tokens[:, :, 0], split.labels, split.lengths)

    @pytest.mark.parametrize("dtype", [np.float64, np.int64, np.float16, np.bool_])
    def test_tokens_are_bytes_or_float32(self, make_split, dtype: type):
        split = make_split(3)
        with pytest.raises(ShapeError, match="split tokens: expected uint8 or float32"):
            Split(split.tokens.astype(dtype), split.labels, split.lengths)

    @pytest.mark.parametrize("key", ["labels", "lengths"])
    def test_one_label_and_one_length_per_sequence(self, make_split, key: str):
        with pytest.raises(ShapeError, match=rf"split {key}: expected int64 of shape \(3,\)"):
            replace(make_split(3), **{key: np.ones(2, dtype=np.int64)})
        with pytest.raises(ShapeError, match=rf"split {key}: .* got int32 of shape \(3,\)"):
            replace(make_split(3), **{key: np.ones(3, dtype=np.int32)})

    def test_labels_are_not_negative(self, make_split):
        with pytest.raises(RangeError, match=r"split labels\[1\]: expected 0 or more, got -1"):
            replace(make_split(3), labels=np.array([0, -1, 0]))

    @pytest.mark.parametrize("bad", [0, 5, -1])
    def test_lengths_lie_in_the_padded_length(self, make_split, bad: int):
        with pytest.raises(RangeError, match=rf"split lengths\[2\]: expected 1 to 4, got {bad}"):
            replace(make_split(3, length=4), lengths=np.array([4, 1, bad]))

    @given(indices=st.lists(st.integers(-6, 5), max_size=20))
    def test_select_picks_in_order(self, indices: list[int]):
        split = build(6)
        chosen = split.select(np.array(indices, dtype=np.int64))
        assert len(chosen) == len(indices)
        for position, index in enumerate(indices):
            assert np.array_equal(chosen.tokens[position], split.tokens[index])
            assert chosen.labels[position] == split.labels[index]
            assert chosen.lengths[position] == split.lengths[index]

    def test_select_copies(self, make_split):
        split = make_split(3)
        split.select(np.array([0])).tokens[:] = -1
        assert split.tokens.min() == 0

    @pytest.mark.parametrize("bad", [6, -7])
    def test_select_stays_inside(self, make_split, bad: int):
        with pytest.raises(
            RangeError, match=rf"indices\[1\]: expected an index below 6, got {bad}"
        ):
            make_split(6).select(np.array([0, bad]))

    def test_select_refuses_a_mask(self, make_split):
        with pytest.raises(ShapeError, match=r"positions with np\.flatnonzero"):
            make_split(3).select(np.array([True, False, True]))


def build(count: int) -> Split:
    """A split without the fixture, which Hypothesis would share between examples."""
    tokens = np.arange(count * 6, dtype=np.uint8).reshape(count, 3, 2)
    labels = np.arange(count, dtype=np.int64)
    return Split(tokens, labels, labels % 3 + 1)


class TestDataset:
    def test_inputs_and_length_follow_from_the_arrays(self, dataset: Dataset):
        assert (dataset.inputs, dataset.length) == (2, 4)

    def test_the_parts_come_train_first(self, dataset: Dataset):
        assert [name for name, _ in dataset.splits()] == ["train", "validation", "test"]
        assert [len(split) for _, split in dataset.splits()] == [6, 4, 2]

    def test_tokens_are_in_order_by_default(self, dataset: Dataset):
        assert dataset.permutation == Permutation.NONE.value

    def test_the_permutation_has_a_known_name(self, dataset: Dataset):
        expected = "permutation: expected one of none, bit-reversal, random-92916, got 'sorted'"
        with pytest.raises(ConfigError, match=expected):
            replace(dataset, permutation="sorted")

    @pytest.mark.parametrize("part", ["train", "validation", "test"])
    def test_no_part_is_empty(self, dataset: Dataset, make_split, part: str):
        with pytest.raises(RangeError, match=f"toy, {part}: expected at least one sequence"):
            replace(dataset, **{part: make_split(0)})

    def test_the_parts_have_one_length(self, dataset: Dataset, make_split):
        with pytest.raises(ShapeError, match="toy, test tokens: expected length 4, 2 inputs"):
            replace(dataset, test=make_split(2, length=5))

    def test_the_parts_have_the_normalized_channels(self, dataset: Dataset, make_split):
        with pytest.raises(ShapeError, match=r"toy, train tokens: .* got float32 of shape"):
            replace(dataset, train=make_split(2, inputs=3))

    def test_every_label_has_a_name(self, dataset: Dataset):
        with pytest.raises(RangeError, match=r"train labels\[1\]: expected below 1, the number"):
            replace(dataset, classes=("no",))
