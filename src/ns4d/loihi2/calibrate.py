"""Fit four unit costs to the four published figures of one network, given the other costs.

    fall-through   15,260 tokens/s        0.016 mJ per token
    pipelined      12.74 ms per sample    10.36 mJ per sample of 1024 tokens

The two times give F and t_n, the two energies p and e_n, so these four figures are met exactly and
say nothing about the model: judge it by others (docs/loihi2.md). The costs that are given are known
within a factor; `corners` repeats the fit at the ends of their spreads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

from ns4d.errors import ConfigError
from ns4d.loihi2.costs import GIVEN_J, Costs, Ends
from ns4d.loihi2.energy import price
from ns4d.loihi2.fact import Fact, Tag
from ns4d.loihi2.mode import Mode
from ns4d.loihi2.populations import Kind
from ns4d.loihi2.timing import time_steps
from ns4d.loihi2.work import Work

PAPER = "arXiv 2409.15022, table of sCIFAR, Oheo Gulch"
SAMPLE_TOKENS = 1024


@dataclass(frozen=True)
class Targets:
    """Published figures of `large` on sCIFAR; their spreads are the rounding in print.

    Args:
        token_s: Fall-through, seconds per token.
        sample_s: Pipelined, latency of a sample.
        token_j: Fall-through, joules per token.
        sample_j: Pipelined, joules per sample.
    """

    token_s: Fact
    sample_s: Fact
    token_j: Fact
    sample_j: Fact


TARGETS = Targets(
    token_s=Fact(
        1 / 15_260, "s", f"{PAPER}: 15,260 tokens/s", Tag.PUBLISHED, 1 / 15_265, 1 / 15_255
    ),
    sample_s=Fact(12.74e-3, "s", PAPER, Tag.PUBLISHED, 12.735e-3, 12.745e-3),
    token_j=Fact(16e-6, "J", f"{PAPER}: 0.016 mJ", Tag.PUBLISHED, 15.5e-6, 16.5e-6),
    sample_j=Fact(10.36e-3, "J", PAPER, Tag.PUBLISHED, 10.355e-3, 10.365e-3),
)


# All tokens of a fit are alike, so a sample is a short stream plus the middle of a longer one.
SHORT_TOKENS, PRECISION = 32, 1e-12


def fit(work: Work, costs: Costs, targets: Targets = TARGETS) -> Costs:
    """The costs with step floor, S4D update (time and energy) and static power fitted.

    Args:
        work: Of the published network; its mean token counts.
        costs: Give what is not fitted.
        targets: What the fitted costs must reproduce, by their values.

    Returns:
        The costs, at which the model gives the targets.

    Raises:
        ConfigError: No costs of zero or more do that, given the others.
    """
    stream = work.mean(SHORT_TOKENS)
    return _fit_energies(stream, _fit_times(stream, costs, targets), targets)


def fit_corners(
    work: Work, costs: Costs, targets: Targets = TARGETS
) -> tuple[dict[Ends, tuple[float, float]], dict[Ends, tuple[float, float]]]:
    """`fit` at the ends of what is not known.

    The energies do not depend on how a time is explained, so the two are varied by themselves.

    Args:
        work: As in `fit`.
        costs: Their spreads have the ends, 0 low, 1 high.
        targets: So has that of the token's energy; the others are rounded too little to matter.

    Returns:
        Ends of synapse time, of update time -> F, t_n; ends of the energies that are not fitted, of
        the published energy of a token -> p, e_n.
    """
    stream = work.mean(SHORT_TOKENS)
    timed = _fit_times(stream, costs, targets)
    times: dict[Ends, tuple[float, float]] = {}
    energies: dict[Ends, tuple[float, float]] = {}
    for one, other in product(range(2), repeat=2):
        given = costs.at(synop_s=costs.synop_s.spread[one], update_s=costs.update_s.spread[other])
        found = _fit_times(stream, given, targets)
        times[one, other] = found.step_floor_s.value, found.state_update_s.value
        given = timed.at(**{name: costs.facts[name].spread[one] for name in GIVEN_J})
        rounded = replace(targets.token_j, value=targets.token_j.spread[other])
        found = _fit_energies(stream, given, replace(targets, token_j=rounded))
        energies[one, other] = found.static_w.value, found.state_update_j.value
    return times, energies


def sample_s(stream: Work, costs: Costs) -> float:
    """Latency of a pipelined sample of SAMPLE_TOKENS, from a shorter stream of equal tokens."""
    timing = time_steps(stream, Mode.PIPELINED, costs)
    return timing.latency_s + (SAMPLE_TOKENS - stream.tokens) * timing.token_s


def _fit_times(stream: Work, costs: Costs, targets: Targets) -> Costs:
    """F from the token at a given t_n; t_n so that the sample is as long as published."""

    def floor_s(state_update_s: float) -> float:
        bare = costs.at(step_floor_s=0.0, state_update_s=state_update_s)
        spare = targets.token_s.value - time_steps(stream, Mode.FALL_THROUGH, bare).token_s
        return spare / stream.steps_per_token

    def excess_s(state_update_s: float) -> float:
        bare = costs.at(step_floor_s=0.0, state_update_s=state_update_s)
        steps = SAMPLE_TOKENS + stream.last_stage
        return sample_s(stream, bare) + steps * floor_s(state_update_s) - targets.sample_s.value

    # No update takes longer than a whole step.
    update = _root(excess_s, 0.0, targets.sample_s.value / SAMPLE_TOKENS)
    if update is None or floor_s(update) < 0:
        raise _impossible("times of step and S4D update", "the other times are too long")
    return costs.at(step_floor_s=floor_s(update), state_update_s=update)


def _root(function: Callable[[float], float], low: float, high: float) -> float | None:
    """Where an increasing function is 0, by false position (Illinois); None if nowhere."""
    at_low, at_high = function(low), function(high)
    if at_low > 0 or at_high < 0:
        return None
    last = 0
    while high - low > PRECISION * high:
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        found = function(middle)
        if abs(found) < PRECISION * at_high:
            return middle
        if found > 0:
            high, at_high = middle, found
            at_low /= 2 if last > 0 else 1
        else:
            low, at_low = middle, found
            at_high /= 2 if last < 0 else 1
        last = 1 if found > 0 else -1
    return low


def _fit_energies(stream: Work, costs: Costs, targets: Targets) -> Costs:
    """Static power p from the difference of the two modes, e_n from what is left."""
    timing = time_steps(stream, Mode.FALL_THROUGH, costs)
    gap_j = targets.token_j.value - targets.sample_j.value / SAMPLE_TOKENS
    gap_s = timing.token_s - sample_s(stream, costs) / SAMPLE_TOKENS
    power = gap_j / gap_s / stream.chips
    rest = price(timing, costs.at(static_w=max(power, 0.0), state_update_j=0.0))
    updates = stream.neurons(Kind.STATE)
    if power < 0 or rest.token_j > targets.token_j.value or not updates:
        raise _impossible("energies of chip and S4D update", "the other energies are too large")
    each = (targets.token_j.value - rest.token_j) / updates
    return costs.at(static_w=power, state_update_j=each)


def _impossible(what: str, why: str) -> ConfigError:
    return ConfigError(
        f"calibration, {what}",
        expected="values of zero or more that meet the published figures",
        got=f"none: {why}",
        fix="Give smaller costs for what is not fitted, or the work of the published network.",
    )
