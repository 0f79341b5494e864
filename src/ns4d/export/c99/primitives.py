"""The integer primitives of numerics.md in C: shifts, clips, products, named by what they do.

Nothing is left to the compiler: no right shift of a negative number, no overflow, no conversion
that does not fit. Three ways to multiply are chosen when the C is compiled:

    NS4D_DSP     ARM cores with a 32x32->64 multiply in one cycle (Cortex-M4, M7, M33): three
                 instructions of assembly per product that is shifted toward zero
    NS4D_SPLIT   cores that multiply to 32 bits only (Cortex-M0, M0+): 16-bit halves
    neither      plain C

All give the same bits; templates/primitives.c, which holds the functions, says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ns4d.export.c99.templates import template

# A factor of at most 16 bits, so that both halves of a product fit 32: 32767 * 65535 < 2^31.
SPLIT_FACTOR_MAX = 2**15 - 1
DEFINED_NAME = re.compile(r"^static inline \w+ (\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Primitive:
    """A function of the generated file.

    Args:
        name: Its name in C.
        text: Its definition with the comment above it.
        dsp, split, plain: The primitives that it calls on each path.
    """

    name: str
    text: str
    dsp: tuple[Primitive, ...] = ()
    split: tuple[Primitive, ...] = ()
    plain: tuple[Primitive, ...] = ()


PATHS: Mapping[str, Callable[[Primitive], tuple[Primitive, ...]]] = MappingProxyType(
    {"dsp": lambda one: one.dsp, "split": lambda one: one.split, "plain": lambda one: one.plain}
)
CONDITIONS: Mapping[frozenset[str], str] = MappingProxyType(
    {
        frozenset({"dsp"}): "defined(NS4D_DSP)",
        frozenset({"split"}): "defined(NS4D_SPLIT)",
        frozenset({"plain"}): "!defined(NS4D_DSP) && !defined(NS4D_SPLIT)",
        frozenset({"dsp", "split"}): "defined(NS4D_DSP) || defined(NS4D_SPLIT)",
        frozenset({"dsp", "plain"}): "!defined(NS4D_SPLIT)",
        frozenset({"split", "plain"}): "!defined(NS4D_DSP)",
    }
)


def definitions(wanted: Iterable[Primitive]) -> list[str]:
    """The text of every primitive, each once, after what it calls.

    What is not called on every path is defined on those only where it is: compilers complain about
    a function that nobody calls.
    """
    roots = list(wanted)
    calling = {path: set(_reachable(roots, calls)) for path, calls in PATHS.items()}
    texts: dict[str, str] = {}
    for each in _reachable(roots, lambda one: one.dsp + one.split + one.plain):
        on = frozenset(path for path, called in calling.items() if each in called)
        text = each.text if on not in CONDITIONS else f"#if {CONDITIONS[on]}\n{each.text}#endif\n"
        assert texts.setdefault(each.name, text) == text, each.name
    return list(texts.values())


def _reachable(
    roots: Iterable[Primitive], calls: Callable[[Primitive], tuple[Primitive, ...]]
) -> Iterator[Primitive]:
    """What is called from the roots, each after what it calls; some come more than once."""
    for root in roots:
        yield from _reachable(calls(root), calls)
        yield root


def _texts() -> dict[str, str]:
    """Function name -> its block of the file."""
    blocks = template("primitives.c").strip().split("\n\n")[1:]
    named = ((DEFINED_NAME.search(block), block) for block in blocks)
    return {found[1]: f"{block}\n" for found, block in named if found is not None}


_TEXTS = _texts()


def _primitive(name: str, *needs: Primitive) -> Primitive:
    return Primitive(name, _TEXTS[name], needs, needs, needs)


SHIFT_FLOOR = _primitive("shift_floor")
SHIFT_FLOOR_64 = _primitive("shift_floor_64")
SHIFT_TOWARD_ZERO = _primitive("shift_toward_zero")
SHIFT_TOWARD_ZERO_64 = _primitive("shift_toward_zero_64")
CLIP = _primitive("clip")
CLIP_64 = _primitive("clip_64")
PRODUCT = Primitive("product", _TEXTS["product"], split=(SHIFT_FLOOR,))
PRODUCT_SHORT = _primitive("product_short")
PRODUCT_LONG = _primitive("product_long")
ADD_HIGH = _primitive("add_high")
ADD_SHIFTED = _primitive("add_shifted", SHIFT_TOWARD_ZERO)
ADD_WIDE = _primitive("add_wide", SHIFT_TOWARD_ZERO_64)
ADD_WIDE_64 = _primitive("add_wide_64", SHIFT_TOWARD_ZERO_64)
