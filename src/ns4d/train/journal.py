"""The record of a training: one JSON object per line, TensorBoard beside it if asked for.

Kinds of records: `epoch` (train and validation figures) and `start` (machine and versions).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ns4d.errors import ConfigError
from ns4d.storage import write_atomically

NAME = "metrics.jsonl"


class Journal:
    """Appends records to `metrics.jsonl` in the run's folder; `records` are those in it.

    Args:
        folder: The run's folder.
        step: Resume point; records of later steps are dropped, they will be written again.
        tensorboard: Also write TensorBoard event files (needs the package `tensorboard`).
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool = False) -> None:
        self._board = _open_board(folder) if tensorboard else None
        self.path = folder / NAME
        self.records = [record for record in read_journal(folder) if record["step"] <= step]
        write_journal(folder, self.records)
        self._file = self.path.open("a", encoding="utf-8")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append one record; it has a `kind` and a `step`."""
        self.records.append(record)
        self._file.write(_line(record))
        self._file.flush()
        if self._board is not None:
            for name, value in record.items():
                if isinstance(value, (int, float)) and name != "step":
                    self._board.add_scalar(name, value, record["step"])


def write_journal(folder: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Replace the journal of a run's folder, which is made if it is not there."""
    write_atomically(folder / NAME, "".join(map(_line, records)).encode())


def epochs_of(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records of whole epochs, in order."""
    return [record for record in records if record["kind"] == "epoch"]


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """All complete records of a run; a last line cut by a crash is left out."""
    path = folder / NAME
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record) + "\n"


def _open_board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "--tensorboard",
            expected="the package tensorboard",
            got="no such package",
            fix="Install it with `pip install tensorboard`, or leave the option out.",
        ) from error
    return SummaryWriter(str(folder))
