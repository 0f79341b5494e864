"""`ns4d simulate`: tables or JSON, pages and pictures, errors in one line."""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import ns4d
from ns4d import cli
from ns4d.loihi2.what_if import what_if
from ns4d.numerics import WIDE
from program_strategies import random_program

PROGRAM = random_program(np.random.default_rng(0), channels=6, modes=4, layers=1, inputs=2)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run `ns4d simulate` on a program; returns exit code, output, errors."""
    monkeypatch.setattr("ns4d.bench.loihi2_cpu.TOKENS", 20)
    monkeypatch.setattr("ns4d.bench.loihi2_cpu.BATCH", 2)

    def command(program, *words):
        ns4d.save(program, tmp_path / "p.ns4d")
        monkeypatch.setattr(sys, "argv", ["ns4d", "simulate", str(tmp_path / "p.ns4d"), *words])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_tables_then_what_was_checked(run):
    code, out, err = run(PROGRAM, "--tokens", "20")
    assert (code, err) == (0, "")
    assert "random on Oheo Gulch, 20 tokens (simulated)" in out
    for heading in (
        "Counted per token",
        "A token by cause",
        "NeuroBench metrics",
        "Token by token",
    ):
        assert heading in out
    assert "fall-through: 20 tokens (generated messages) in 82 steps" in out
    assert re.search(r"\d+ scores and states equal to those of engine native", out)
    assert "costs fitted: step_floor_s, state_update_s, static_w, state_update_j" in out
    assert "35 %, energy by 40 %" in out
    assert "One property at a time" not in out


def test_json_is_everything(run):
    tokens = np.random.default_rng(1).normal(size=(30, 2))
    np.save("x.npy", tokens)
    words = ("--mode", "pipelined", "--input", "x.npy", "--system", "kapoho-point", "--json")
    code, out, _ = run(PROGRAM, *words)
    facts = json.loads(out)
    assert code == 0
    assert facts["scores"] == PROGRAM.run(tokens[None])[0].tolist()
    assert (facts["mode"], facts["tokens"], facts["source"]) == ("pipelined", 30, "x.npy")
    # Encoder, S4D, reduce, linear; the input before, the read-out behind.
    assert facts["steps"] == 30 + 4 + 1
    assert facts["digest"] == PROGRAM.digest
    assert facts["system"] == "Kapoho Point"
    assert [layer["kind"] for layer in facts["layers"]][1:5] == [
        "linear",
        "S4D",
        "reduce",
        "linear",
    ]
    pace = facts["estimates"]["pipelined"]["token_s"]
    assert 0 < pace["low"] <= pace["value"] <= pace["high"] < 1e-4
    assert sum(facts["estimates"]["pipelined"]["causes_s"].values()) == pytest.approx(pace["value"])
    assert facts["costs"]["synop_s"]["tag"] == "assumed"
    assert facts["metrics"]["state_updates"] == 24
    assert {row["origin"] for row in facts["comparison"]} == {"published", "simulated", "measured"}
    assert facts["what_if"] == facts["written"] == []


def test_the_mode_changes_steps_not_scores(run):
    found = [
        json.loads(run(PROGRAM, "--mode", mode, "--tokens", "9", "--json")[1])
        for mode in ("fall-through", "pipelined")
    ]
    slow, fast = found
    assert slow["scores"] == fast["scores"]
    assert slow["estimates"] == fast["estimates"]
    assert (slow["steps"], fast["steps"]) == (9 * 4 + 2, 9 + 4 + 1)


def test_a_page_with_pictures_and_what_ifs(run, tmp_path, monkeypatch):
    monkeypatch.setattr("ns4d.bench.loihi2_study.what_if", partial(what_if, axes=("layers",)))
    page, folder = tmp_path / "page.html", tmp_path / "pictures"
    words = ("--tokens", "12", "--what-if", "--report", str(page), "--figures", str(folder))
    code, out, _ = run(PROGRAM, *words)
    assert code == 0
    names = ["chip", "delay", "sensitivity", "split", "timeline"]
    assert sorted(path.stem for path in folder.iterdir()) == names
    html = page.read_text("utf-8")
    assert html.count("<svg") == 5
    assert "One property at a time" in html
    assert PROGRAM.nodes[1].name in html
    for line in out.splitlines():
        if line.startswith("costs "):
            assert line in html
    assert not re.search(r"(src|href)=\"(?!#)", html)
    for path in (page, *folder.iterdir()):
        assert f"wrote {path}" in out


def test_more_cores_are_no_slower(run):
    few, many = (
        json.loads(run(PROGRAM, "--cores", cores, "--tokens", "5", "--json")[1])
        for cores in ("5", "20")
    )
    assert few["cores"] <= 5 < many["cores"]
    pace = [found["estimates"]["pipelined"]["token_s"]["value"] for found in (few, many)]
    assert pace[1] <= pace[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--mode", "parallel"), "--mode: expected one of fall-through, pipelined, got 'parallel'"),
        (("--system", "loihi"), "--system: expected one of oheo-gulch"),
        (("--input", "gone.npy"), "gone.npy: expected a .npy file"),
        (("--sequence", "0"), "expected one of digits"),
        (("--cores", "1"), "cores: expected at least"),
    ],
)
def test_mistakes_take_one_line(run, words, message):
    code, out, err = run(PROGRAM, *words)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert message in err


def test_a_program_too_wide_for_the_chip_is_refused(run):
    program = random_program(np.random.default_rng(0), WIDE, channels=6, modes=4)
    code, _, err = run(program)
    assert code == 1
    assert "neuron states at most 24 bit" in err


def test_a_program_without_states_has_no_what_if(run):
    program = random_program(np.random.default_rng(0), layers=0)
    code, _, err = run(program, "--what-if", "--tokens", "5")
    assert code == 1
    assert "--what-if: expected a program with an S4D node" in err


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written into an empty folder."""
    monkeypatch.chdir(tmp_path)
