"""The command line: parse, call, print."""

# In this order `ns4d --help` lists the commands.
# isort: off
from ns4d.cli.app import app, main
from ns4d.cli import training
from ns4d.cli import quantization
from ns4d.cli import programs
from ns4d.cli import exporting
from ns4d.cli import importing
from ns4d.cli import chip
from ns4d.cli import simulation
from ns4d.cli import reproducing
from ns4d.cli import measuring
# isort: on

__all__ = [
    "app",
    "chip",
    "exporting",
    "importing",
    "main",
    "measuring",
    "programs",
    "quantization",
    "reproducing",
    "simulation",
    "training",
]
