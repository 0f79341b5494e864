"""Trained models that come with the package: `ns4d.load("smnist-small")`."""

from ns4d.zoo.card import Card
from ns4d.zoo.shelf import Entry, find, load, names, program_file, run_folder

__all__ = ["Card", "Entry", "find", "load", "names", "program_file", "run_folder"]
