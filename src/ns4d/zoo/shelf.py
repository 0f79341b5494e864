"""The models on the shelf; `load` takes a name or a path.

    models/NAME/program.ns4d         the integer program
                card.json            see `ns4d.zoo.card`
                best.safetensors     the float network that it comes from
                metrics.jsonl        the journal of its training
                start/, teacher/     the runs of what it began with, what it learnt from

The last ones are what a finished run keeps, so a model's folder is a run to `ns4d evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ns4d.errors import ConfigError
from ns4d.program import Program
from ns4d.program import load as load_file
from ns4d.zoo.card import Card, read_card

SHELF = Path(__file__).parent / "models"
PROGRAM, CARD = "program.ns4d", "card.json"


@dataclass(frozen=True)
class Entry:
    """One model.

    Args:
        name: What `load` takes.
        folder: Where its files are, a finished run.
    """

    name: str
    folder: Path

    @property
    def program(self) -> Path:
        """The integer program."""
        return self.folder / PROGRAM

    @property
    def card(self) -> Card:
        """What is known about it.

        Raises:
            ArtefactError: The card is damaged.
        """
        return read_card(self.folder / CARD)


def names() -> tuple[str, ...]:
    """The models that come with this version, in alphabetical order."""
    return tuple(sorted(path.parent.name for path in SHELF.glob(f"*/{PROGRAM}")))


def find(name: str) -> Entry:
    """A model on the shelf.

    Args:
        name: One of `names()`.

    Returns:
        Where it is.

    Raises:
        ConfigError: No model of that name; the names are listed.
    """
    if name not in names():
        raise ConfigError(
            "model",
            expected=f"a .ns4d file, or one of {', '.join(names())}",
            got=repr(name),
            fix="Check the path, or choose a name; `ns4d models` describes them.",
        )
    return Entry(name, SHELF / name)


def load(model: str | Path) -> Program:
    """Read a program from a file, or take one that comes with the package.

    Args:
        model: A path, or a name of `names()`. What looks like a path (a suffix, a folder) or is
            there as a file is a path.

    Returns:
        The program, checked.

    Raises:
        ArtefactError: The file is missing, altered, truncated, foreign, newer, or no program.
        ConfigError: Neither a file nor a name.
    """
    path = Path(model)
    if path.suffix or len(path.parts) != 1 or path.exists():
        return load_file(path)
    return load_file(find(str(model)).program)
