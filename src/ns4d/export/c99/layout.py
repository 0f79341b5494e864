"""Lines of C within a width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

WIDTH = 100
# Where a line may end -> what of it stays on that line; the rest begins the next.
BREAKS = {" = ": " =", ", ": ",", " + ": ""}


def filled(items: Iterable[str]) -> Iterator[str]:
    """Items with a comma each, as many to a line as fit."""
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > WIDTH:
            yield line
            line = "   "
        line += f" {item},"
    yield line


def wrapped(line: str) -> Iterator[str]:
    """A statement on as many lines as it needs, the later ones indented; comments stay whole.

    >>> list(wrapped("total = " + "a_function(one, two) + " * 4 + "three;"))[1]
    '    + three;'
    """
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    while len(line) > WIDTH and not line.lstrip().startswith("/*"):
        ends = list(_ends(line))
        if not ends:
            break
        _, at, mark = min(ends)
        at = -at
        yield line[:at] + BREAKS[mark]
        line = indent + line[at:].removeprefix(BREAKS[mark]).lstrip()
    yield line


def _ends(line: str) -> Iterator[tuple[int, int, str]]:
    """Where a line may end: how many brackets are open, minus the place, what stands there."""
    start = len(line) - len(line.lstrip()) + 4
    for mark, kept in BREAKS.items():
        at = line.find(mark, start)
        if mark == " = " and len(line) - at > WIDTH - start:
            continue  # the right side needs another end all the same
        while 0 < at <= WIDTH - len(kept):
            yield line.count("(", 0, at) - line.count(")", 0, at), -at, mark
            at = line.find(mark, at + 1)
