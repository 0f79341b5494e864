"""What a run came from: the network it began with, the network it learnt from.

A run keeps each of them, with its journal, in a folder of its own, `start` and `teacher`, which
has such folders itself if that network came from others, and so on to random weights. Of a teacher
that ns4d did not train there is nothing but its file.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ns4d.errors import ConfigError
from ns4d.storage import write_atomically
from ns4d.train.checkpoint import BEST, Checkpoint, load_checkpoint, load_selected
from ns4d.train.exported import EXPORTED, SUFFIX, ExportedNetwork, read_exported
from ns4d.train.journal import NAME as JOURNAL
from ns4d.train.recipe import Recipe

START, TEACHER = "start", "teacher"
ORIGINS = (START, TEACHER)  # fields of a recipe, which name the networks by their digests
ABSENT = {START: "random weights", TEACHER: "no network"}

Origin = Checkpoint | ExportedNetwork


@dataclass(frozen=True)
class Origins:
    """The networks that a recipe names.

    Args:
        start: Whose weights are the first.
        teacher: Whose answers are learnt beside the labels.
    """

    start: Checkpoint | None = None
    teacher: Origin | None = None

    def keep(self, run: Path) -> None:
        """Copy them into a run's folder, with what their own folders keep of their trainings.

        Args:
            run: The folder.

        Raises:
            ConfigError: If a checkpoint is not that of the network any more.
            ArtefactError: If one cannot be read.
        """
        for name in ORIGINS:
            network = getattr(self, name)
            if network is None:
                continue
            if isinstance(network, ExportedNetwork):
                _write({Path(EXPORTED): network.content}, run / name)
                continue
            copy_selected(network.path, run / name)
            if load_checkpoint(run / name / BEST).digest != network.digest:
                raise ConfigError(
                    str(network.path),
                    expected=f"the network {network.digest[:12]}, as a moment ago",
                    got="another one",
                    fix="Let the training that writes it end, then repeat this command.",
                )


def find_origins(
    recipe: Recipe, run: Path, start: Checkpoint | None, teacher: Origin | None
) -> Origins:
    """The networks given, and those that the recipe names and the run has kept already.

    Raises:
        ArtefactError: If a kept one cannot be read.
    """
    if start is None and recipe.start is not None and (run / START / BEST).exists():
        start = load_checkpoint(run / START / BEST)
    if teacher is None and recipe.teacher is not None:
        teacher = load_kept(run / TEACHER)
    return Origins(start, teacher)


def load_kept(folder: Path) -> Origin | None:
    """The network of a folder `start` or `teacher`; None if there is none.

    Raises:
        ArtefactError: If it cannot be read.
    """
    kept = _kept_file(folder)
    if kept is None:
        return None
    return read_exported(kept) if kept.name == EXPORTED else load_checkpoint(kept)


def _kept_file(folder: Path) -> Path | None:
    files = (folder / name for name in (BEST, EXPORTED))
    return next((file for file in files if file.exists()), None)


def load_origin(path: Path) -> Origin:
    """A network to learn from: the selected one of a run, or a file that PyTorch exported.

    Args:
        path: Folder of a run, one of its checkpoint files, or the file of an exported network;
            also the folder in which a run keeps either.

    Raises:
        ArtefactError: If it cannot be read.
    """
    if path.suffix == SUFFIX or (path.is_file() and path.suffix != Path(BEST).suffix):
        return read_exported(path)
    return load_kept(path) or load_selected(path)


def require_named(name: str, recipe: Recipe, given: Origin | None) -> None:
    """Refuse an origin other than the one that a recipe names.

    Args:
        name: `start` or `teacher`.
        recipe: What is to be trained.
        given: The network; None if there is none.

    Raises:
        ConfigError: Naming both.
    """
    wanted, got = getattr(recipe, name), None if given is None else given.digest
    if wanted != got:
        texts = [ABSENT[name] if d is None else f"the network {d[:12]}" for d in (wanted, got)]
        raise ConfigError(
            name,
            expected=f"{texts[0]}, as the recipe says",
            got=texts[1],
            fix=f"Name it by --{name}; in Python set recipe.{name} to the digest, too.",
        )


def copy_selected(network: Path, run: Path) -> None:
    """Copy the network of a run with its journal and its origins; replaces what was there.

    Args:
        network: The checkpoint file of the network, in the folder of its run.
        run: The folder that gets them; may lie in that of the network.

    Raises:
        ArtefactError: If a checkpoint cannot be read.
    """
    if network.resolve() != (run / BEST).resolve():
        _write(_read(network), run)  # reads all of them before it writes anything


def _write(files: dict[Path, bytes], run: Path) -> None:
    """Put a network's files in place of another's; the network itself comes first among them."""
    for origin in ORIGINS:
        shutil.rmtree(run / origin, ignore_errors=True)
    for old in {BEST, EXPORTED, JOURNAL} - {str(path) for path in files}:
        (run / old).unlink(missing_ok=True)
    # The network itself comes last: where it is, the copy is whole.
    for path, content in reversed(files.items()):
        write_atomically(run / path, content)


def _read(network: Path) -> dict[Path, bytes]:
    """The network, its journal, its origins: content by place in the folder of a run."""
    if network.name == EXPORTED:
        return {Path(EXPORTED): read_exported(network).content}
    recipe, folder = load_checkpoint(network).recipe, network.parent
    files = {Path(BEST): network.read_bytes()}
    if (folder / JOURNAL).exists():
        files[Path(JOURNAL)] = (folder / JOURNAL).read_bytes()
    for name in ORIGINS:
        kept = _kept_file(folder / name)
        if getattr(recipe, name) is not None and kept is not None:
            files |= {name / path: content for path, content in _read(kept).items()}
    return files
