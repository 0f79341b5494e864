"""The size budgets: short files, short functions, as much test as source, all described."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

FILE_CEILING, FILE_MEDIAN = 400, 150
FUNCTION_CEILING, FUNCTION_MEDIAN = 40, 10

Function = ast.FunctionDef | ast.AsyncFunctionDef
Described = Function | ast.ClassDef | ast.Module


def files_below(folder: str) -> list[Path]:
    return sorted((REPOSITORY / folder).rglob("*.py"))


def lines_of(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def functions_of(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length_of(function: Function) -> int:
    """The lines from `def` to the end, without the docstring."""
    last = function.end_lineno or function.lineno
    return last - function.lineno + 1 - docstring_length(function)


def docstring_length(node: Described) -> int:
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def long_functions(path: Path) -> list[str]:
    """The functions of a file that are longer than the ceiling."""
    return [
        f"{path}:{function.lineno}: {function.name} has {length} lines, at most {FUNCTION_CEILING}"
        for function in functions_of(ast.parse(path.read_text("utf-8")))
        if (length := length_of(function)) > FUNCTION_CEILING
    ]


def undescribed(path: Path) -> list[str]:
    """The public module, classes, functions of a file that have no docstring."""
    tree = ast.parse(path.read_text("utf-8"))
    return [
        f"{path}:{getattr(node, 'lineno', 1)}: {name} has no docstring"
        for name, node in public_parts(tree)
        if not ast.get_docstring(node)
    ]


def public_parts(tree: ast.Module | ast.ClassDef) -> Iterator[tuple[str, Described]]:
    """A module or class, then its public classes, functions, methods: not what is in a function."""
    yield getattr(tree, "name", "the module"), tree
    for node in tree.body:
        if not isinstance(node, Described) or node.name.startswith("_") or repeats(node):
            continue
        if isinstance(node, ast.ClassDef):
            yield from public_parts(node)
        else:
            yield node.name, node


def repeats(node: Function | ast.ClassDef) -> bool:
    """Whether the description stands elsewhere: overloads, setters."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(re.search(r"(^|\.)(overload|setter|deleter)$", name) for name in decorators)


def two_jobs(path: Path) -> str | None:
    """The first line of the module docstring, when it names two jobs."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first = docstring.partition("\n")[0]
    return first if re.search(r"\band\b", first) else None


def above_median(sizes: dict[str, int], limit: int) -> str:
    """A message with the largest entries when the median is above the limit, else nothing."""
    if not sizes or median(sizes.values()) <= limit:
        return ""
    largest = sorted(sizes.items(), key=lambda entry: -entry[1])[:10]
    listed = ", ".join(f"{name} {size}" for name, size in largest)
    return f"median {median(sizes.values())} lines, at most {limit}; the largest: {listed}"


def shortfall(source: int, tests: int) -> str:
    """A message when there are fewer lines of tests than of source, else nothing."""
    missing = source - tests
    return f"tests are {missing} lines shorter than the source ({source})" if missing > 0 else ""


def require_none(complaints: Iterable[str]) -> None:
    """Fail with one complaint a line."""
    found = list(complaints)
    assert not found, "\n".join(["", *found])


EVERYWHERE = [path for folder in ("src", "tests", "examples") for path in files_below(folder)]


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_no_file_is_too_long():
    require_none(
        f"{path} has {lines_of(path)} lines, at most {FILE_CEILING}: split it"
        for path in EVERYWHERE
        if lines_of(path) > FILE_CEILING
    )


def test_no_function_is_too_long():
    require_none(complaint for path in EVERYWHERE for complaint in long_functions(path))


def test_everything_public_is_described():
    require_none(complaint for path in files_below("src") for complaint in undescribed(path))


def test_a_file_has_one_job():
    require_none(
        f"{path}: a first line that needs 'and' is two files: {line}"
        for path in files_below("src")
        if path.name != "__init__.py" and (line := two_jobs(path)) is not None
    )


def test_the_median_file_is_short():
    complaint = above_median({relative(p): lines_of(p) for p in files_below("src")}, FILE_MEDIAN)
    assert not complaint, complaint


def test_the_median_function_is_short():
    sizes = {
        f"{relative(path)}:{function.lineno}": length_of(function)
        for path in files_below("src")
        for function in functions_of(ast.parse(path.read_text("utf-8")))
    }
    complaint = above_median(sizes, FUNCTION_MEDIAN)
    assert not complaint, complaint


def test_there_is_at_least_as_much_test_as_source():
    source, tests = (sum(map(lines_of, files_below(name))) for name in ("src", "tests"))
    complaint = shortfall(source, tests)
    assert not complaint, complaint


class TestThisChecker:
    """Each budget, overdrawn on purpose."""

    @pytest.fixture
    def plant(self, tmp_path):
        def write(code: str) -> Path:
            path = tmp_path / "planted.py"
            path.write_text(code)
            return path

        return write

    def test_a_long_function_is_named(self, plant):
        path = plant("class A:\n    def long(self):\n" + "        x = 1\n" * 40)
        assert long_functions(path) == [f"{path}:2: long has 41 lines, at most 40"]

    def test_a_docstring_is_not_counted(self, plant):
        text = '    """First.\n' + "    more\n" * 40 + '    """\n'
        assert long_functions(plant("def short():\n" + text + "    x = 1\n" * 39)) == []

    def test_a_missing_docstring_is_named(self, plant):
        path = plant('"""M."""\nclass A:\n    def b(self):\n        def c(): ...\ndef _d(): ...\n')
        assert undescribed(path) == [
            f"{path}:2: A has no docstring",
            f"{path}:3: b has no docstring",
        ]

    def test_an_empty_module_is_undescribed(self, plant):
        path = plant("")
        assert undescribed(path) == [f"{path}:1: the module has no docstring"]

    def test_an_overload_needs_no_docstring(self, plant):
        path = plant('"""M."""\n@typing.overload\ndef a(x: int) -> int: ...\n')
        assert undescribed(path) == []

    def test_two_jobs_are_found(self, plant):
        assert two_jobs(plant('"""Read and write."""\n')) == "Read and write."
        assert two_jobs(plant('"""Read bands.\n\nMore and more.\n"""\n')) is None

    def test_a_median_names_the_largest(self):
        assert above_median({"a": 3, "b": 12, "c": 11}, 10) == (
            "median 11 lines, at most 10; the largest: b 12, c 11, a 3"
        )
        assert above_median({"a": 3, "b": 400, "c": 10}, 10) == ""

    def test_too_few_tests_are_found(self):
        assert shortfall(120, 100) == "tests are 20 lines shorter than the source (120)"
        assert shortfall(100, 100) == ""
