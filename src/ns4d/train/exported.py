"""A teacher of one's own: any PyTorch network, in the file that `torch.export.save` writes.

    tokens (b, l, i)                 → logits (b, classes)      sequences of equal length
    tokens (b, l, i), lengths (b,)   → logits (b, classes)      all others

Such a file may run code of its author's when it is read, as most files of PyTorch may.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from ns4d.errors import ArtefactError, ConfigError

SUFFIX = ".pt2"
EXPORTED = f"network{SUFFIX}"  # its name in the folder of a run


@dataclass(frozen=True)
class ExportedNetwork:
    """The file of an exported network, as read.

    Args:
        path: Where it was.
        content: All of it.
    """

    path: Path
    content: bytes = field(repr=False)

    @property
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
            return ExportedTeacher(self.path, move_to_device_pass(program, device).module())
        except Exception as error:  # PyTorch names no errors of this function
            raise _unreadable(self.path, _first_line(error)) from error


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
        given = (tokens,) if lengths is None else (tokens, lengths)
        return self._program(*given)

    def require_answers(
        self, tokens: Float[Tensor, "b l i"], lengths: Int[Tensor, " b"] | None, classes: int
    ) -> None:
        """Refuse a network that does not answer a batch with a finite logit for each class.

        Args:
            tokens: Normalized, as the pupil sees them.
            lengths: Tokens of each sequence, or None if all are equal.
            classes: Number of classes.

        Raises:
            ConfigError: Telling what came instead.
        """
        try:
            with torch.no_grad():
                logits = self(tokens, lengths)
            got = _describe(logits)
            right = tuple(logits.shape) == (len(tokens), classes) and bool(logits.isfinite().all())
        except Exception as error:  # it is the user's own code
            got, right = _first_line(error), False
        if not right:
            shape = tuple(tokens.shape)
            raise ConfigError(
                str(self._path),
                expected=f"finite logits ({shape[0]}, {classes}) for tokens {shape}",
                got=got,
                fix="Export a network for these data, with a batch of any size.",
            )


def read_exported(path: Path) -> ExportedNetwork:
    """Read the file of an exported network; what is in it is looked at by `build`.

    Raises:
        ArtefactError: If it cannot be read, or is not even an archive without damage.
    """
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except zipfile.BadZipFile as error:
        raise _unreadable(path, "a truncated or foreign file") from error
    if damaged is not None:
        raise _unreadable(path, f"an altered file (in {damaged})")
    return ExportedNetwork(path, content)


def _unreadable(path: Path, got: str) -> ArtefactError:
    return ArtefactError(
        str(path),
        expected="a network written by torch.export.save",
        got=got,
        fix="Export it again, with this version of PyTorch.",
    )


def _describe(logits: Tensor) -> str:
    finite = "finite" if bool(logits.isfinite().all()) else "not finite"
    return f"{tuple(logits.shape)}, {finite}"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
