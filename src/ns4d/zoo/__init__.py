"""Trained models that come with the package: `ns4d.load("smnist-small")`."""

from ns4d.zoo.card import Card
from ns4d.zoo.shelf import Entry, find, load, names

__all__ = ["Card", "Entry", "find", "load", "names"]
