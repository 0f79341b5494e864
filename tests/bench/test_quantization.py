"""The report of a quantization: every node, the verdict, one page."""

from __future__ import annotations

from pathlib import Path

from ns4d.bench.quantization import inspect, write_quantization_report
from ns4d.model import ModelConfig
from ns4d.numerics import LOIHI2, WIDE
from ns4d.quantize import Options, post_training_quantize
from ns4d.quantize.ptq import quantize_keeping
from quantize_networks import make_dataset, make_network

CONFIG = ModelConfig(inputs=2, classes=3, channels=4, modes=3, layers=2)
NETWORK, DATASET = make_network(CONFIG, seed=0), make_dataset(CONFIG)


def test_the_program_is_that_of_post_training_quantization() -> None:
    made = quantize_keeping(NETWORK, DATASET, LOIHI2, Options(), 8, {"seed": 3})
    direct = post_training_quantize(
        NETWORK, DATASET, LOIHI2, Options(), sequences=8, provenance={"seed": 3}
    )
    assert made.program == direct


def test_a_page_names_every_node_with_its_ratio(tmp_path: Path) -> None:
    made = quantize_keeping(NETWORK, DATASET, LOIHI2, Options(), 8, {})
    found = inspect(made, DATASET, 8)
    write_quantization_report(made, found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    for node in found.nodes:
        assert node.name in page
        assert f"{node.snr_db:.1f}" in page
    assert page.count("<svg") == 1
    assert made.program.digest[:16] in page
    assert len(found.table.rows) == 2 + len(made.program.nodes)


def test_the_verdict_names_the_worst_node_with_the_proof() -> None:
    calibrated = inspect(quantize_keeping(NETWORK, DATASET, LOIHI2, Options(), 8, {}), DATASET, 4)
    assert calibrated.sequences == 4
    plain = calibrated.plain()
    assert plain["worst_node"] in calibrated.verdict
    assert f"{plain['may_saturate']} states are calibrated" in calibrated.verdict
    assert {count["name"] for count in plain["saturation"]} == {
        node["name"] for node in plain["nodes"][1:-1]
    }
    proved = inspect(quantize_keeping(NETWORK, DATASET, WIDE, Options(), 8, {}), DATASET, 4)
    assert "no input can saturate a state" in proved.verdict
