"""Figures as inline SVG: no file beside the report, no script, sharp at any size."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ns4d.bench.tables import percent
from ns4d.quantize.fidelity import NodeFidelity
from ns4d.train.journal import epochs_of

STYLE: Any = {  # matplotlib types its keys as literals
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "svg.fonttype": "none",
    "svg.hashsalt": "ns4d",
}


def to_svg(figure: Figure) -> str:
    """The figure as an SVG element, the same bytes for the same figure."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def learning_curve(records: Sequence[Mapping[str, Any]]) -> str:
    """Loss and accuracy over the epochs of a training.

    Args:
        records: The journal of a run; records of other kinds than `epoch` are ignored.

    Returns:
        An SVG element.
    """
    epochs = epochs_of(records)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 2.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        for part, colour in (("train", "C0"), ("validation", "C1")):
            x = [record["epoch"] for record in epochs]
            left.plot(x, [r[f"{part}_loss"] for r in epochs], colour, label=part)
            right.plot(x, [100 * r[f"{part}_accuracy"] for r in epochs], colour, label=part)
        left.set(xlabel="epoch", ylabel="loss, nats", yscale="log")
        last = epochs[-1]["validation_accuracy"]
        right.set(xlabel="epoch", ylabel="accuracy, %", title=f"validation {percent(last)}")
        left.legend(frameon=False)
        return to_svg(figure)


def fidelity_curve(nodes: Sequence[NodeFidelity]) -> str:
    """Signal-to-noise ratio from the input to the read-out.

    Args:
        nodes: In order.

    Returns:
        An SVG element.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 3), layout="constrained")
        axes = figure.subplots()
        axes.plot([node.snr_db for node in nodes], "C0o-")
        axes.set_xticks(range(len(nodes)), [node.name for node in nodes], rotation=30, ha="right")
        axes.set(ylabel="signal-to-noise ratio, dB", ylim=(0, None))
        return to_svg(figure)


def pareto(points: Sequence[tuple[str, float, float]], front: Sequence[int], cost: str) -> str:
    """Accuracy against a cost; what nothing beats in both is connected.

    Args:
        points: Name, cost and accuracy of each.
        front: Which of them lie on the front, by increasing cost.
        cost: Label of the cost, with its unit.

    Returns:
        An SVG element.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.plot([p[1] for p in points], [100 * p[2] for p in points], "C0o", markersize=4)
        axes.plot([points[k][1] for k in front], [100 * points[k][2] for k in front], "C1-")
        for k in front:
            name, x, y = points[k]
            axes.annotate(
                name, (x, 100 * y), fontsize=7, xytext=(3, -9), textcoords="offset points"
            )
        axes.set(xlabel=cost, ylabel="accuracy, %")
        return to_svg(figure)


def streamed_sequences(
    tokens: Float[np.ndarray, "k l"],
    scores: Float[np.ndarray, "k l classes"],
    labels: Int[np.ndarray, " k"],
    classes: Sequence[str],
) -> str:
    """Sequences as they enter, and below each the class scores after every token.

    Args:
        tokens: Raw values of the first input, one sequence per row.
        scores: Mean score per token so far, in logits.
        labels: The right classes; their curve is drawn thick.
        classes: Names of the classes.

    Returns:
        An SVG element.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.7 * len(tokens), 3.6), layout="constrained")
        axes = figure.subplots(2, len(tokens), sharex=True, squeeze=False)
        for column in range(len(tokens)):
            top, bottom = axes[:, column]
            top.plot(tokens[column], "0.3", drawstyle="steps-mid", linewidth=0.8)
            decided = classes[int(scores[column, -1].argmax())]
            top.set_title(f"{classes[labels[column]]}, decided {decided}")
            _draw_scores(bottom, scores[column], int(labels[column]), classes)
            bottom.set_xlabel("token")
        axes[0, 0].set_ylabel("token value, raw")
        axes[1, 0].set_ylabel("score so far, logits")
        figure.legend(
            *axes[1, 0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=len(classes),
            frameon=False,
        )
        return to_svg(figure)


def _draw_scores(
    axes: Axes, scores: Float[np.ndarray, "l classes"], label: int, classes: Sequence[str]
) -> None:
    for index, name in enumerate(classes):
        width = 2.5 if index == label else 0.8
        axes.plot(scores[:, index], f"C{index % 10}", linewidth=width, label=name)
