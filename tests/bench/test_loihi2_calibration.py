"""The command that calibrates: counts whole sequences, fits their mean token, says what it did."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ns4d.bench.loihi2_calibration import calibrate
from ns4d.loihi2.calibrate import fit, fit_corners
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.place import place
from ns4d.loihi2.simulate import simulate
from ns4d.loihi2.structure import Structure
from ns4d.loihi2.work import work_from_plain

# Four layers on full cores: the published times can be met.
PROGRAM = Structure(2, 16, 48, 4, 3, 342, 1.0, 1.0, 12).program()


@pytest.fixture(scope="module")
def sequences() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(-900, 900, (length, 2)) for length in (5, 9)]


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def record(sequences: list[np.ndarray], said: list[str]) -> dict:
    return calibrate(PROGRAM, sequences, said.append)


def test_every_token_is_counted(record: dict, sequences: list[np.ndarray]) -> None:
    assert (record["sequences"], record["tokens"]) == (2, 14)
    assert record["digest"] == PROGRAM.digest
    placement = place(PROGRAM)
    assert record["cores"] == len(placement.cores)
    total = sum(
        simulate(placement, tokens, Mode.FALL_THROUGH).activity.synops.sum() for tokens in sequences
    )
    synops = [cluster["synops"] for cluster in record["work"]["clusters"]]
    assert sum(synops) == pytest.approx(total / 14)


def test_the_fit_can_be_repeated_from_the_record(record: dict) -> None:
    again = json.loads(json.dumps(record))
    work = work_from_plain(again["work"])
    found = fit(work, COSTS)
    assert again["fit"] == {name: found.facts[name].value for name in again["fit"]}
    times, energies = fit_corners(work, COSTS)
    assert again["times_at_ends"] == {f"{a}{b}": list(v) for (a, b), v in times.items()}
    assert again["energies_at_ends"] == {f"{a}{b}": list(v) for (a, b), v in energies.items()}


def test_real_tokens_take_no_less_than_their_mean(record: dict) -> None:
    """A step waits for the fullest core: a maximum of means is the least."""
    assert set(record["mean_token_gap"]) == {mode.value for mode in Mode}
    assert all(gap >= -1e-12 for gap in record["mean_token_gap"].values())


def test_the_structure_has_sizes_and_counted_densities(record: dict) -> None:
    structure = Structure(**record["structure"])
    assert (structure.channels, structure.modes, structure.layers) == (16, 48, 4)
    assert 0 <= structure.relu_density <= 1


def test_it_says_how_far_it_is(said: list[str], record: dict) -> None:
    assert said == ["counted sequence 1 of 2", "counted sequence 2 of 2"]
