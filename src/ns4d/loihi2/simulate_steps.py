"""The steps of the chip, compiled: one loop over steps, in it one over populations.

What is sent in step k is heard in step k + 1, or as many steps later as a connection's delay says.
So each population keeps its last messages in a ring of slots, one per step; it reads what others
wrote in earlier steps, writes into the slot of this one, and the order within a step is free.

A slot is a list of events: neuron, message. Silent neurons have none, and linear neurons look at
events alone. Neurons act when their gate is open, and then all of them: once per token.

    gate of stage g    open in step k if k - g = token·period for a token of the stream
    synaptic operation one per event and synapse of non-zero weight that hears it

Everything is int64; the range certificate of the program has proved that nothing overflows.
`Layout` says where each population finds its numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

FAST = {"error_model": "numpy", "nogil": True}

# Columns of the table that is walked, one row per population. They stand here because Numba's disk
# cache looks at one file only. Offsets are into the arrays of `Layout`, 0 where there is no use.
(
    KIND,  # one of the kinds below
    NEURONS,
    CHANNELS,  # S4D: h
    MODES,  # S4D, reduce: n
    SOURCE,  # the population that it hears
    SKIP,  # add: the other one
    DELAY,  # add: steps by which that one is heard later
    SLICE,  # its first slice
    SLICES,
    RING,  # its events in the ring
    COUNTS,  # how many of them, slot by slot
    DEPTH,  # slots
    NUMBERS,  # int64: multiplier, limit, bias or shift of the aligned sum; d, sb, sc, sd; bias of r
    WORDS,  # int32: weights by sender; a, b, c, each real part first; weight, skip
    FAN,  # of its source: who hears what, groups of senders from here on
    FANS,
    SKIP_FAN,  # of its other source
    SKIP_FANS,
    STATE,  # its first state
    SHIFT,  # of the descaling; S4D: of a
    RELU,
    HALF_UP,  # descaling rounds half up, else it floors
    EACH,  # S4D: every product is rounded by itself
    ALIGNED,  # reduce: the sum is exact, and rounded now
    BIASED,
    STATE_MAX,
    RECORD,  # its first column among the messages of all nodes
) = range(27)
COLUMNS = 27

INPUT_KIND, STATE_KIND, REDUCE_KIND, DENSE_KIND, ADD_KIND, READOUT_KIND = range(6)


@njit(**FAST)
def toward_zero(v, s):
    """(b) `shift_toward_zero`, without a branch."""
    return (v + ((v >> 63) & ((np.int64(1) << s) - 1))) >> s


@njit(**FAST)
def half_up(v, s):
    """(c) `shift_half_up`."""
    return (v + ((np.int64(1) << s) >> 1)) >> s


@njit(**FAST)
def saturated(v, top):
    """(d) `saturate`."""
    return min(max(v, -top), top)


@njit(**FAST)
def modes_each(k, x, y, u, shifts, top):
    """(1), (2) under EACH_TOWARD_ZERO for one channel; y is each mode's part of (3)."""
    a_re, a_im, b_re, b_im, c_re, c_im = k
    (x_re, x_im), (sa, sb, sc), u = x, shifts, np.int64(np.int32(u))
    for n in range(len(y)):
        xr, xi = np.int64(x_re[n]), np.int64(x_im[n])
        re = toward_zero(a_re[n] * xr, sa) - toward_zero(a_im[n] * xi, sa)
        im = toward_zero(a_re[n] * xi, sa) + toward_zero(a_im[n] * xr, sa)
        # As int32, of which the compiler knows that products fit.
        x_re[n] = saturated(re + toward_zero(b_re[n] * u, sb), top)
        x_im[n] = saturated(im + toward_zero(b_im[n] * u, sb), top)
        y[n] = toward_zero(c_re[n] * x_re[n], sc) - toward_zero(c_im[n] * x_im[n], sc)


@njit(**FAST)
def modes_sum(k, x, y, u, shifts, top):
    """(1), (2) under SUM_HALF_UP for one channel; y is each mode's part of the sum in (3)."""
    a_re, a_im, b_re, b_im, c_re, c_im = k
    (x_re, x_im), (sa, sb, left), u = x, shifts, np.int64(np.int32(u))
    s = max(sa, sb)
    for n in range(len(y)):
        xr, xi = np.int64(x_re[n]), np.int64(x_im[n])
        re = ((a_re[n] * xr - a_im[n] * xi) << (s - sa)) + ((b_re[n] * u) << (s - sb))
        im = ((a_re[n] * xi + a_im[n] * xr) << (s - sa)) + ((b_im[n] * u) << (s - sb))
        x_re[n], x_im[n] = saturated(half_up(re, s), top), saturated(half_up(im, s), top)
        y[n] = (c_re[n] * np.int64(x_re[n]) - c_im[n] * np.int64(x_im[n])) << left


@njit(**FAST)
def update(row, numbers, words, x_re, x_im, sums, y):
    """The S4D neurons of a node: messages in `sums`, by channel; what each neuron sends in `y`."""
    channels, modes, at = row[CHANNELS], row[MODES], row[NUMBERS]
    each, top, sa, apart = row[EACH], row[STATE_MAX], row[SHIFT], row[NEURONS]
    for h in range(channels):
        u, d, sb = sums[h], numbers[at + h], numbers[at + channels + h]
        sc, sd = numbers[at + 2 * channels + h], numbers[at + 3 * channels + h]
        first, state = row[WORDS] + h * modes, row[STATE] + h * modes
        mine = y[h * modes : (h + 1) * modes]
        x = x_re[state : state + modes], x_im[state : state + modes]
        k = (
            words[first : first + modes],
            words[first + apart : first + apart + modes],
            words[first + 2 * apart : first + 2 * apart + modes],
            words[first + 3 * apart : first + 3 * apart + modes],
            words[first + 4 * apart : first + 4 * apart + modes],
            words[first + 5 * apart : first + 5 * apart + modes],
        )
        if each:
            modes_each(k, x, mine, u, (sa, sb, sc), top)
            mine[0] += toward_zero(d * u, sd)
        else:
            left = max(sc, sd)
            modes_sum(k, x, mine, u, (sa, sb, left - sc), top)
            mine[0] += (d * u) << (left - sd)


@njit(**FAST)
def spread(row, words, index, value, sums):
    """(5): every event to all neurons that hear it; the weights of one sender stand together."""
    neurons = row[NEURONS]
    for e in range(len(index)):
        first, m = row[WORDS] + index[e] * neurons, np.int64(np.int32(value[e]))
        for o in range(neurons):
            sums[o] += words[first + o] * m


@njit(**FAST)
def gather(modes, index, value, sums):
    """(3): the modes of a channel; events stand in the order of their neurons."""
    h, beyond, v = 0, modes, np.int64(0)
    for e in range(len(index)):
        while index[e] >= beyond:
            sums[h] = v
            h, beyond, v = h + 1, beyond + modes, np.int64(0)
        v += value[e]
    sums[h] = v


@njit(**FAST)
def descale(row, numbers, sums):
    """(4) in place. `reduce` of SUM_HALF_UP first rounds its exact sum, once."""
    neurons, at = row[NEURONS], row[NUMBERS]
    for o in range(neurons):
        v = sums[o]
        if row[ALIGNED]:
            v = half_up(v, numbers[at + 2 * neurons + o])
        v = v * numbers[at + o]
        v = half_up(v, row[SHIFT]) if row[HALF_UP] else v >> row[SHIFT]
        limit = numbers[at + neurons + o]
        sums[o] = min(max(v, 0 if row[RELU] else -limit), limit)


@njit(**FAST)
def listen(first, many, fan, index, synops):
    """Count the synaptic operations of these events: senders that are heard alike, together."""
    stops, start, slices, counts = fan
    e, before = 0, 0
    for group in range(first, first + many):
        while e < len(index) and index[e] < stops[group]:
            e += 1
        for k in range(start[group], start[group + 1]):
            synops[slices[k]] += (e - before) * counts[k]
        before = e


@njit(**FAST)
def send(row, messages, stops, index, value, spikes):
    """Messages that are not zero become events of this step; how many."""
    count, j = 0, 0
    for k in range(row[SLICE], row[SLICE] + row[SLICES]):
        before = count
        while j < stops[k]:
            # Written in any case, and kept if the count goes on: no branch to guess.
            index[count], value[count] = j, messages[j]
            count += messages[j] != 0
            j += 1
        spikes[k] += count - before
    return count


@njit(**FAST)
def accumulate(row, k, table, ring, numbers, words, fan, synops, sums):
    """What a population hears in step k: sums of its neurons, or messages of its channels."""
    kind, at = row[KIND], row[NUMBERS]
    bias = at + 2 * row[NEURONS]
    for j in range(max(row[CHANNELS], row[NEURONS])):
        sums[j] = numbers[bias + j] if row[BIASED] else 0
    index, value = heard(table[row[SOURCE]], k - 1, ring)
    listen(row[FAN], row[FANS], fan, index, synops)
    if kind == STATE_KIND:
        for e in range(len(index)):
            sums[index[e]] = value[e]
    elif kind == REDUCE_KIND:
        gather(row[MODES], index, value, sums)
    elif kind == ADD_KIND:
        for e in range(len(index)):
            sums[index[e]] += words[row[WORDS] + index[e]] * value[e]
        index, value = heard(table[row[SKIP]], k - 1 - row[DELAY], ring)
        listen(row[SKIP_FAN], row[SKIP_FANS], fan, index, synops)
        for e in range(len(index)):
            sums[index[e]] += words[row[WORDS] + row[NEURONS] + index[e]] * value[e]
    else:
        spread(row, words, index, value, sums)


@njit(**FAST)
def heard(source, k, ring):
    """The events that a population sent in step k."""
    event_index, event_value, event_count = ring
    if k < 0:
        return event_index[:0], event_value[:0]
    slot = k % source[DEPTH]
    first = source[RING] + slot * source[NEURONS]
    last = first + event_count[source[COUNTS] + slot]
    return event_index[first:last], event_value[first:last]


@njit(**FAST)
def act(row, k, token, table, ring, given, held, counted, out, room):
    """All neurons of a population in step k, for a token."""
    numbers, words, fan, stops = given
    x_re, x_im, r, seen = held
    spikes, synops = counted
    u, scores, record = out
    sums, y = room
    kind, neurons = row[KIND], row[NEURONS]
    messages = sums
    if kind == INPUT_KIND:
        for i in range(neurons):
            sums[i] = u[token, i]
    else:
        accumulate(row, k, table, ring, numbers, words, fan, synops[token], sums)
    if kind == READOUT_KIND:
        for o in range(neurons):
            r[o] += sums[o]
            scores[token, o] = r[o] + (seen + token + 1) * numbers[row[NUMBERS] + o]
        return
    if kind == STATE_KIND:
        update(row, numbers, words, x_re, x_im, sums, y)
        messages = y
    elif kind != INPUT_KIND:
        descale(row, numbers, sums)
        if len(record):
            for o in range(neurons):
                record[token, row[RECORD] + o] = sums[o]
    event_index, event_value, event_count = ring
    slot = k % row[DEPTH]
    first = row[RING] + slot * neurons
    event_count[row[COUNTS] + slot] = send(
        row, messages, stops, event_index[first:], event_value[first:], spikes[token]
    )


def run(
    table, numbers, words, fan_stops, fan_start, fan_slices, fan_counts, stops, index, value,
    event_count, x_re, x_im, r, u, scores, record, spikes, synops, sums, y, period, seen, gated,
):  # fmt: skip
    """So many tokens of one stream, from an empty chip to an empty chip.

    `record` keeps the messages of every node unless it has no rows. Without the gate, neurons act
    in every step, and count for the token whose turn it is.
    """
    tokens, stages = len(u), len(table)
    ring, fan = (index, value, event_count), (fan_stops, fan_start, fan_slices, fan_counts)
    given = numbers, words, fan, stops
    held, counted, out = (x_re, x_im, r, seen), (spikes, synops), (u, scores, record)
    for k in range((tokens - 1) * period + stages if tokens else 0):
        for stage in range(stages):
            row = table[stage]
            event_count[row[COUNTS] + k % row[DEPTH]] = 0
            token, phase = (k - stage) // period, (k - stage) % period
            opened = phase == 0 and 0 <= token < tokens
            if opened or (stage > 0 and not gated):
                token = min(max(token, 0), tokens - 1)
                act(row, k, token, table, ring, given, held, counted, out, (sums, y))


def _compiled(function: Callable[..., Any]) -> Any:
    """With the disk cache, or in every process where no folder can be written."""
    flat, wide, small = types.int64[::1], types.int64[:, ::1], types.int32[::1]
    arrays = (wide, flat, small, small, flat, *[small] * 4, flat, flat, small, small, flat)
    signature = types.void(
        *arrays, wide, wide, wide, wide, wide, flat, flat, types.int64, types.int64, types.int64
    )
    try:
        return njit(signature, cache=True, **FAST)(function)
    except RuntimeError:
        return njit(signature, **FAST)(function)


run_steps = _compiled(run)
