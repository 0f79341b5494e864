"""What the model is judged by: sourced, in order, and used by the page that judges."""

from __future__ import annotations

from pathlib import Path

import pytest

from ns4d.loihi2 import evidence
from ns4d.loihi2.calibrate import TARGETS
from ns4d.loihi2.costs import COSTS
from ns4d.loihi2.fact import Fact, Tag

FACTS = {name: value for name, value in vars(evidence).items() if isinstance(value, Fact)}
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "loihi2.md").read_text("utf-8")


@pytest.mark.parametrize("name", FACTS)
def test_evidence_is_published_or_measured(name: str) -> None:
    assert FACTS[name].tag in (Tag.PUBLISHED, Tag.MEASURED)


@pytest.mark.parametrize("name", FACTS)
def test_the_page_cites_it(name: str) -> None:
    assert FACTS[name].source.partition(":")[0] in PAGE


def test_nothing_was_fitted_to_it() -> None:
    """No target of the calibration is evidence as well."""
    fitted = {fact.value for fact in vars(TARGETS).values()}
    assert not fitted & {fact.value for fact in FACTS.values()}


def test_boards_draw_more_than_the_fit_says() -> None:
    """The known miss of the model: if it goes away, the page must say so."""
    assert COSTS.static_w.spread[1] < evidence.BOARD_STATIC_W.spread[0]


def test_updates_are_as_fast_as_other_microcode() -> None:
    low, high = evidence.IZHIKEVICH_S.spread
    assert low <= COSTS.state_update_s.value <= high


def test_the_floor_is_above_the_least_step() -> None:
    assert COSTS.step_floor_s.spread[0] > evidence.LEAST_STEP_S.value
