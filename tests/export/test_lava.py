"""Lava: the arrays are the model's, the script stands alone; run by Lava itself where there is one.

Lava needs Python 3.10. To have it here:

    python3.10 -m venv ENV && ENV/bin/pip install lava-nc==0.10.0
    NS4D_LAVA_PYTHON=ENV/bin/python pytest tests/export/test_lava.py
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from float_walk import programs, walk
from ns4d.data import load_task
from ns4d.errors import ConfigError
from ns4d.export import Request
from ns4d.export.chain import Activation, Chain, Linear, Recurrence, Sum, chain_of
from ns4d.export.lava import export_network, export_program
from ns4d.export.lava.exporter import SCRIPT
from ns4d.program import Program, load
from ns4d.trained import load_chain

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks/results"
LAVA = os.environ.get("NS4D_LAVA_PYTHON")
needs_lava = pytest.mark.skipif(
    LAVA is None, reason="NS4D_LAVA_PYTHON names no Python 3.10 with lava-nc 0.10"
)


def written(folder: Path, program: Program) -> Path:
    for name, content in export_program(program, Request()).files.items():
        (folder / name).write_bytes(content)
    return folder


def rebuilt(folder: Path) -> Chain:
    """The chain that the script finds in its .npz."""
    with np.load(folder / "parameters.npz", allow_pickle=False) as arrays:
        kinds = {"linear": Linear, "recurrence": Recurrence, "sum": Sum}
        links = []
        for link in json.loads(str(arrays["links"])):
            own = {field: arrays[f"{link['name']}/{field}"] for field in link["fields"]}
            own |= {"source": link["source"]} if "source" in link else {}
            activation = Activation(link["activation"])
            links.append(kinds[link["kind"]](name=link["name"], activation=activation, **own))
        readout = Linear("readout", arrays["readout/weight"], arrays["readout/bias"])
        scale = arrays["offset"], arrays["scale"]
        names = tuple(json.loads(str(arrays["classes"])))
        return Chain(*scale, tuple(links), readout, str(arrays["task"]), names)


@pytest.mark.parametrize("program", programs(), ids=lambda p: p.digest[:6])
def test_the_arrays_compute_the_model(program: Program, tmp_path: Path) -> None:
    chain = rebuilt(written(tmp_path, program))
    tokens = np.random.default_rng(0).normal(0, 3, (20, program.inputs))
    np.testing.assert_array_equal(walk(chain, tokens), walk(chain_of(program), tokens))
    assert (chain.task, chain.classes) == (program.metadata.task, program.classes)


def test_the_widths_are_those_of_the_outputs(tmp_path: Path) -> None:
    program = programs()[0]
    with np.load(written(tmp_path, program) / "parameters.npz") as arrays:
        links = json.loads(str(arrays["links"]))
    assert [link["width"] for link in links] == list(program.channels)


def test_the_same_program_gives_the_same_bytes() -> None:
    first, second = (export_program(programs()[0], Request()).files for _ in range(2))
    assert first == second


def test_the_script_needs_numpy_and_lava_alone(tmp_path: Path) -> None:
    path = written(tmp_path, programs()[1]) / "network.py"
    code = path.read_text("utf-8")
    compile(code, str(path), "exec", dont_inherit=True)
    tree = ast.walk(ast.parse(code))
    imports = [n for n in tree if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {n.module if isinstance(n, ast.ImportFrom) else n.names[0].name for n in imports}
    roots = {str(name).partition(".")[0] for name in names}
    assert roots - set(sys.stdlib_module_names) == {"numpy", "lava"}
    assert path.read_bytes() == SCRIPT.read_bytes()


def test_a_script_without_lava_says_what_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path, programs()[1]) / "network.py"
    ran = subprocess.run(
        [sys.executable, str(path), "a.npy", "b.npy"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "No module named 'lava'" in ran.stderr


def test_an_activation_that_lava_lacks_is_named() -> None:
    chain = chain_of(programs()[1])
    odd = Linear("odd", np.eye(4), np.zeros(4), Activation.GELU)
    with pytest.raises(ConfigError, match=r"--to lava, node 'odd': .* got gelu"):
        export_network(replace(chain, links=(*chain.links, odd)), Request())


def run_in_lava(folder: Path, tokens: np.ndarray) -> np.ndarray:
    """The scores (l, classes) by the script, in the Python of the environment variable."""
    np.save(folder / "tokens.npy", tokens)
    command = [str(LAVA), "network.py", "tokens.npy", "scores.npy"]
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert f"{len(tokens)} tokens, decided " in ran.stdout
    return np.load(folder / "scores.npy")


def close(got: np.ndarray, expected: np.ndarray) -> None:
    scale = np.abs(expected).max()
    assert scale > 1, "zeros would be close to anything"
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9 * scale)


@needs_lava
@pytest.mark.parametrize("program", programs(), ids=lambda p: p.digest[:6])
def test_lava_computes_the_program_in_real_numbers(program: Program, tmp_path: Path) -> None:
    tokens = np.random.default_rng(0).normal(0, 3, (12, program.inputs))
    got = run_in_lava(written(tmp_path, program), tokens)
    close(got, walk(chain_of(program), tokens))


@needs_lava
def test_lava_computes_a_trained_program_in_real_numbers(tmp_path: Path) -> None:
    program, digits = load(RESULTS / "digits/loihi2.ns4d"), load_task("digits").test
    tokens = digits.tokens[0].astype(float)
    got = run_in_lava(written(tmp_path, program), tokens)
    close(got, walk(chain_of(program), tokens))
    assert got[-1].argmax() == program.run(tokens[None])[0].argmax()


@needs_lava
def test_lava_computes_a_trained_network(tmp_path: Path) -> None:
    chain = load_chain(RESULTS / "digits")
    for name, content in export_network(chain, Request()).files.items():
        (tmp_path / name).write_bytes(content)
    tokens = np.random.default_rng(0).normal(size=(16, 1))
    close(run_in_lava(tmp_path, tokens), walk(chain, tokens))
