"""C as it is written, with `$name` where a model puts its own."""

from __future__ import annotations

from importlib.resources import files
from string import Template


def template(name: str) -> str:
    """The text of a file of this folder."""
    return (files("ns4d.export.c99.templates") / name).read_text("utf-8")


def filled_in(name: str, values: dict[str, str]) -> str:
    """A file with every `$key` replaced; `$$` is a dollar.

    Raises:
        KeyError: It has a key that is not among the values: a mistake of ours.
    """
    return Template(template(name)).substitute(values)
