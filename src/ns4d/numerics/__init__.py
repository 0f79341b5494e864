"""Integer arithmetic: primitives, formats, profiles. Normative text: docs/numerics.md."""

from ns4d.numerics.arithmetic import (
    LOIHI2,
    PROFILES,
    SYNAPSE_SHIFT,
    WIDE,
    Arithmetic,
    ProductRounding,
    SynapseRounding,
)
from ns4d.numerics.formats import Format, nearest, quantize
from ns4d.numerics.primitives import (
    PRODUCT_MAX,
    SHIFT_MAX,
    largest,
    saturate,
    shift_floor,
    shift_half_up,
    shift_toward_zero,
)
from ns4d.numerics.profile_file import read_profile, write_profile

__all__ = [
    "LOIHI2",
    "PRODUCT_MAX",
    "PROFILES",
    "SHIFT_MAX",
    "SYNAPSE_SHIFT",
    "WIDE",
    "Arithmetic",
    "Format",
    "ProductRounding",
    "SynapseRounding",
    "largest",
    "nearest",
    "quantize",
    "read_profile",
    "saturate",
    "shift_floor",
    "shift_half_up",
    "shift_toward_zero",
    "write_profile",
]
