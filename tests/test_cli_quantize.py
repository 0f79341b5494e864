"""Options of the commands that quantize: what each changes, and that a mistake leaves no trace."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import ns4d
from ns4d.bench import sweep as sweep_module
from ns4d.bench import verify
from ns4d.bench.sweep import AXES
from ns4d.numerics import LOIHI2, WIDE, write_profile
from ns4d.program import Program
from test_cli import QUICK, call, last_json


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert call("train", "digits", *QUICK, "--out", str(folder), "--threads", "1") == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained network in a folder of its own, which is the current one; named `run`."""
    shutil.copytree(trained, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def quantized(run: Path, *options: str) -> Program:
    assert call("quantize", "run", "--ptq", "--out", "p.ns4d", *options) == 0
    return ns4d.load(run.parent / "p.ns4d")


def folded(program: Program) -> bool:
    """Whether one power of two drives each channel."""
    drives = [node.b_re for node in program.recurrent]
    alike = all((b == b[:, :1]).all() and not (b & (b - 1)).any() for b in drives)
    return alike and not any(node.b_im.any() for node in program.recurrent)


def saturating(program: Program) -> int:
    return sum(proved.may_saturate for proved in program.ranges)


def everything_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("profile", ["loihi2", "wide"])
def test_b_is_folded_unless_kept(run: Path, profile: str) -> None:
    assert folded(quantized(run, "--profile", profile))
    assert not folded(quantized(run, "--profile", profile, "--keep-b"))


def test_states_are_proved_where_they_are_wide_or_where_one_asks(run: Path) -> None:
    assert saturating(quantized(run, "--profile", "wide")) == 0
    assert saturating(quantized(run, "--profile", "loihi2", "--certified")) == 0
    assert saturating(quantized(run, "--profile", "wide", "--certified")) == 0
    one, other = (quantized(run, "--profile", "loihi2", *k) for k in ((), ("--calibrated",)))
    assert one.digest == other.digest
    assert saturating(one) > 0


def test_every_option_is_another_program(run: Path) -> None:
    kinds: list[tuple[str, ...]] = [
        (),
        ("--keep-b",),
        ("--certified",),
        ("--sequences", "3"),
        ("--weight-bits", "5"),
        ("--coefficient-bits", "9"),
        ("--message-bits", "7"),
        ("--state-bits", "18"),
        ("--profile", "wide"),
    ]
    digests = [quantized(run, *kind).digest for kind in kinds]
    assert len(set(digests)) == len(kinds)


def test_observers_part_where_they_see_enough_or_round_much(run: Path) -> None:
    # One magnitude in ten thousand takes more than ten thousand; clipping pays at few bits.
    kind = ("--sequences", "1000", "--message-bits", "4")
    programs = [quantized(run, *kind, "--observer", k) for k in ("max", "percentile", "mse")]
    assert len({program.digest for program in programs}) == 3


def test_defaults_are_what_the_help_says(run: Path) -> None:
    plain = quantized(run)
    for spelled in (("--sequences", "64"), ("--observer", "max"), ("--profile", "loihi2")):
        assert quantized(run, *spelled).digest == plain.digest


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("--weight-bits", "weight_bits"),
        ("--coefficient-bits", "coefficient_bits"),
        ("--message-bits", "message_bits"),
        ("--state-bits", "state_bits"),
    ],
)
def test_a_width_is_that_of_the_program_and_in_its_name(run: Path, option: str, field: str) -> None:
    width = getattr(LOIHI2, field) - 2
    assert call("quantize", "run", "--ptq", option, str(width)) == 0
    (path,) = run.glob("*.ns4d")
    assert path.name == f"loihi2-{field[0]}{width}.ns4d"
    arithmetic = ns4d.load(path).arithmetic
    assert arithmetic == replace(LOIHI2, name=path.stem, **{field: width})


def test_a_report_is_one_page_beside_the_same_program(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = quantized(run)
    capsys.readouterr()
    reported = quantized(run, "--report", "new/page.html", "--json")
    assert reported.digest == plain.digest
    facts = last_json(capsys)
    page = Path("new/page.html").read_text()
    assert facts["report"] == "new/page.html"
    assert "<svg" in page
    assert not re.search(r"(src|href)=.http", page)
    for node in facts["inspection"]["nodes"]:
        assert node["name"] in page
    assert quantized(run, "--report", "page.html").digest == plain.digest
    printed = " ".join(capsys.readouterr().out.split())
    assert "largest drop at" in printed
    assert "states are calibrated, not proved" in printed


def test_a_profile_from_a_file_takes_widths_as_well(run: Path) -> None:
    write_profile(replace(WIDE, name="mine", state_bits=30), "mine.json")
    program = quantized(run, "--profile", "mine.json", "--message-bits", "9")
    assert program.arithmetic == replace(WIDE, name="mine-m9", state_bits=30, message_bits=9)


# Exit code 1 is an error of ns4d's own, 2 one of the parser.
QUANTIZE_MISTAKES = [
    (("--observer", "mxa"), 1, "--observer: expected one of max, percentile, mse, got 'mxa'"),
    (("--observer", ""), 1, "--observer: expected one of max, percentile, mse, got ''"),
    (("--weight-bits", "17"), 1, "weight_bits: expected an integer from 2 to 16, got 17"),
    (("--coefficient-bits", "1"), 1, "coefficient_bits: expected an integer from 2 to 24, got 1"),
    (("--message-bits", "25"), 1, "message_bits: expected an integer from 2 to 24, got 25"),
    (("--state-bits", "-4"), 1, "state_bits: expected an integer from 2 to 32, got -4"),
    (("--weight-bits", "eight"), 2, "Invalid value for '--weight-bits'"),
    (("--sequences", "0"), 2, "Invalid value for '--sequences'"),
    (("--threads", "-1"), 2, "Invalid value for '--threads'"),
    (("--certified", "--state-bits", "3"), 1, "expected states proved within 3 bits"),
    (("--profile", "wide.jsn"), 1, "--profile: expected one of loihi2, wide, or the path"),
    (("--profile", "run"), 1, "--profile: expected one of loihi2, wide, or the path"),
    (("--report", "run"), 1, "run: expected to write"),
    (("--out", "run"), 1, "run: expected"),
    (("--out", "run/best.safetensors/p.ns4d"), 1, "expected to write"),
    (("--device", "tpu"), 1, "--device: expected cpu, auto, or cuda"),
    (("--qaft", "1"), 1, "quantize: expected a method, got two"),
    (("--kep-b",), 2, "No such option: --kep-b"),
    (("other",), 2, "Got unexpected extra argument"),
]


@pytest.mark.parametrize(("options", "code", "message"), QUANTIZE_MISTAKES)
def test_a_mistake_is_named_and_leaves_no_trace(
    run: Path,
    options: tuple[str, ...],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = everything_in(run.parent)
    assert call("quantize", "run", "--ptq", *options) == code
    require_clear(capsys, code, message)
    assert everything_in(run.parent) == before


def require_clear(capsys: pytest.CaptureFixture[str], code: int, message: str) -> None:
    """One line on stderr, nothing on stdout; the parser's own errors stand in a frame."""
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    if code == 1:
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
    shown = " ".join(captured.err.replace("│", " ").split())
    assert message.lower() in shown.lower()


def test_a_report_of_a_fine_tuning_is_refused_before_it_runs(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything_in(run.parent)
    assert call("quantize", "run", "--qaft", "1", "--report", "page.html") == 1
    require_clear(capsys, 1, "--report: expected --ptq, got --qaft. Leave it out, or add --ptq.")
    assert call("quantize", "run", "--qaft", "0") == 2
    require_clear(capsys, 2, "Invalid value for '--qaft'")
    assert everything_in(run.parent) == before


FIELDS = json.dumps({k: getattr(v, "value", v) for k, v in vars(LOIHI2).items()})
BAD_PROFILES = {
    "not json": ("{", "expected a profile in JSON"),
    "a list": ("[1]", "expected"),
    "empty": ("", "expected a profile in JSON"),
    "a missing field": (FIELDS.replace('"weight_bits": 8, ', ""), "weight_bits"),
    "an unknown field": (FIELDS.replace("weight_bits", "weigt_bits"), "Did you mean 'weight_bits'"),
    "a text for a number": (FIELDS.replace('"weight_bits": 8', '"weight_bits": "8"'), "got"),
    "a width too many": (FIELDS.replace('"state_bits": 24', '"state_bits": 33'), "from 2 to 32"),
    "a rounding of no name": (FIELDS.replace("each_toward_zero", "nearest"), "'nearest'"),
    "another's name": (
        FIELDS.replace('"state_bits": 24', '"state_bits": 20'),
        "'loihi2', the name of another profile",
    ),
}


@pytest.mark.parametrize("kind", BAD_PROFILES)
@pytest.mark.parametrize("command", [("quantize", "run", "--ptq"), ("sweep", "run")])
def test_a_bad_profile_names_its_file(
    run: Path, command: tuple[str, ...], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, message = BAD_PROFILES[kind]
    Path("bad.json").write_text(text)
    before = everything_in(run.parent)
    assert call(*command, "--profile", "bad.json") == 1
    captured = capsys.readouterr().err
    assert captured.startswith("error: bad.json")
    assert message in captured
    assert captured.count("\n") == 1
    assert everything_in(run.parent) == before


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = dict.fromkeys(AXES, (32,)) | {"weight_bits": (4,), "message_bits": (6,)}
    monkeypatch.setattr(sweep_module, "AXES", axes)


def test_a_sweep_writes_journal_record_and_page(
    run: Path, few: None, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--sequences", "6", "--record", "record.json", "--json", "--threads", "1")
    assert call("sweep", "run", *options) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [row["name"] for row in found["configurations"]] == [
        "w8-c16-m12-s24",
        "w4-c16-m12-s24",
        "w8-c16-m6-s24",
    ]
    assert captured.err.count("\n") == 3
    assert found["sequences"] == 6
    assert json.loads(Path("record.json").read_text())["configurations"] == found["configurations"]
    assert (run / "sweep.html").read_text().count("<svg") == 2
    assert len((run / "sweep.jsonl").read_text().splitlines()) == 3
    # Again: nothing is computed, the same is found; a table this time.
    assert call("sweep", "run", "--sequences", "6") == 0
    again = capsys.readouterr()
    assert again.err == ""
    assert f"report  {Path('run') / 'sweep.html'}" in again.out


def test_options_of_a_sweep_are_studies_of_their_own(
    run: Path, few: None, capsys: pytest.CaptureFixture[str]
) -> None:
    studies: list[tuple[str, ...]] = [
        (),
        ("--keep-b",),
        ("--certified",),
        ("--observer", "mse"),
        ("--observer", "percentile"),
    ]
    for done, options in enumerate(studies):
        assert call("sweep", "run", "--sequences", "4", "--journal", "j.jsonl", *options) == 0
        assert capsys.readouterr().err.count("\n") == 3
        assert len(Path("j.jsonl").read_text().splitlines()) == 3 * (done + 1)
    assert not (run / "sweep.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("run", "--observer", "mean"), 1, "--observer: expected one of max, percentile, mse"),
        (("run", "--profile", "loihi"), 1, "--profile: expected one of loihi2, wide"),
        (("run", "--sequences", "0"), 2, "Invalid value for '--sequences'"),
        (("run", "--threads", "-2"), 2, "Invalid value for '--threads'"),
        (("run", "--journal", "run"), 1, "run: expected a file of JSON lines"),
        (("elsewhere",), 1, "run: expected the folder of a run, or one of digits-mini,"),
        (("else/where",), 1, "expected an ns4d checkpoint, version 1, got No such file"),
        ((), 2, "Missing argument 'RUN'"),
    ],
)
def test_a_mistaken_sweep_leaves_no_trace(
    run: Path,
    few: None,
    options: tuple[str, ...],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = everything_in(run.parent)
    assert call("sweep", *options) == code
    require_clear(capsys, code, message)
    assert everything_in(run.parent) == before


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


@pytest.mark.parametrize("change", [cut, flip, lambda _: b"", lambda _: b"not a program"])
@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_damaged_program_is_refused(
    run: Path, change, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    quantized(run)
    capsys.readouterr()
    Path("damaged.ns4d").write_bytes(change(Path("p.ns4d").read_bytes()))
    assert call(command, "damaged.ns4d") == 1
    require_clear(capsys, 1, "error: damaged.ns4d: expected")


def test_verify_says_of_which_kind_a_program_is(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify, "TOKENS", 12)
    for option, verdict in (("--certified", "certified"), ("--calibrated", "calibrated")):
        quantized(run, option)
        capsys.readouterr()
        assert call("verify", "p.ns4d", "--json") == 0
        facts = last_json(capsys)
        assert facts["verdict"] == verdict
        assert facts["equal"] is True
    assert call("verify", "run") == 1
    require_clear(capsys, 1, "error: run: expected a file")
    assert call("verify") == 2


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--only", "streming"), 1, "--only: expected one of training, streaming, got 'streming'"),
        (("--only", ""), 1, "--only: expected one of training, streaming, got ''"),
        (("--only", "training", "--steps", "0"), 2, "Invalid value for '--steps'"),
        (("--steps", "many"), 2, "Invalid value for '--steps'"),
        (("--results", __file__), 1, f"--results: expected a folder, got the file {__file__}"),
        (("training",), 2, "Got unexpected extra argument"),
    ],
)
def test_a_mistaken_bench_measures_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("bench", *options) == code
    require_clear(capsys, code, message)
    assert list(tmp_path.iterdir()) == []
