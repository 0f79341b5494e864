"""A teacher of one's own: a PyTorch network, in the file that `torch.export.save` writes.

    tokens (b, l, i) float32                     → logits (b, classes)    sequences of equal length
    tokens (b, l, i), lengths (b,) int64         → logits (b, classes)    all others

Such a file may run its author's code when it is read, as most files of PyTorch may.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from ns4d.errors import ArtefactError, ConfigError

SUFFIX = ".pt2"
EXPORTED = f"network{SUFFIX}"  # its name in the folder `teacher` of a run
UNLIKE = 0.01  # of the largest logit: rounding is far below, dropout far above


@dataclass(frozen=True)
class ExportedNetwork:
    """The file of an exported network, as read.

    Args:
        path: Where it was.
        content: All of it.
    """

    path: Path
    content: bytes = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """The name of the network: sha256 of its file."""
        return hashlib.sha256(self.content).hexdigest()

    def build(self, device: torch.device) -> ExportedTeacher:
        """The network, where it answers.

        Raises:
            ArtefactError: If PyTorch cannot read the file.
        """
        try:
            program = torch.export.load(io.BytesIO(self.content))
        except Exception as error:  # PyTorch names no errors of this function
            raise _unreadable(self.path, _first_line(error)) from error
        return ExportedTeacher(self.path, move_to_device_pass(program, device).module())


class ExportedTeacher(nn.Module):
    """An exported network called as ours are.

    Args:
        path: Its file, for errors.
        program: What `ExportedProgram.module` gave.
    """

    def __init__(self, path: Path, program: nn.Module) -> None:
        super().__init__()
        self._path, self._program = path, program

    def forward(
        self, tokens: Float[Tensor, "b l i"], lengths: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b c"]:
        """The logits of a batch."""
        return self._ask(tokens, lengths)

    def require_answers(
        self,
        tokens: Float[Tensor, "b l i"],
        lengths: Int[Tensor, " b"] | None,
        classes: int,
        precision: AbstractContextManager[object],
    ) -> None:
        """Refuse a network that does not answer with finite logits, or not the same ones twice.

        Args:
            tokens: A batch, normalized, as the pupil sees it.
            lengths: Tokens of each sequence, or None if all are equal.
            classes: Number of classes.
            precision: That of the training.

        Raises:
            ConfigError: Telling what came instead.
        """
        before, shape = deepcopy(self.state_dict()), (len(tokens), classes)
        fix = "Export a network for these data, with a batch of any size."
        try:
            with torch.no_grad(), precision:
                first, again = (self._ask(tokens, lengths) for _ in range(2))
            got = _complaint(first, shape)
            if got is None and (_unlike(first, again) or _changed(before, self.state_dict())):
                got, fix = "others with every call", "Call its eval() before exporting it."
        except Exception as error:  # it is the user's own code
            got = _first_line(error)
        if got is not None:
            given = f"tokens {tuple(tokens.shape)}"
            given += "" if lengths is None else f" and lengths ({len(lengths)},)"
            wanted = f"finite logits {shape}, the same ones for the same {given}"
            raise ConfigError(str(self._path), expected=wanted, got=got, fix=fix)

    def _ask(self, tokens: Tensor, lengths: Tensor | None) -> Any:
        return self._program(tokens) if lengths is None else self._program(tokens, lengths)


def read_exported(path: Path) -> ExportedNetwork:
    """Read the file of an exported network; what is in it is looked at by `build`.

    Raises:
        ArtefactError: If it cannot be read, or is no undamaged archive of an exported network.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged, names = archive.testzip(), archive.namelist()
    except Exception as error:  # damage has as many names as places
        raise _unreadable(path, "a truncated, altered or foreign file") from error
    if damaged is not None:
        raise _unreadable(path, f"an altered file (in {damaged})")
    if not any(name.endswith("/archive_format") for name in names):
        raise _unreadable(path, "an archive of something else")
    return ExportedNetwork(path, content)


def _unreadable(path: Path, got: str) -> ArtefactError:
    return ArtefactError(
        str(path),
        expected="a network written by torch.export.save",
        got=got,
        fix="Export it again, with this version of PyTorch.",
    )


def _complaint(answer: object, shape: tuple[int, int]) -> str | None:
    """What is wrong with an answer, if anything is."""
    if not isinstance(answer, Tensor):
        return f"a {type(answer).__name__}"
    finite = bool(answer.isfinite().all())
    if finite and tuple(answer.shape) == shape:
        return None
    return f"{tuple(answer.shape)}, {'finite' if finite else 'not finite'}"


def _unlike(first: Tensor, again: Tensor) -> bool:
    return bool((first - again).abs().max() > UNLIKE * first.abs().max())


def _changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    return any(not torch.equal(value, after[name]) for name, value in before.items())


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
