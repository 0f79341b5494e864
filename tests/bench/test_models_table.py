"""`ns4d models`: a row per model, each cell what the card says."""

from __future__ import annotations

import io
import json

from rich.console import Console
from typer.testing import CliRunner

from ns4d.bench.models_table import models_table
from ns4d.bench.tables import percent, print_table
from ns4d.cli import app
from ns4d.zoo import find, names


def test_a_row_is_what_the_card_says():
    entries = [find(name) for name in names()]
    for row, entry in zip(models_table(entries).rows, entries, strict=True):
        card = entry.card
        assert row[0] == entry.name
        assert row[3:5] == (percent(card.float_accuracy), percent(card.integer_accuracy))
        assert row[5] == f"{card.states_proved:,}/{card.states:,}"


def test_every_model_has_one_line_of_an_ordinary_terminal():
    text = io.StringIO()
    print_table(models_table([find(name) for name in names()]), Console(file=text, width=80))
    lines = [line.split() for line in text.getvalue().splitlines()]
    for name in names():
        (line,) = (line for line in lines if line[:1] == [name])
        assert line[-1] == str(find(name).card.cores)


def test_the_command_lists_every_name():
    shown = CliRunner().invoke(app, ["models"])
    assert shown.exit_code == 0
    plain = CliRunner().invoke(app, ["models", "--json"])
    cards = json.loads(plain.stdout)
    assert tuple(cards) == names()
    assert all(cards[name]["digest"] == find(name).card.digest for name in cards)


def test_a_name_is_a_program_to_every_command():
    for name in ("digits-mini", "digits-mini-qaft"):
        shown = CliRunner().invoke(app, ["show", name])
        assert shown.exit_code == 0
        assert "layer0.s4d" in shown.stdout
        assert find(name).card.digest in shown.stdout
    assert CliRunner().invoke(app, ["show", "digits-maxi"]).exit_code == 1
