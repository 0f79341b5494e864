"""The card of a trained model: where it comes from, what it was measured to do.

A card is written by `python -m ns4d.bench.shelve` from the record of an evaluation on the whole
test part, never by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ns4d.errors import ArtefactError


@dataclass(frozen=True)
class Card:
    """What stands on it.

    Args:
        task: Name of the task.
        digest: Of the program, 64 hexadecimal digits.
        parameters: Of the float network.
        parameter_bytes: Of the integer program.
        profile: Name of its arithmetic.
        fine_tuned: Whether it was trained with its integers in the loop (QAFT).
        seed: Of the training.
        epochs: That the training in floating point has done.
        test_sequences: The whole official test part.
        float_correct, integer_correct: How many of them were decided rightly.
        agreement: Fraction of test sequences that both decide alike, rightly or not.
        states_proved: Of all states, how many are proved free of saturation.
        states: How many there are.
        cores: On Loihi 2, by `ns4d place`.
        fall_through, pipelined: Modelled time, s, and energy, J: of a token, of a sample.
        recipe: Of the training, every setting.
        fine_tuning: The same of QAFT; empty without.
        commit: Of the evaluation.

    Raises:
        ArtefactError: Numbers that contradict each other.
    """

    task: str
    digest: str
    parameters: int
    parameter_bytes: int
    profile: str
    fine_tuned: bool
    seed: int
    epochs: int
    test_sequences: int
    float_correct: int
    integer_correct: int
    agreement: float
    states_proved: int
    states: int
    cores: int
    fall_through: Mapping[str, float]
    pipelined: Mapping[str, float]
    recipe: Mapping[str, Any]
    fine_tuning: Mapping[str, Any]
    commit: str

    def __post_init__(self) -> None:
        counted = (self.float_correct, self.integer_correct)
        if not all(0 <= count <= self.test_sequences for count in counted):
            raise ArtefactError(
                f"card of {self.task}",
                expected=f"counts of 0 to {self.test_sequences} test sequences",
                got=str(counted),
                fix="Write the card again from the record of an evaluation.",
            )
        for name in ("fall_through", "pipelined", "recipe", "fine_tuning"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def quantized(self) -> str:
        """Profile and way of quantizing, as in "loihi2, PTQ"."""
        return f"{self.profile}, {'QAFT' if self.fine_tuned else 'PTQ'}"

    @property
    def float_accuracy(self) -> float:
        """Of the float network, on the test part."""
        return self.float_correct / self.test_sequences

    @property
    def integer_accuracy(self) -> float:
        """Of the program, on the test part."""
        return self.integer_correct / self.test_sequences

    def to_json(self) -> str:
        """The text of the card's file."""
        plain = {
            k: dict(v) if isinstance(v, Mapping) else v
            for k, v in ((field.name, getattr(self, field.name)) for field in fields(self))
        }
        return json.dumps(plain, indent=1) + "\n"


def read_card(path: Path) -> Card:
    """The inverse of `Card.to_json`.

    Args:
        path: A file that holds it.

    Raises:
        ArtefactError: Missing, no JSON, or not exactly the entries of a card.
    """
    try:
        return Card(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ArtefactError(
            str(path),
            expected="the JSON of a model card",
            got=f"{type(error).__name__}: {error}",
            fix="Install ns4d again, or write the card with `python -m ns4d.bench.shelve`.",
        ) from error
