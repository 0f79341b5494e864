"""The integer coefficients of one state-space model, before they are a node of a program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from ns4d.numerics import Arithmetic
from ns4d.program import S4D, Descale
from ns4d.program.ranges import reduction_bound, state_bound


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Integers with their shifts; the real and the imaginary part of a, b, c come last."""

    a: Int[np.ndarray, "h n 2"]
    b: Int[np.ndarray, "h n 2"]
    c: Int[np.ndarray, "h n 2"]
    d: Int[np.ndarray, " h"]
    a_shift: int
    b_shift: Int[np.ndarray, " h"]
    c_shift: Int[np.ndarray, " h"]
    d_shift: Int[np.ndarray, " h"]

    def states(
        self, arithmetic: Arithmetic, limit: Int[np.ndarray, " h"]
    ) -> Int[np.ndarray, "h n"]:
        """The exact bound of each state for messages within a limit; see `state_bound`."""
        parts = (self.a[..., 0], self.a[..., 1], self.b[..., 0], self.b[..., 1])
        return state_bound(arithmetic, *parts, self.a_shift, self.b_shift, limit)

    def reduction(
        self,
        arithmetic: Arithmetic,
        states: Int[np.ndarray, "h n"],
        limit: Int[np.ndarray, " h"],
    ) -> Int[np.ndarray, " h"]:
        """The exact bound of each accumulator, given that of the states; see `reduction_bound`."""
        parts = (self.c[..., 0], self.c[..., 1], self.d, self.c_shift, self.d_shift)
        return reduction_bound(arithmetic, states, *parts, limit)

    def channels(self, chosen: Int[np.ndarray, " k"]) -> Coefficients:
        """Those of some channels."""
        arrays = (self.a, self.b, self.c, self.d, self.b_shift, self.c_shift, self.d_shift)
        a, b, c, d, *shifts = (array[chosen] for array in arrays)
        return Coefficients(a, b, c, d, self.a_shift, *shifts)

    def node(self, name: str, descale: Descale) -> S4D:
        """The node of a program."""
        a, b, c = ((part[..., 0], part[..., 1]) for part in (self.a, self.b, self.c))
        shifts = (self.a_shift, self.b_shift, self.c_shift, self.d_shift)
        return S4D(name, *a, *b, *c, self.d, *shifts, descale)
