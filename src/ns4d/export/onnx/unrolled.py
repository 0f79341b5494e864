"""From what happens at one token to models: a step, a chunk of tokens, whole sequences.

    step       tokens (b, i), state          -> scores (b, classes), state
    chunk      tokens (b, l, i), state       -> scores (b, l, classes), state
    sequence   tokens (b, l, i)              -> scores (b, l, classes), last (b, classes)

The state goes in under the names of its parts and comes out with "new/" before each. Chunk and
sequence are a Scan over the step; a sequence starts at the zero state.

Axes      b stream, l time step, i in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from ns4d.export.onnx.graph import Axis, Graph
from ns4d.export.onnx.neuron import NEW

TIME = 1  # the axis of the tokens
TIME_FIRST = (1, 0, 2)  # some readers scan along the first axis only
STREAMS = np.array([0], np.int64)  # the axis of the streams


@dataclass(frozen=True)
class Token:
    """What happens at one token.

    Args:
        kind: Type of the state and of the scores.
        raw: Type of the tokens.
        inputs: Values per token.
        classes: Scores.
        state: Part of the state -> shape, with "b" for the streams.
        sent: Node -> how many messages it sends, as far as "sent/<node>" can come out.
        prepare: Adds what happens to all tokens beforehand, from a value (…, i) to another.
        add: Adds one token (b, i): from the state's values to "new/<part>" and "scores".
        facts: Metadata of the models.
    """

    kind: type[np.generic]
    raw: type[np.generic]
    inputs: int
    classes: int
    state: Mapping[str, tuple[Axis, ...]]
    sent: Mapping[str, int]
    prepare: Callable[[Graph, str], str]
    add: Callable[[Graph, Mapping[str, str], str], None]
    facts: Mapping[str, str]


def step_model(token: Token, streams: Axis = "b") -> onnx.ModelProto:
    """One token for every stream; the state goes in, then out.

    Args:
        token: What happens at it.
        streams: How many, where the model is for that number alone.

    Returns:
        A model that the checker accepts.
    """
    graph = Graph("step", streams=streams)
    u = token.prepare(graph, graph.input("tokens", token.raw, "b", token.inputs))
    token.add(graph, _state_in(graph, token), u)
    _outputs(graph, token, ["b"])
    return graph.model("One token; the state goes in, then out.", token.facts)


def chunk_model(token: Token, trace: bool = False) -> onnx.ModelProto:
    """So many tokens for every stream; the state goes in, then out.

    Args:
        token: What happens at each.
        trace: Whether the messages of every node, "sent/<node>" (b, l, o), come out as well.

    Returns:
        A model that the checker accepts.
    """
    graph = Graph("chunk")
    u = token.prepare(graph, graph.input("tokens", token.raw, "b", "l", token.inputs))
    sent = token.sent if trace else {}
    _scan(graph, token, list(_state_in(graph, token).values()), u, sent)
    _outputs(graph, token, ["b", "l"])
    _sent_out(graph, token, sent, ["b", "l"])
    return graph.model("A chunk of tokens; the state goes in, then out.", token.facts)


def sequence_model(token: Token) -> onnx.ModelProto:
    """Whole sequences from the zero state: the scores after every token, and the last ones."""
    graph = Graph("sequence")
    u = token.prepare(graph, graph.input("tokens", token.raw, "b", "l", token.inputs))
    _scan(graph, token, _zeros(graph, token, u), u, {})
    graph.node("Gather", "scores", np.int64(-1), axis=TIME, out="last")
    graph.output("scores", token.kind, "b", "l", token.classes)
    graph.output("last", token.kind, "b", token.classes)
    return graph.model("Whole sequences from the zero state.", token.facts)


def _zeros(graph: Graph, token: Token, u: str) -> list[str]:
    """The zero state for as many streams as there are tokens for."""
    streams = graph.node("Gather", graph.node("Shape", u), STREAMS)
    zero = numpy_helper.from_array(np.zeros(1, token.kind))
    made = []
    for name, shape in token.state.items():
        sizes: str | np.ndarray = np.array(shape[1:], np.int64)
        if shape:
            sizes = graph.node("Concat", streams, sizes, axis=0)
        made.append(graph.node("ConstantOfShape", sizes, value=zero, out=f"zero/{name}"))
    return made


def _state_in(graph: Graph, token: Token) -> dict[str, str]:
    return {name: graph.input(name, token.kind, *shape) for name, shape in token.state.items()}


def _outputs(graph: Graph, token: Token, axes: Sequence[Axis]) -> None:
    for name, shape in token.state.items():
        graph.output(f"{NEW}{name}", token.kind, *shape)
    graph.output("scores", token.kind, *axes, token.classes)


def _sent_out(graph: Graph, token: Token, sent: Mapping[str, int], axes: Sequence[Axis]) -> None:
    for name, width in sent.items():
        graph.output(f"sent/{name}", token.kind, *axes, width)


def _scan(
    graph: Graph, token: Token, state: Sequence[str], u: str, sent: Mapping[str, int]
) -> None:
    """Scan the step over the tokens: "new/…", "scores", then what nodes send."""
    body = Graph("token", prefix="token.")
    before = _state_in(body, token)
    # What the tokens have become when they enter the nodes is of the type of the state.
    token.add(body, before, body.input("u", token.kind, "b", token.inputs))
    _outputs(body, token, ["b"])
    _sent_out(body, token, sent, ["b"])
    gathered = ["scores", *(f"sent/{name}" for name in sent)]
    graph.nodes(
        "Scan",
        [*state, graph.node("Transpose", u, perm=TIME_FIRST)],
        [*(f"{NEW}{name}" for name in before), *(f"{name}/by_token" for name in gathered)],
        body=body.body(),
        num_scan_inputs=1,
    )
    for name in gathered:
        graph.node("Transpose", f"{name}/by_token", perm=TIME_FIRST, out=name)
