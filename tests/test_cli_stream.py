"""`ns4d stream`: tokens from a file or a pipe, a state that is kept, errors that change nothing."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

import ns4d
from ns4d import cli
from program_strategies import random_program


@pytest.fixture
def program(tmp_path):
    made = random_program(np.random.default_rng(0), inputs=2, layers=1)
    ns4d.save(made, tmp_path / "p.ns4d")
    return made


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in the folder; returns exit code, output, errors."""

    def command(*words, stdin=""):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["ns4d", *words])
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def tokens(count):
    return np.random.default_rng(1).normal(size=(count, 2))


def scores_of(out):
    return [json.loads(line)["scores"] for line in out.splitlines()]


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_file_gives_the_scores_of_a_stream(program, run, tmp_path, engine):
    np.save(tmp_path / "x.npy", tokens(9))
    code, out, err = run("stream", "p.ns4d", "--input", "x.npy", "--engine", engine, "--json")
    assert (code, err) == (0, "")
    assert scores_of(out) == program.stream().run(tokens(9)).tolist()
    last = json.loads(out.splitlines()[-1])
    assert last["token"] == 9
    assert last["decision"] == program.classes[int(np.argmax(last["scores"]))]


def test_a_pipe_gives_the_same(program, run):
    lines = "\n".join(f"{a!r}, {b!r}" for a, b in tokens(5).tolist()) + "\n\n"
    code, out, _ = run("stream", "p.ns4d", "--json", stdin=lines)
    assert code == 0
    assert scores_of(out) == program.stream().run(tokens(5)).tolist()


def test_without_json_a_line_is_for_reading(program, run):
    _, out, _ = run("stream", "p.ns4d", stdin="0.5 1\n")
    scores = program.stream().step(np.array([0.5, 1.0]))
    assert out == f"1 {program.classes[int(scores.argmax())]} {' '.join(map(str, scores))}\n"


def test_a_kept_state_goes_on_where_it_stopped(program, run, tmp_path):
    for part in (slice(0, 4), slice(4, 10)):
        np.save(tmp_path / "x.npy", tokens(10)[part])
        code, out, _ = run("stream", "p.ns4d", "--input", "x.npy", "--state", "s.npz", "--json")
        assert code == 0
    assert scores_of(out) == program.stream().run(tokens(10))[4:].tolist()
    assert json.loads(out.splitlines()[0])["token"] == 5


def test_a_bad_line_is_named_and_the_state_before_it_is_kept(program, run):
    code, out, err = run("stream", "p.ns4d", "--state", "s.npz", stdin="1 2\n3 nan\n")
    assert code == 1
    assert len(out.splitlines()) == 1
    assert err.startswith("error: channel 1: expected a finite number, got nan.")
    code, out, _ = run("stream", "p.ns4d", "--state", "s.npz", "--json", stdin="3 4\n")
    wanted = program.stream().run(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert (code, scores_of(out)) == (0, wanted[1:].tolist())


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        ("1 2\nx 2\n", "standard input, line 2: expected 2 numbers, got 'x 2'."),
        ("1 2 3\n", "standard input, line 1: expected 2 numbers, got 3."),
    ],
)
def test_a_line_of_another_form_is_refused(program, run, stdin, message):
    code, _, err = run("stream", "p.ns4d", stdin=stdin)
    assert code == 1
    assert err.startswith(f"error: {message}")


def test_files_of_another_form_are_refused(program, run, tmp_path):
    (tmp_path / "x.npy").write_bytes(b"no array")
    np.save(tmp_path / "wide.npy", np.zeros((3, 3)))
    (tmp_path / "s.npz").write_bytes(b"no state")
    for words, message in (
        (("--input", "x.npy"), "x.npy: expected a .npy file"),
        (("--input", "missing.npy"), "missing.npy: expected a .npy file"),
        (("--input", "wide.npy"), "wide.npy: expected numbers of shape (l, 2), got float64 (3, 3)"),
        (("--state", "s.npz"), "s.npz: expected a state that `ns4d stream --state` wrote"),
        (("--engine", "fast"), "--engine: expected one of reference, native, got 'fast'"),
    ):
        code, out, err = run("stream", "p.ns4d", *words)
        assert (code, out) == (1, ""), words
        assert err.startswith(f"error: {message}"), err
    assert (tmp_path / "s.npz").read_bytes() == b"no state"


def test_the_state_of_another_program_is_refused(program, run, tmp_path):
    other = random_program(np.random.default_rng(0), inputs=2, layers=2)
    np.savez(tmp_path / "s.npz", **other.stream().state.to_arrays())
    code, _, err = run("stream", "p.ns4d", "--state", "s.npz")
    assert code == 1
    assert "expected that of this program" in err


def test_the_state_of_another_program_of_the_same_size_is_refused(program, run, tmp_path):
    np.save(tmp_path / "x.npy", tokens(2))
    ns4d.save(random_program(np.random.default_rng(1), inputs=2, layers=1), tmp_path / "other.ns4d")
    assert run("stream", "p.ns4d", "--input", "x.npy", "--state", "s.npz")[0] == 0
    before = (tmp_path / "s.npz").read_bytes()
    code, out, err = run("stream", "other.ns4d", "--input", "x.npy", "--state", "s.npz")
    assert (code, out) == (1, "")
    assert f"got one of another program ({program.digest[:12]})" in err
    assert (tmp_path / "s.npz").read_bytes() == before


def test_an_archive_of_arrays_is_no_input(program, run, tmp_path):
    np.savez(tmp_path / "x.npz", x=tokens(2))
    code, out, err = run("stream", "p.ns4d", "--input", "x.npz")
    assert (code, out) == (1, "")
    assert "x.npz: expected a .npy file, one array, got an archive of arrays" in err
