"""The models on the shelf; `load` takes a name or a path.

    models/NAME/program.ns4d         the integer program, quantized after training
                card.json            see `ns4d.zoo.card`
                best.safetensors     the float network that it comes from
                metrics.jsonl        the journal of its training
                start/, teacher/     the runs of what it began with, what it learnt from; of a
                                     teacher that ns4d did not train its file alone
                qaft/                the model NAME-qaft: program, card, fine-tuned network, journal

A model's folder is a run to `ns4d evaluate`, also for the fine-tuned program of its network; so is
the folder of the fine-tuning, for programs made from the fine-tuned network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ns4d.errors import ConfigError
from ns4d.program import Program
from ns4d.program import load as load_file
from ns4d.zoo.card import Card, read_card

SHELF = Path(__file__).parent / "models"
PROGRAM, CARD, QAFT = "program.ns4d", "card.json", "qaft"


@dataclass(frozen=True)
class Entry:
    """One model.

    Args:
        network: Name of the model that has the network: what `load` takes, but for the ending
            of the fine-tuned one.
        folder: That one's folder, a finished run.
        fine_tuned: Whether this is the program that QAFT made of the network.
    """

    network: str
    folder: Path
    fine_tuned: bool = False

    @property
    def name(self) -> str:
        """What `load` takes."""
        return f"{self.network}-{QAFT}" if self.fine_tuned else self.network

    @property
    def place(self) -> Path:
        """The folder of its program, its card and its network, that one fine-tuned if it is.

        >>> from ns4d.train import load_network
        >>> network, recipe = load_network(find("digits-mini").place)
        >>> recipe.task, network.parameter_count
        ('digits', 17162)
        """
        return self.folder / QAFT if self.fine_tuned else self.folder

    @property
    def program(self) -> Path:
        """The integer program."""
        return self.place / PROGRAM

    @property
    def card(self) -> Card:
        """What is known about it.

        Raises:
            ArtefactError: The card is damaged.
        """
        return read_card(self.place / CARD)


def names() -> tuple[str, ...]:
    """The models that come with this version, in alphabetical order."""
    return tuple(sorted(_entries()))


def find(name: str) -> Entry:
    """A model on the shelf.

    Args:
        name: One of `names()`.

    Returns:
        Where it is.

    Raises:
        ConfigError: No model of that name; the names are listed.
    """
    return _find(name, "model", "a .ns4d file")


def _find(name: str, where: str, path: str) -> Entry:
    found = _entries().get(name)
    if found is None:
        raise ConfigError(
            where,
            expected=f"{path}, or one of {', '.join(names())}",
            got=repr(name),
            fix="Check the path, or choose a name; `ns4d models` describes them.",
        )
    return found


def _entries() -> dict[str, Entry]:
    folders = [path.parent for path in SHELF.glob(f"*/{PROGRAM}")]
    found = [Entry(folder.name, folder, tuned) for folder in folders for tuned in (False, True)]
    return {entry.name: entry for entry in found if entry.program.exists()}


def load(model: str | Path) -> Program:
    """Read a program from a file, or take one that comes with the package.

    The float network of a shipped model is read by `ns4d.train.load_network`; see `Entry.place`.

    Args:
        model: A path, or a name of `names()`. What looks like a path (a suffix, a folder) or is
            there as a file is a path.

    Returns:
        The program, checked.

    Raises:
        ArtefactError: The file is missing, altered, truncated, foreign, newer, or no program.
        ConfigError: Neither a file nor a name.
    """
    return load_file(program_file(model))


def program_file(model: str | Path) -> Path:
    """The file of a program that a user names.

    Args:
        model: As in `load`.

    Raises:
        ConfigError: Neither a path nor a name.
    """
    path = Path(model)
    return path if _is_path(path) else find(str(model)).program


def run_folder(run: str | Path) -> Path:
    """The folder of a run that a user names.

    Args:
        run: A path, or a name of `names()`; told apart as in `load`.

    Returns:
        The path; of a name, the folder of the model's network, the fine-tuned one of NAME-qaft.

    Raises:
        ConfigError: Neither a path nor a name.
    """
    path = Path(run)
    return path if _is_path(path) else _find(str(run), "run", "the folder of a run").place


def _is_path(path: Path) -> bool:
    return bool(path.suffix) or len(path.parts) != 1 or path.exists()


def comes_with_package(path: Path) -> bool:
    """Whether a path lies on the shelf, where commands do not write of their own accord."""
    return path.resolve().is_relative_to(SHELF.resolve())
