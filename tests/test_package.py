"""The package as users get it: version, command, wheel; and the shape checks that tests rely on."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError
from itertools import chain
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

import ns4d
import ns4d.data
from ns4d.cli.app import _extras, _of_an_extra

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "src" / "ns4d"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))

PLANTED = """
from __future__ import annotations

import numpy as np
from jaxtyping import Float


def last(tokens: Float[np.ndarray, "b l i"]) -> Float[np.ndarray, "b i"]:
    return tokens[:, -1]


def wrong(tokens: Float[np.ndarray, "b l i"]) -> Float[np.ndarray, "b i"]:
    return tokens
"""


def run_module(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m …` in another process, where this working tree can be imported."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), "NO_COLOR": "1", "TERM": "dumb"},
        timeout=120,
        check=False,
    )


def test_the_version_is_stated_once_more_and_equal():
    assert ns4d.__version__ == PROJECT["project"]["version"]


def test_the_changelog_knows_the_version():
    assert f"## [{ns4d.__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text("utf-8")


def test_the_public_names_exist():
    assert len(ns4d.__all__) == len(set(ns4d.__all__))
    assert [name for name in ns4d.__all__ if not hasattr(ns4d, name)] == []


def test_python_dash_m_prints_help(tmp_path):
    ran = run_module("ns4d", "--help", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "demo" in ran.stdout
    assert ran.stderr == ""


def test_an_unknown_command_exits_with_2_and_no_traceback(tmp_path):
    ran = run_module("ns4d", "no-such-command", cwd=tmp_path)
    assert ran.returncode == 2
    assert "no-such-command" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_wheel_has_every_file_of_the_package(tmp_path):
    built = run_module("hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=REPOSITORY)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("ns4d-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected <= packed
    assert "ns4d/py.typed" in packed
    assert any(name.startswith("ns4d/bench/templates/") for name in packed)
    assert any(name.endswith("licenses/LICENSE") for name in packed)


def test_every_pin_is_exact_and_every_dependency_is_pinned():
    lines = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pin) == 2 and "+" not in pin[1] for pin in pins)
    project = PROJECT["project"]
    wanted = chain(project["dependencies"], *project["optional-dependencies"].values())
    assert {name.split(">=")[0] for name in wanted} <= {name for name, _ in pins}


def run_without(modules: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command in another process, in which every import of these modules fails."""
    blocked = f"sys.modules.update(dict.fromkeys({modules.split()}))"
    code = f"import sys\n{blocked}\nfrom ns4d import cli\nsys.argv[0] = 'ns4d'\ncli.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        timeout=120,
        check=False,
    )


class TestAPlainInstallation:
    """Without the packages of the extras, a command says which it needs, and how to get it."""

    @pytest.mark.parametrize(
        ("missing", "command", "extra"),
        [
            ("torch", "train", "train"),
            ("matplotlib", "demo", "report"),
            ("jinja2", "demo", "report"),
        ],
    )
    def test_a_missing_package_is_one_line(self, tmp_path, missing, command, extra):
        arguments = ["digits"] if command == "train" else []
        ran = run_without(missing, command, *arguments, cwd=tmp_path)
        told = f"error: ns4d {command}: expected the package {missing}, got no such package. "
        assert ran.stderr == f'{told}Install it: pip install "ns4d[{extra}]".\n'
        assert (ran.returncode, ran.stdout) == (1, "")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("module", ["numpy", "ns4d.train", "torch.nn"])
    def test_another_missing_module_is_a_bug(self, tmp_path, module):
        """One that every installation has, one of ours, one inside a package that is there."""
        ran = run_without(module, "train", "digits", cwd=tmp_path)
        assert ran.returncode == 1
        assert ran.stderr.startswith("Traceback")
        assert "ModuleNotFoundError" in ran.stderr

    def test_the_smallest_extra_is_named(self):
        assert 'ns4d[onnx]"' in str(_of_an_extra("onnx"))

    def test_a_module_may_be_named_otherwise_than_its_package(self):
        error = _of_an_extra("PIL")
        assert error is not None
        assert error.expected == "the package pillow"
        assert error.fix == 'Install it: pip install "ns4d[train]".'

    def test_the_extras_are_those_of_the_metadata(self, monkeypatch):
        lines = [
            "numpy>=2",
            "one>=1; extra == 'a'",
            'two[x]~=2 ; python_version<"4" and extra == "a"',
        ]
        monkeypatch.setattr("importlib.metadata.requires", lambda _: [*lines, "one; extra=='b-c'"])
        assert _extras() == {"a": ["one", "two"], "b-c": ["one"]}

    def test_what_is_not_installed_has_no_extras(self, monkeypatch):
        def absent(name: str) -> None:
            raise PackageNotFoundError(name)

        monkeypatch.setattr("importlib.metadata.requires", absent)
        assert _of_an_extra("torch") is None


class TestShapeChecks:
    """Annotations are enforced while the tests run; otherwise they would only be comments."""

    @pytest.fixture
    def planted(self, tmp_path, monkeypatch):
        """A new module inside the package, imported the way its own modules are."""
        (tmp_path / "planted.py").write_text(PLANTED)
        monkeypatch.setattr(ns4d.data, "__path__", [*ns4d.data.__path__, str(tmp_path)])
        yield importlib.import_module("ns4d.data.planted")
        del sys.modules["ns4d.data.planted"]

    def test_every_module_but_the_kernels_and_the_busiest_is_checked(self):
        options = PROJECT["tool"]["pytest"]["ini_options"]["addopts"]
        (option,) = (text for text in options if text.startswith("--jaxtyping-packages="))
        checked = option.partition("=")[2].split(",")
        modules = {
            ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
            for path in PACKAGE.rglob("*.py")
            if path.name not in ("__init__.py", "__main__.py")
        }
        kernels = {
            "kernels",
            "lanes",
            "linear",
            "plain",
            "rounding_mode",
            "short",
            "single",
            "word",
        }
        assert {
            name for name in modules if not any(f"{name}.".startswith(f"{k}.") for k in checked)
        } == {
            "ns4d.numerics.primitives",
            "ns4d.program.ranges",
            "ns4d.loihi2.simulate_steps",
            "ns4d.ssm.vectorized.passes",
            *(f"ns4d.engines.native.{name}" for name in kernels),
        }

    def test_the_right_shape_passes(self, planted):
        assert planted.last(np.zeros((2, 3, 4))).shape == (2, 4)

    @pytest.mark.parametrize("tokens", [np.zeros((2, 3)), np.zeros((2, 3, 4), np.int64), [[[1.0]]]])
    def test_a_wrong_argument_is_rejected(self, planted, tokens):
        with pytest.raises(jaxtyping.TypeCheckError, match="tokens"):
            planted.last(tokens)

    def test_a_wrong_result_is_rejected(self, planted):
        with pytest.raises(jaxtyping.TypeCheckError, match="return"):
            planted.wrong(np.zeros((2, 3, 4)))

    def test_the_modules_of_the_package_are_checked(self):
        torch = pytest.importorskip("torch")
        from ns4d.ssm import convolve

        with pytest.raises(jaxtyping.TypeCheckError, match="parameter 'k'"):
            convolve(torch.zeros(2, 3, 4), torch.zeros(4))
