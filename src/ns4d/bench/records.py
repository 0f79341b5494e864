"""Records: the JSON files from which documents are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ns4d.errors import DataError


def read_record(path: Path) -> dict[str, Any]:
    """The values of a record.

    Raises:
        DataError: There is none, or it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            str(path),
            expected="a JSON record",
            got=str(error),
            fix="Write it with `ns4d evaluate … --record` or `ns4d bench`.",
        ) from error
