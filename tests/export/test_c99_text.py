"""The generated C is a snapshot, and what it promises about itself can be read off it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from conformance.family import case
from ns4d.errors import RangeError
from ns4d.export.c99.comments import comment, string
from ns4d.export.c99.example import example_files
from ns4d.export.c99.files import model_files
from ns4d.export.c99.identifiers import LONGEST, identifiers
from ns4d.export.c99.unit import Unit
from ns4d.numerics import LOIHI2, WIDE
from program_strategies import TINY_STATE, random_program

SNAPSHOTS = Path(__file__).parents[1] / "snapshots" / "c99"


def snapshot_units() -> dict[str, Unit]:
    """Between them: both product roundings, both synapse roundings, b folded or not, an add."""
    rng = np.random.default_rng
    folded = random_program(rng(1), LOIHI2, channels=4, modes=2, uniform=True, excess=2)
    residual = random_program(rng(2), WIDE, inputs=2, channels=3, modes=2, residual=True)
    tiny = random_program(rng(3), TINY_STATE, channels=2, modes=1, saturating=True)
    return {
        "folded": Unit(folded, "folded"),
        "residual": Unit(residual, "residual"),
        "tiny": Unit(tiny, "tiny", length=100),
    }


def texts_of(unit: Unit) -> dict[str, str]:
    return {name: content.decode("ascii") for name, content in model_files(unit).items()}


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


SNAPPED = [
    (name, file) for name, unit in snapshot_units().items() for file in sorted(texts_of(unit))
]


@pytest.mark.parametrize(("name", "file"), SNAPPED)
def test_text_is_the_snapshot(name, file):
    """To accept a change: `python tests/export/test_c99_text.py` with src and tests on the path."""
    assert texts_of(snapshot_units()[name])[file] == (SNAPSHOTS / file).read_text("ascii")


def test_the_example_is_a_snapshot_too():
    unit = snapshot_units()["folded"]
    for name, content in example_files(unit, None).items():
        assert content == (SNAPSHOTS / f"folded-{name}").read_bytes()


def test_no_snapshot_is_stale():
    kept = {path.name for path in SNAPSHOTS.iterdir()}
    example = {f"folded-{name}" for name in example_files(snapshot_units()["folded"], None)}
    assert kept == {file for _, file in SNAPPED} | example


@pytest.fixture(scope="module", params=[0, 1, 5, 9, 10])
def texts(request):
    return texts_of(Unit(case(request.param).program, "model"))


class TestPromises:
    """What the header says of the code."""

    def test_no_floating_point(self, texts):
        code = without_comments("".join(texts.values()))
        assert not re.search(r"\b(float|double|long double)\b|\d\.\d|\d[eE][-+]?\d", code)

    def test_nothing_is_included_but_stdint(self, texts):
        included = re.findall(r"#include (\S+)", "".join(texts.values()))
        assert set(included) == {"<stdint.h>", '"model.h"', '"model_constants.h"'}

    def test_nothing_is_called_but_its_own_functions(self, texts):
        code = without_comments(texts["model.c"])
        called = set(re.findall(r"\b([a-z_]\w*)\(", code)) - {"defined", "__attribute__"}
        defined = set(
            re.findall(r"^(?:OWN_FRAME )?(?:static )?(?:inline )?\w+ (\w+)\(", code, re.M)
        )
        keywords = {"if", "for", "while", "return", "sizeof", "__asm__", "noinline"}
        assert called - defined <= keywords

    def test_no_variable_outlives_a_call(self, texts):
        """Every static object is const."""
        statics = re.findall(r"^static (.*)$", without_comments("".join(texts.values())), re.M)
        assert statics
        objects = [line for line in statics if "(" not in line]
        assert all(line.startswith("const ") for line in objects)

    def test_public_names_have_the_prefix(self, texts):
        code = without_comments(texts["model.h"])
        names = re.findall(r"(?:#define |typedef int\d+_t |^.*} )(\w+)", code, re.M)
        names += re.findall(r"^\w+ (\w+)\(", code, re.M)
        assert {"model_init", "model_step", "model_state"} <= set(names)
        assert all(name.lower().startswith("model_") for name in names)

    def test_it_is_ascii_with_spaces(self, texts):
        for text in texts.values():
            assert text.isascii()
            assert max(map(len, text.splitlines())) <= 100
            assert "\t" not in text
            assert text.endswith("\n")
            assert not re.search(r" $", text, re.M)

    def test_every_function_says_which_equations_it_is(self, texts):
        for found in re.finditer(r"(/\*[^/]*\*/)\nOWN_FRAME static void run_", texts["model.c"]):
            assert re.search(r"\((\d+)\)", found[1]), found[1]
        assert texts["model.c"].count("OWN_FRAME static void run_") == texts["model.c"].count(
            "*/\nOWN_FRAME static void run_"
        )


def test_a_program_exports_to_the_same_text_every_time():
    assert texts_of(snapshot_units()["tiny"]) == texts_of(snapshot_units()["tiny"])


def test_the_header_states_digest_sizes_and_operations():
    unit = snapshot_units()["folded"]
    text = texts_of(unit)["folded.h"]
    assert f"program      {unit.program.digest}" in text
    assert "RAM          96 bytes: one folded_state per stream" in text
    assert re.search(r"flash        [\d,]+ bytes of constants, at most [\d,]+ of code", text)
    assert re.search(r"per token    [\d,]+ multiplications, [\d,]+ additions", text)


class TestScores:
    """Their type follows from the longest sequence."""

    def test_64_bits_for_all_tokens_that_are_proved(self):
        program = snapshot_units()["folded"].program
        unit = Unit(program, "model")
        assert (unit.score.name, unit.tokens_max) == ("int64_t", program.safe_tokens)

    def test_32_bits_where_the_longest_sequence_provably_fits(self):
        program = snapshot_units()["folded"].program
        per_token = int((program.ranges[-1].accumulator + np.abs(program.readout.bias)).max())
        most = (2**31 - 1) // per_token
        assert Unit(program, "model", most).score.name == "int32_t"
        assert Unit(program, "model", most + 1).score.name == "int64_t"

    def test_a_length_that_is_not_proved_is_refused(self):
        program = snapshot_units()["folded"].program
        for length in (0, -3, program.safe_tokens + 1):
            with pytest.raises(RangeError, match="--length: expected 1 to"):
                Unit(program, "model", length)


class TestIdentifiers:
    def test_they_are_different_and_legal(self):
        names = [
            "layer0.s4d",
            "layer0-s4d",
            "layer0_s4d",
            "a" * 64,
            "a" * 63 + ".",
            "readout2",
            "x",
        ]
        found = identifiers(names)
        assert list(found) == names
        assert len(set(found.values())) == len(names)
        assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) for name in found.values())
        # `_channels_row` and the like come behind, within the 63 characters that C99 tells apart.
        assert max(map(len, found.values())) + len("run_") + len("_channels_row") <= 63
        assert LONGEST < 46

    def test_the_readout_keeps_its_name(self):
        assert identifiers(["readout"]) == {"readout": "readout_2"}


class TestUsersText:
    """Task and class names are anything; they end no comment and no string."""

    @pytest.mark.parametrize("text", ["a */ int b;", "/* in", "what??/", "\\\n", "é ü", "%s", '"'])
    def test_comments(self, text):
        made = comment(text)
        assert made.isascii()
        assert not re.search(r"\*/|/\*|\?\?|\\|\n", made)

    @pytest.mark.parametrize("text", ['a"b', "a\\b", "??/", "é", "%d", "new\nline", "\0"])
    def test_strings(self, text):
        made = string(text)
        inside = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), made[1:-1])
        assert inside.encode("latin-1").decode("utf-8") == text
        assert made.isascii()
        assert not re.search(r'["\n?%]', re.sub(r"\\[0-7]{3}", "", made[1:-1]))


if __name__ == "__main__":
    SNAPSHOTS.mkdir(parents=True, exist_ok=True)
    for unit_name, each in snapshot_units().items():
        for file_name, text in texts_of(each).items():
            (SNAPSHOTS / file_name).write_text(text, "ascii")
        if unit_name == "folded":
            for file_name, content in example_files(each, None).items():
                (SNAPSHOTS / f"folded-{file_name}").write_bytes(content)
