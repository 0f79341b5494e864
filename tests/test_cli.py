"""The command line: what it prints, what it leaves behind, how it fails."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rich.markup
import torch
import typer.main

import ns4d
from ns4d import cli
from ns4d.bench import verify
from ns4d.engines import Reference
from ns4d.numerics import LOIHI2, write_profile
from ns4d.train.checkpoint import load_selected
from ns4d.train.origins import START, TEACHER
from program_strategies import random_program

QUICK = ["schedule.epochs=1", "model.channels=4", "model.modes=2", "model.layers=1"]


def call(*arguments: str) -> int:
    """Run a command in this process; its exit code."""
    before, sys.argv = sys.argv, ["ns4d", *arguments]
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network trained on digits by the command itself."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    assert call("train", "digits", *QUICK, "--out", str(folder), "--threads", "1") == 0
    return folder


def last_json(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_training_again_finds_the_work_done(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "digits", *QUICK, "--out", str(run), "--json") == 0
    facts = last_json(capsys)
    assert facts["run"] == str(run)
    assert facts["steps"] == 20


def test_training_begins_with_the_network_of_a_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its architecture comes along; everything else is that of the task and the overrides."""
    command = ("train", "digits", "--start", str(run), "model.dropout=0.1", "schedule.epochs=1")
    assert call(*command, "--out", str(tmp_path / "run"), "--threads", "1", "--json") == 0
    assert last_json(capsys)["steps"] == 20
    begun, first = load_selected(tmp_path / "run").recipe, load_selected(run)
    assert begun.model == replace(first.recipe.model, dropout=0.1)
    assert begun.start == first.digest
    assert load_selected(tmp_path / "run" / START).digest == first.digest
    assert call("train", "digits", "--start", str(tmp_path / "none")) == 1
    assert "expected an ns4d checkpoint" in capsys.readouterr().err


def test_training_learns_from_the_network_of_a_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside its labels; the architecture is the recipe's, not the teacher's."""
    command = ("train", "digits", "--teacher", str(run), *QUICK, "model.channels=5")
    assert call(*command, "--out", str(tmp_path / "run"), "--threads", "1", "--json") == 0
    assert last_json(capsys)["steps"] == 20
    taught, teacher = load_selected(tmp_path / "run").recipe, load_selected(run)
    assert taught.teacher == teacher.digest
    assert (taught.model.channels, teacher.recipe.model.channels) == (5, 4)
    assert load_selected(tmp_path / "run" / TEACHER).digest == teacher.digest


def test_training_learns_from_a_network_that_pytorch_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    program = torch.export.export(
        network, (torch.zeros(2, 64, 1),), dynamic_shapes=[{0: torch.export.Dim.DYNAMIC}]
    )
    torch.export.save(program, tmp_path / "mine.pt2")
    command = ("train", "digits", "--teacher", str(tmp_path / "mine.pt2"), *QUICK, "--threads", "1")
    assert call(*command, "temperature=2", "--out", str(tmp_path / "run"), "--json") == 0
    assert last_json(capsys)["steps"] == 20
    recipe = load_selected(tmp_path / "run").recipe
    content = (tmp_path / "mine.pt2").read_bytes()
    assert recipe.teacher == hashlib.sha256(content).hexdigest()
    assert recipe.temperature == 2
    assert (tmp_path / "run" / TEACHER / "network.pt2").read_bytes() == content
    (tmp_path / "mine.pt2").write_bytes(content[:1000])
    assert call(*command, "--out", str(tmp_path / "other")) == 1
    assert "expected a network written by torch.export.save" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_quantize_evaluate_show(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.json"
    assert call("quantize", str(run), "--ptq", "--profile", "wide", "--json") == 0
    path = run / "wide.ns4d"
    assert last_json(capsys)["digest"] == ns4d.load(path).digest
    command = ("evaluate", str(run), "--program", str(path), "--record", str(record), "--json")
    assert call(*command) == 0
    facts = last_json(capsys)
    assert facts["test_sequences"] == 359
    assert facts["tokens"] == 359 * 64
    assert facts["float_accuracy"] == facts["float_correct"] / 359
    written = json.loads(record.read_text())
    assert written["figures"] == facts
    assert written["recipe"]["model"]["channels"] == 4
    assert [line["kind"] for line in written["journal"]][:2] == ["start", "epoch"]
    assert call("show", str(path)) == 0
    assert facts["digest"] in capsys.readouterr().out


def test_fine_tuning(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Resumed by the same command; its program is evaluated against the network it came from."""
    widths = ("--weight-bits", "4", "--coefficient-bits", "8", "--message-bits", "6")
    command = ("quantize", str(run), "--qaft", "1", *widths, "--threads", "1", "--json")
    assert call(*command) == 0
    facts = last_json(capsys)
    path = run / "qaft-loihi2-w4c8m6.ns4d"
    program = ns4d.load(path)
    assert facts["program"] == str(path)
    assert facts["digest"] == program.digest
    assert program.arithmetic.weight_bits == 4
    accuracies = [facts[f"{kind}_accuracy"] for kind in ("float", "ptq", "qaft")]
    assert all(0 <= accuracy <= 1 for accuracy in accuracies)
    assert call(*command) == 0
    assert last_json(capsys)["digest"] == program.digest
    record = run / "fine_tuning.json"
    command = ("evaluate", str(run), "--program", str(path), "--record", str(record), "--json")
    assert call(*command) == 0
    assert last_json(capsys)["digest"] == program.digest
    tuning = json.loads(record.read_text())["fine_tuning"]
    assert tuning["recipe"] == json.loads(str(program.metadata.provenance["qaft"]))
    assert [line["kind"] for line in tuning["journal"]] == ["start", "epoch"]
    # Without the folder of the fine-tuning there is no record, but the figures are shown.
    before = record.read_bytes()
    shutil.rmtree(run / "qaft-loihi2-w4c8m6")
    assert call(*command) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out.splitlines()[-1])["digest"] == program.digest
    assert "expected the folder in which the program was fine-tuned" in shown.err
    assert record.read_bytes() == before


def test_two_fine_tunings_of_one_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder of each is named as its program, and its record finds it."""
    widths = ("--weight-bits", "5", "--json")
    assert call("quantize", str(run), "--qaft", "1", *widths) == 0
    capsys.readouterr()
    assert call("quantize", str(run), "--qaft", "2", *widths) == 1
    assert "Choose another --out" in capsys.readouterr().err
    longer = tmp_path / "longer.ns4d"  # outside of the run
    assert call("quantize", str(run), "--qaft", "2", *widths, "--out", str(longer)) == 0
    assert last_json(capsys)["fine-tuning"] == str(tmp_path / "longer")
    for path, epochs in ((longer, 2), (run / "qaft-loihi2-w5.ns4d", 1)):
        record = path.with_suffix(".json")
        command = ("evaluate", str(run), "--program", str(path), "--record", str(record))
        assert call(*command) == 0
        tuning = json.loads(record.read_text())["fine_tuning"]
        assert tuning["recipe"]["training"]["schedule"]["epochs"] == epochs
        assert [line["kind"] for line in tuning["journal"]] == ["start"] + epochs * ["epoch"]


def test_a_fine_tuning_has_a_folder_of_its_own(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    tune = ("quantize", str(run), "--qaft", "1", "--out")
    assert call(*tune, str(run.with_suffix(".ns4d"))) == 1
    assert "got another run" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    (tmp_path / "taken").write_text("a file")
    assert call(*tune, str(tmp_path / "taken.ns4d")) == 1
    assert "--out: expected a folder, got the file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_your_own_sequences_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    tokens = random.normal(labels[:, None, None], 0.1, (60, 12, 2)).astype(np.float32)
    np.savez(tmp_path / "mine.npz", tokens=tokens, labels=labels)
    out = tmp_path / "run"
    command = ("train", str(tmp_path / "mine.npz"), *QUICK, "batch=8", "--out", str(out))
    assert call(*command, "--json") == 0
    assert last_json(capsys)["steps"] == (60 - 12 - 5) // 8
    assert call("quantize", str(out), "--ptq") == 0
    assert (out / "loihi2.ns4d").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "smnits"), "expected one of digits, smnist.*Did you mean 'smnist'"),
        (("train", "digits", "schedule.epoch=3"), "no such name. Did you mean 'schedule.epochs'"),
        (("train", "digits", "model.norm=bach"), "Did you mean 'batch'"),
        (("train", "digits", "batch=many"), "override batch: expected a whole number"),
        (("train", "digits", "--device", "tpu"), "--device: expected cpu, auto, or cuda"),
        (("quantize", "nowhere"), "expected a method, got none. Add --ptq or --qaft EPOCHS."),
        (("quantize", "nowhere", "--ptq", "--qaft", "1"), "expected a method, got two"),
        (
            ("quantize", "nowhere", "--ptq", "--weight-bits", "1"),
            "weight_bits: expected an integer",
        ),
        (("quantize", "nowhere", "--ptq"), "run: expected the folder of a run, or one of digits-m"),
        (("quantize", "./no/where", "--ptq"), "expected an ns4d checkpoint"),
        (("quantize", "nowhere", "--ptq", "--rate", "1"), "--rate: expected --qaft, got --ptq"),
        (("quantize", "nowhere", "--qaft", "1", "--out", "tuned"), "expected NAME.ns4d"),
        (("quantize", "nowhere", "--qaft", "1", "--out", "..ns4d"), "expected NAME.ns4d"),
        (("quantize", "nowhere", "--ptq", "--profile", "w"), "--profile: expected one of loihi2"),
        (("evaluate", "nowhere"), "expected the folder of a run, or one of .*, got 'nowhere'"),
        (("evaluate", "./no/where"), "expected an ns4d checkpoint, version ., got No such file"),
        (("show", "nowhere.ns4d"), "nowhere.ns4d: expected a file, got nothing"),
        (("verify", "nowhere.ns4d"), "nowhere.ns4d: expected a file, got nothing"),
        (
            ("quantize", "nowhere", "--ptq", "--profile", "my.json"),
            "my.json: expected a profile in JSON, got No such file",
        ),
    ],
)
def test_mistakes_get_one_clear_line(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert error.count("\n") == 0
    assert re.search(message, error), error
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_a_checkpoint_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("show", str(run / "best.safetensors")) == 1
    assert "best.safetensors: expected" in capsys.readouterr().err


def test_help_is_quick_to_import() -> None:
    """`ns4d --help` loads neither torch nor matplotlib."""
    code = (
        "import sys, ns4d.cli\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_program_of_another_network_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    assert call("train", "digits", *QUICK, "seed=1", "--out", str(other)) == 0
    assert call("quantize", str(other), "--ptq") == 0
    assert call("evaluate", str(run), "--program", str(other / "loihi2.ns4d")) == 1
    assert re.search(
        r"loihi2\.ns4d: expected a program made from this run \(network \w{12}\), "
        r"got one for digits from network \w{12}\. Name the run",
        capsys.readouterr().err,
    )


def test_the_same_run_gives_the_same_program(run: Path, tmp_path: Path) -> None:
    for name in ("one.ns4d", "two.ns4d"):
        assert call("quantize", str(run), "--ptq", "--out", str(tmp_path / name)) == 0
    assert (tmp_path / "one.ns4d").read_bytes() == (tmp_path / "two.ns4d").read_bytes()


def test_a_finished_network_is_not_overwritten(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = (run / "best.safetensors").read_bytes()
    (tmp_path / "best.safetensors").write_bytes(kept)
    assert call("train", "digits", *QUICK, "schedule.epochs=2", "--out", str(tmp_path)) == 1
    assert "got a run with schedule.epochs=1 (now 2)" in capsys.readouterr().err
    assert (tmp_path / "best.safetensors").read_bytes() == kept


def test_changed_data_are_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "mine.npz", tmp_path / "run"
    tokens, labels = np.random.default_rng(0).normal(size=(40, 9, 1)), np.arange(40) % 2
    np.savez(path, tokens=tokens, labels=labels)
    command = ("train", str(path), *QUICK, "batch=8", "--out", str(out))
    assert call(*command) == 0
    np.savez(path, tokens=-tokens, labels=labels)
    for again in (command, ("evaluate", str(out)), ("quantize", str(out), "--ptq")):
        assert call(*again) == 1
        assert "got other data under the same name" in capsys.readouterr().err


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "random.ns4d"
    small = random_program(np.random.default_rng(0), channels=2, modes=2)
    ns4d.save(small, path)
    return path


def test_verify_prints_the_certificate(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify, "TOKENS", 12)
    assert call("verify", str(program)) == 0
    printed = capsys.readouterr().out
    assert "layer0.ssm" in printed
    assert re.search(r"certified: no input can .*\nengine reference: \d+ values equal", printed)
    assert call("verify", str(program), "--json") == 0
    facts = last_json(capsys)
    assert facts["verdict"] == "certified"
    assert facts["equal"] is True
    assert facts["digest"] == ns4d.load(program).digest


def test_verify_exits_with_1_where_an_engine_differs(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Wrong:
        name, batch = "wrong", 1
        load = Reference().load

        def trace(self, program, u):
            sent = Reference().trace(program, u)
            sent["encoder"][1, 2, 0] += 1
            return sent

    monkeypatch.setattr(verify, "ENGINES", {"reference": Reference, "wrong": Wrong})
    for option in ([], ["--json"]):
        assert call("verify", str(program), *option) == 1
        assert re.search(
            r"^error: engine 'wrong' trace: node 'encoder' message, stream 1, token 2, channel 0: "
            r"expected -?\d+, got -?\d+$",
            capsys.readouterr().err,
            re.MULTILINE,
        )


def test_a_profile_of_your_own(run: Path, tmp_path: Path) -> None:
    mine = replace(LOIHI2, name="mine", weight_bits=6, coefficient_bits=12, message_bits=9)
    write_profile(mine, tmp_path / "any name.json")
    command = ("quantize", str(run), "--ptq", "--profile", str(tmp_path / "any name.json"))
    assert call(*command) == 0
    assert ns4d.load(run / "mine.ns4d").arithmetic == mine


def test_the_weight_of_a_teacher_can_be_set(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taught = ("--teacher", str(run), "--out", str(tmp_path / "taught"), "--threads", "1")
    assert call("train", "digits", *QUICK, "distillation=0.5", *taught) == 0
    assert load_selected(tmp_path / "taught").recipe.distillation == 0.5


def test_a_mistyped_setting_is_told_before_the_data_are_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert call("train", "scifar", "modle.channels=3", "--data-dir", nowhere) == 1
    assert "modle" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(typer.main.get_group(cli.app).commands))
def test_no_help_loses_what_looks_like_markup(name: str) -> None:
    command = typer.main.get_group(cli.app).commands[name]
    for text in (command.help, *(getattr(each, "help", None) for each in command.params)):
        assert text is None or rich.markup.render(text).plain == text
