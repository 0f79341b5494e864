"""Documentation that can run, runs: code blocks, examples, docstrings; what it points to exists."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import runpy
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
import typer.main

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src"

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
EXAMPLES = sorted((REPOSITORY / "examples").glob("*.py"))
MODULES = sorted(path for path in (SOURCE / "ns4d").rglob("*.py") if ">>> " in path.read_text())

FENCE = re.compile(
    r"^(?:<!--\s*not run:\s*(?P<reason>.*?)\s*-->\s*\n+)?"
    r"^```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```\s*$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\(\s*<?(?P<target>[^)\s>]+)")
NOT_RUN_EXAMPLE = re.compile(r"\A# not run: (.+)")


Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Block:
    """A fenced block of a document: its language, its code, where it stands."""

    language: str
    code: str
    line: int
    reason_not_to_run: str | None


def blocks_of(text: str) -> list[Block]:
    return [
        Block(
            found["language"],
            found["code"],
            text.count("\n", 0, found.start("code")) + 1,
            found["reason"],
        )
        for found in FENCE.finditer(text)
    ]


def run_blocks(path: Path) -> list[str]:
    """Run the Python blocks of a document in one namespace; returns why some were not run."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    reasons = []
    for block in blocks_of(path.read_text("utf-8")):
        if block.language != "python":
            continue
        if block.reason_not_to_run is not None:
            reasons.append(f"{path.name}:{block.line}: {block.reason_not_to_run}")
            continue
        # The blank lines make a traceback point into the document.
        code = "\n" * (block.line - 1) + block.code
        exec(compile(code, str(path), "exec"), namespace)
    return reasons


def commands_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each ns4d or make command in the console blocks, with its line, split into words."""
    for block in blocks_of(text):
        if block.language not in {"console", "bash", "sh", "shell"}:
            continue
        joined = block.code.replace("\\\n", "  ")
        for offset, line in enumerate(joined.splitlines()):
            words = shlex.split(line.removeprefix("$ "), comments=True)
            end = next((k for k, w in enumerate(words) if w in {"|", ">", "&&", ";"}), len(words))
            if words[:1] in (["ns4d"], ["make"]):
                yield block.line + offset, words[:end]


def complaint_about(words: list[str], root: Any) -> str | None:
    """What is wrong with a command line of a document, judged by the commands that exist."""
    if words[0] == "make":
        missing = [word for word in words[1:] if "=" not in word and word not in make_targets()]
        return f"the Makefile has no target {missing[0]!r}" if missing else None
    command, rest = root, words[1:]
    while getattr(command, "commands", None) and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return f"{rest[0]!r} is none of {sorted(command.commands)}"
        command, rest = command.commands[rest[0]], rest[1:]
    known = {"--help"}.union(*(p.opts + p.secondary_opts for p in command.params))
    options = (word.partition("=")[0] for word in rest if is_option(word))
    unknown = [option for option in options if option not in known]
    return f"{unknown[0]!r} is none of {sorted(known)}" if unknown else None


def is_option(word: str) -> bool:
    """A lone `-` is standard input; `-3` is a number."""
    return re.match(r"--?[A-Za-z]", word) is not None


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


def command_line() -> Any:
    """The root of the real command line, as typer builds it."""
    from ns4d import cli

    (app,) = (value for value in vars(cli).values() if isinstance(value, typer.Typer))
    return typer.main.get_command(app)


def broken_links(path: Path) -> list[str]:
    """The relative links of a document that lead nowhere."""
    text = FENCE.sub("", path.read_text("utf-8"))
    targets = (found["target"].partition("#")[0] for found in LINK.finditer(text))
    return [
        f"{path.name}: {target} does not exist"
        for target in targets
        if target and not re.match(r"[a-z]+:", target) and not (path.parent / target).exists()
    ]


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """Code that is run writes here, not into the repository."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_python(paths: list[Path]) -> list[Path]:
    return [p for p in paths if any(b.language == "python" for b in blocks_of(p.read_text()))]


@pytest.mark.parametrize("path", with_python(DOCUMENTS), ids=name_of)
def test_the_code_of_a_document_runs(path, empty_folder):
    if reasons := run_blocks(path):
        pytest.skip("; ".join(reasons) + " (the other blocks passed)")


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_an_example_runs(path, empty_folder, monkeypatch):
    if reason := NOT_RUN_EXAMPLE.match(path.read_text("utf-8")):
        pytest.skip(reason[1])
    monkeypatch.setattr("sys.argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_the_commands_of_a_document_exist(path):
    root = command_line()
    found = [
        f"{path.name}:{line}: {shlex.join(words)}: {complaint}"
        for line, words in commands_of(path.read_text("utf-8"))
        if (complaint := complaint_about(words, root)) is not None
    ]
    assert found == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_the_links_of_a_document_lead_somewhere(path):
    assert broken_links(path) == []


def doctests_of(path: Path, namespace: dict[str, Any]) -> list[doctest.DocTest]:
    """The examples in the docstrings of a file.

    `doctest.testmod` would pass over every function that the shape checks have wrapped, silently.
    """
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    described = (node for node in nodes if isinstance(node, ast.Module | ast.ClassDef | Function))
    return [
        test
        for node in described
        if (docstring := ast.get_docstring(node)) is not None
        and (
            test := as_doctest(docstring, namespace, getattr(node, "name", "module"), path)
        ).examples
    ]


def as_doctest(text: str, namespace: dict[str, Any], name: str, path: Path) -> doctest.DocTest:
    return doctest.DocTestParser().get_doctest(text, dict(namespace), name, str(path), None)


def failures_of(test: doctest.DocTest) -> str:
    """What doctest prints about an example that is not true; empty when all are."""
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    return "".join(report)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_examples_in_docstrings_are_true(path, empty_folder):
    name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    tests = doctests_of(path, vars(importlib.import_module(name)))
    assert tests, f"{path} has examples outside its docstrings"
    reports = "".join(failures_of(test) for test in tests)
    assert not reports, reports


def test_the_quick_start_is_tested():
    assert REPOSITORY / "README.md" in with_python(DOCUMENTS)


def demo(seed: int = 0, quiet: Annotated[bool, typer.Option("--quiet", "-q")] = False) -> None: ...


def other() -> None: ...


class TestThisChecker:
    """Each check, with something to find."""

    @pytest.fixture
    def write(self, tmp_path):
        def write_document(text: str) -> Path:
            path = tmp_path / "planted.md"
            path.write_text(text)
            return path

        return write_document

    def test_blocks_share_a_namespace(self, write):
        assert (
            run_blocks(write("```python\nx = 1\n```\ntext\n```python\nassert x == 1\n```\n")) == []
        )

    def test_a_wrong_block_fails_and_names_its_line(self, write):
        path = write("# Title\n\n```python\nx = 1\nassert x == 2\n```\n")
        with pytest.raises(AssertionError) as caught:
            run_blocks(path)
        assert caught.traceback[-1].lineno + 1 == 5

    def test_a_reason_skips_one_block(self, write):
        path = write("<!-- not run: needs an hour -->\n```python\n1 / 0\n```\n```python\n1\n```\n")
        assert run_blocks(path) == ["planted.md:3: needs an hour"]

    def test_other_languages_are_not_run(self, write):
        assert run_blocks(write("```\n1 / 0\n```\n```console\n$ ns4d demo\n```\n")) == []

    @pytest.mark.parametrize(
        ("line", "complaint"),
        [
            ("ns4d no-such-command", "'no-such-command' is none of"),
            ("ns4d demo --no-such-option", "'--no-such-option' is none of"),
            ("ns4d --no-such-option=3", "'--no-such-option' is none of"),
            ("make no-such-target", "no target 'no-such-target'"),
            ("make demo PYTHON=python3", None),
            ("ns4d demo", None),
            ("ns4d demo --help", None),
            ("ns4d demo --seed=-3 -q - -3", None),
            ("ns4d other --seed 3", "'--seed' is none of"),
        ],
    )
    def test_commands_are_compared_with_those_that_exist(self, line, complaint):
        app = typer.Typer()
        app.command()(demo)
        app.command()(other)
        found = complaint_about(shlex.split(line), typer.main.get_command(app))
        assert found is None if complaint is None else complaint in (found or "")

    def test_commands_are_found_in_console_blocks(self):
        code = "$ ns4d a \\\n  --b 'c d' # why\n$ ls\n$ make test | tail\n"
        text = f"ns4d outside\n```console\n{code}```\n"
        assert [words for _, words in commands_of(text)] == [
            ["ns4d", "a", "--b", "c d"],
            ["make", "test"],
        ]

    def test_a_broken_link_is_found(self, write):
        path = write("[a](planted.md#top) [b](gone.md) [c](https://example.org) [d](#here)")
        assert broken_links(path) == ["planted.md: gone.md does not exist"]

    def test_a_link_in_code_is_no_link(self, write):
        assert broken_links(write("```\n[b](gone.md)\n```\n")) == []

    def test_an_untrue_example_is_found(self, write):
        path = write(
            'def f():\n    """Say.\n\n    >>> one + 1\n    2\n    >>> one\n    2\n    """\n'
        )
        (test,) = doctests_of(path, {"one": 1})
        assert len(test.examples) == 2
        assert "Expected:\n    2\nGot:\n    1\n" in failures_of(test)
