"""The direction of imports: integer half below, training half beside it, tools on top.

Each package may import the packages of its row when it is loaded. An import inside a function that
goes elsewhere needs an entry in DEFERRED; the integer half imports no torch, wherever it stands.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"

INTEGER_HALF = {"ns4d", "errors", "choice", "storage", "numerics", "program", "engines"}
INTEGER_HALF |= {"loihi2", "export", "jit", "threads", "environment"}
EVERYTHING = INTEGER_HALF | {
    "trained",
    "zoo",
    "ssm",
    "model",
    "data",
    "train",
    "quantize",
    "bench",
    "demo",
    "cli",
}

ALLOWED: Mapping[str, set[str]] = {
    **{lowest: set() for lowest in ("errors", "jit", "threads", "environment")},
    "choice": {"errors"},
    "storage": {"errors"},
    "numerics": {"errors"},
    "program": {"errors", "storage", "numerics"},
    "engines": {"errors", "jit", "threads", "numerics", "program"},
    "zoo": {"errors", "program"},
    "loihi2": {"errors", "choice", "numerics", "program", "engines"},
    "export": {"errors", "choice", "storage", "numerics", "program", "engines"},
    "ns4d": {"errors", "numerics", "program", "engines", "zoo"},
    "ssm": {"errors", "jit", "threads"},
    "model": {"errors", "ssm"},
    "data": {"errors"},
    "train": {"errors", "storage", "environment", "ssm", "model", "data"},
    "quantize": {
        "errors",
        "environment",
        "storage",
        "ssm",
        "model",
        "data",
        "train",
        "numerics",
        "program",
        "engines",
    },
    "trained": {"errors", "ssm", "model", "train", "quantize", "export"},
    "bench": EVERYTHING - {"bench", "demo", "cli"},
    "demo": EVERYTHING - {"demo", "cli"},
    "cli": EVERYTHING - {"cli"},
    "__main__": {"cli"},
}

DEFERRED: Mapping[tuple[str, str], str] = {
    ("program", "engines"): "Program.run and Program.stream start the default engine",
}

LOADED_ON_DEMAND = {"torch", "sklearn", "scipy", "matplotlib", "jinja2", "pooch", "PIL", "numba"}
FORBIDDEN_NAMES = {"utils", "util", "common", "core", "helpers", "misc"}
UNPICKLERS = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNPICKLING_OPTIONS = {"allow_pickle=True", "weights_only=False"}
MAY_UNPICKLE = {"data/cifar_batches.py"}  # the official CIFAR archive; a restricted reader


@dataclass(frozen=True)
class Import:
    """One imported module and where it is imported."""

    module: str
    where: str
    on_load: bool


def package_of(path: Path, source: Path = SOURCE) -> str:
    """The package a file belongs to: the folder or file right below ns4d; `ns4d` for the root."""
    parts = path.relative_to(source / "ns4d").with_suffix("").parts
    return "ns4d" if parts == ("__init__",) else parts[0]


def imports_of(path: Path) -> Iterator[Import]:
    """Every import of a file, at any depth, with relative ones resolved."""
    yield from _imports_below(ast.parse(path.read_text("utf-8")), path, on_load=True)


def _imports_below(tree: ast.AST, path: Path, *, on_load: bool) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, where, on_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(name, where, on_load) for name in _from_names(node, path))
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _imports_below(ast.Module(node.body, []), path, on_load=False)
            yield from _imports_below(ast.Module(node.orelse, []), path, on_load=on_load)
        else:
            in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _imports_below(node, path, on_load=on_load and not in_function)


def _from_names(node: ast.ImportFrom, path: Path) -> list[str]:
    """The modules of a `from` import; `from ns4d import x` may mean the package x."""
    base = node.module or ""
    if node.level:
        above = path.parents[node.level - 1]
        root = next(parent for parent in path.parents if parent.name == "ns4d").parent
        base = ".".join([*above.relative_to(root).parts, *filter(None, [node.module])])
    if base == "ns4d":
        return [f"ns4d.{alias.name}" for alias in node.names]
    return [base]


def target_of(module: str) -> str | None:
    """The ns4d package that a module name points to; None outside ns4d."""
    first, *rest = module.split(".")
    if first != "ns4d":
        return None
    return rest[0] if rest and rest[0] in ALLOWED else "ns4d"


def violations(path: Path, source: Path = SOURCE) -> list[str]:
    """What is wrong with the imports of one file, each with its place."""
    package = package_of(path, source)
    if package not in ALLOWED:
        return [f"{path}: package {package!r} has no row in ALLOWED; decide where it belongs"]
    return [
        complaint
        for found in imports_of(path)
        if (complaint := _complaint(package, found)) is not None
    ]


def _complaint(package: str, found: Import) -> str | None:
    target = target_of(found.module)
    if package in INTEGER_HALF and found.module.split(".")[0] == "torch":
        return f"{found.where}: {package} is in the integer half and imports torch"
    if target is None or target == package or target in ALLOWED[package]:
        return None
    if not found.on_load and (package, target) in DEFERRED:
        return None
    return f"{found.where}: {package} may not import {target}; see ALLOWED in {__file__}"


def source_files() -> list[Path]:
    return sorted((SOURCE / "ns4d").rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE / "ns4d").as_posix()


def require_none(complaints: Iterable[str]) -> None:
    """Fail with one complaint a line."""
    found = list(complaints)
    assert not found, "\n".join(["", *found])


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that sees this source tree."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


def test_imports_point_one_way():
    require_none(complaint for path in source_files() for complaint in violations(path))


def test_the_table_has_no_cycle():
    settled: set[str] = set()
    waiting = dict(ALLOWED)
    while waiting:
        ready = [package for package, below in waiting.items() if below <= settled]
        assert ready, f"these packages import one another: {sorted(waiting)}"
        settled.update(ready)
        waiting = {package: row for package, row in waiting.items() if package not in settled}


def test_the_integer_half_may_reach_only_itself():
    for package in INTEGER_HALF:
        assert ALLOWED[package] <= INTEGER_HALF | {"zoo"}, package


def test_every_deferred_import_is_used():
    used = {
        (package_of(path), target_of(found.module))
        for path in source_files()
        for found in imports_of(path)
        if not found.on_load
    }
    assert set(DEFERRED) <= used, "remove the entries of DEFERRED that nothing needs"


def test_no_file_is_a_drawer():
    require_none(
        f"{path}: name it after the concept it holds"
        for path in source_files()
        if FORBIDDEN_NAMES & set(path.relative_to(SOURCE).with_suffix("").parts)
    )


def unpicklers(path: Path) -> list[str]:
    """The places of a file that could let a data file run code."""
    imported = [
        f"{found.where}: imports {found.module}; a file read by ns4d runs no code"
        for found in imports_of(path)
        if found.module.split(".")[0] in UNPICKLERS
    ]
    allowed = [
        f"{path}:{node.value.lineno}: {ast.unparse(node)}; a file read by ns4d runs no code"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and ast.unparse(node) in UNPICKLING_OPTIONS
    ]
    return imported + allowed


def test_nothing_unpickles():
    found = {name_of(path): unpicklers(path) for path in source_files()}
    assert {
        name: lines for name, lines in found.items() if lines and name not in MAY_UNPICKLE
    } == {}
    assert all(found.get(name) for name in MAY_UNPICKLE), "remove stale names from MAY_UNPICKLE"


def kindless(path: Path) -> list[str]:
    """The raise statements of a file that choose no kind of error."""
    return [
        f"{path}:{node.lineno}: raise {raised(node)}; choose a kind from ns4d.errors"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Raise) and raised(node) in {"Exception", "BaseException"}
    ]


def raised(node: ast.Raise) -> str:
    """The class that a raise statement names."""
    error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return ast.unparse(error) if error is not None else ""


def test_errors_have_a_kind():
    require_none(complaint for path in source_files() for complaint in kindless(path))


def test_import_loads_nothing_heavy():
    ran = run_python("import json, sys, ns4d; print(json.dumps(sorted(sys.modules)))")
    assert ran.returncode == 0, ran.stderr
    loaded = {module.split(".")[0] for module in json.loads(ran.stdout)}
    assert "ns4d" in loaded
    assert not loaded & LOADED_ON_DEMAND


def test_the_command_line_loads_nothing_heavy():
    ran = run_python("import json, sys, ns4d.cli; print(json.dumps(sorted(sys.modules)))")
    assert ran.returncode == 0, ran.stderr
    assert not {module.split(".")[0] for module in json.loads(ran.stdout)} & LOADED_ON_DEMAND


def test_the_program_runs_where_torch_is_not_installed():
    ran = run_python(WITHOUT_TORCH)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "streamed equals batch"


WITHOUT_TORCH = """
import sys
import tempfile
from pathlib import Path

sys.modules["torch"] = None  # every `import torch` now raises ImportError

import numpy as np
import ns4d
from ns4d.numerics import LOIHI2
from ns4d.program import Descale, InputQuantizer, Metadata, Program, Readout, S4D, save

one, half = np.ones(1, np.int64), np.array([[1 << 13]])
to_message = Descale(multiplier=one, shift=0, limit=one * 1000, relu=True)
neuron = S4D(
    name="neuron", a_re=half, a_im=half, b_re=half, b_im=half, c_re=half, c_im=half,
    d=one, a_shift=14, b_shift=one * 10, c_shift=one * 14, d_shift=one, descale=to_message,
)
program = Program(
    arithmetic=LOIHI2,
    input=InputQuantizer(offset=np.zeros(1), scale=np.full(1, 0.5)),
    nodes=(neuron,),
    readout=Readout(weight=np.array([[1], [-1]]), bias=np.array([0, 3])),
    metadata=Metadata(task="tiny", classes=("up", "down")),
)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "tiny.ns4d"
    save(program, path)
    program = ns4d.load(path)
tokens = np.array([[0.5], [-2.0], [7.0], [0.0]])
stream = program.stream()
for token in tokens:
    scores = stream.step(token)
assert scores.any(), "zeros would equal anything"
assert (scores == program.run(tokens[None])[0]).all(), (scores, program.run(tokens[None]))
print("streamed equals batch")
"""


class TestThisChecker:
    """A checker that finds nothing is only worth something if it can find something."""

    @pytest.fixture
    def plant(self, tmp_path):
        def write(name: str, code: str) -> list[str]:
            path = tmp_path / "ns4d" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)
            return violations(path, tmp_path)

        return write

    @pytest.mark.parametrize(
        "code",
        [
            "from ns4d.engines import Reference",
            "import ns4d.engines.reference",
            "from ns4d import engines",
            "from ..engines import Reference",
            "if True:\n    import ns4d.engines",
            "class A:\n    from ns4d import engines",
            "def f():\n    from ns4d.engines import Reference",
        ],
    )
    def test_an_upward_import_is_found(self, plant, code):
        (found,) = plant("numerics/planted.py", code)
        assert "numerics may not import engines" in found

    @pytest.mark.parametrize("code", ["import torch", "def f():\n    from torch.nn import Module"])
    def test_torch_in_the_integer_half_is_found_at_any_depth(self, plant, code):
        (found,) = plant("engines/planted.py", code)
        assert "integer half and imports torch" in found

    def test_the_place_is_named(self, plant):
        (found,) = plant("errors.py", "\n\nimport ns4d.data\n")
        assert "errors.py:3: errors may not import data" in found

    def test_an_unknown_package_is_found(self, plant):
        (found,) = plant("stray/planted.py", "")
        assert "'stray' has no row" in found

    def test_a_deferred_import_is_allowed_in_a_function_only(self, plant):
        assert plant("program/planted.py", "def f():\n    import ns4d.engines") == []
        assert len(plant("program/planted.py", "import ns4d.engines")) == 1

    def test_an_import_for_types_is_deferred(self, plant):
        code = "if TYPE_CHECKING:\n    import ns4d.engines\nelse:\n    import ns4d.data"
        (found,) = plant("program/planted.py", code)
        assert "planted.py:4: program may not import data" in found

    @pytest.mark.parametrize(
        "code",
        ["import numpy", "from ns4d.errors import ShapeError", "from . import formats", "x = 1"],
    )
    def test_a_downward_import_is_allowed(self, plant, code):
        assert plant("numerics/planted.py", code) == []

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("def f():\n    from pickle import load", "planted.py:2: imports pickle"),
            ("\nnp.load(a, allow_pickle=True)", "planted.py:2: allow_pickle=True"),
            ("torch.load(\n a, weights_only=False)", "planted.py:2: weights_only=False"),
        ],
    )
    def test_a_pickle_is_found(self, plant, tmp_path, code, expected):
        plant("data/planted.py", code)
        (found,) = unpicklers(tmp_path / "ns4d/data/planted.py")
        assert expected in found

    @pytest.mark.parametrize("code", ["raise Exception", "raise Exception('no') from None"])
    def test_a_kindless_error_is_found(self, plant, tmp_path, code):
        plant("data/planted.py", code)
        (found,) = kindless(tmp_path / "ns4d/data/planted.py")
        assert "planted.py:1: raise Exception" in found
