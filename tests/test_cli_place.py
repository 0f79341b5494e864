"""`ns4d place`: a table or JSON of what lives where, errors in one line."""

from __future__ import annotations

import json
import sys

import pytest

import ns4d
from loihi2_programs import shaped
from ns4d import cli
from ns4d.numerics import WIDE


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run `ns4d place` on a program; returns exit code, output, errors."""

    def command(program, *words):
        ns4d.save(program, tmp_path / "p.ns4d")
        monkeypatch.setattr(sys, "argv", ["ns4d", "place", str(tmp_path / "p.ns4d"), *words])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_a_table_of_layers(run):
    code, out, err = run(shaped(64, 32, 4))
    assert (code, err) == (0, "")
    assert out.startswith("31 cores on 1 of 1 chips of Oheo Gulch")
    assert "342/342 S4D neurons" in out
    assert "6144/8192 synapses" in out
    assert out.count("layer2.s4d") == 2
    assert "assumed:" not in out


def test_json_says_everything(run):
    program = shaped(128, 64, 4, inputs=3)
    code, out, _ = run(program, "--json", "--system", "kapoho-point")
    facts = json.loads(out)
    assert code == 0
    assert (facts["cores"], facts["chips"], facts["system_chips"]) == (111, 1, 8)
    assert (facts["program"], facts["steps_per_token"]) == (program.digest, 13)
    layer = {(row["layer"], row["kind"]): row for row in facts["layers"]}
    states = layer["layer0.s4d", "S4D"]
    assert (len(states["cores"]), states["neurons"], states["synapses"]) == (24, 8192, 8192)
    assert (states["used"], states["limit"], states["limited_by"]) == (342, 342, "S4D neurons")
    reduce, linear = layer["layer0.s4d", "reduce"], layer["layer0.linear", "linear"]
    assert reduce["cores"] == linear["cores"] == [26, 27, 28]
    assert reduce["synapses"] + linear["synapses"] == 24_576
    assert linear["bytes"] == 128 * 128 + 128 * 10
    assert linear["used"] == 43 * 64 + 43 * 128
    assert sum(row["neurons"] for row in facts["layers"]) == 3 + 128 + 4 * (8192 + 256) + 10


def test_fewer_cores_are_noted(run):
    code, out, _ = run(shaped(64, 32, 4), "--cores", "20")
    assert code == 0
    assert out.startswith("19 cores")
    assert "assumed: 683 S4D neurons per core" in out


@pytest.mark.parametrize(
    ("program", "words", "message"),
    [
        (shaped(64, 32, 4), ("--cores", "3"), "error: cores: expected at least 11"),
        (shaped(64, 32, 4), ("--system", "x"), "error: --system: expected one of oheo-gulch"),
        (shaped(8, 4, arithmetic=WIDE), (), "error: profile 'wide', layer 'layer0.s4d': expected"),
        (shaped(128, 64, 5), (), "Take Kapoho Point (1008 cores)"),
    ],
)
def test_what_does_not_fit_is_one_line_on_stderr(run, program, words, message):
    code, out, err = run(program, *words)
    assert (code, out) == (1, "")
    assert message in err
    assert len(err.splitlines()) == 1
