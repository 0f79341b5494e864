"""Keep freed memory instead of returning it to the operating system after every step.

A training step allocates and frees the same few hundred megabytes. By default glibc gives
blocks that large back at once, and the kernel clears them again page by page at the next step,
which `make bench` sees as the difference between its two rows for ns4d. The price is memory: the
process keeps its peak, some of it in gaps.
"""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
MEBIBYTE = 1 << 20


def keep_freed_memory() -> bool:
    """Tell glibc to reuse large blocks; elsewhere, do nothing.

    Returns:
        Whether the setting took effect.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = (
        (M_MMAP_THRESHOLD, 1024 * MEBIBYTE),
        (M_TRIM_THRESHOLD, 2048 * MEBIBYTE - 1),
        (M_TOP_PAD, 64 * MEBIBYTE),
    )
    return all(libc.mallopt(option, value) == 1 for option, value in settings)
