"""Memory freed after a step is there for the next one, without the system clearing it again."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ns4d.train import allocator

# In a process of its own, because the setting stays. Page faults count what the system provides.
COUNT_FAULTS = """
import ctypes, resource, runpy, sys
keep_freed_memory = runpy.run_path(sys.argv[1])["keep_freed_memory"]
libc, size = ctypes.CDLL(None), 16 << 20
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        block = libc.malloc(size)
        libc.memset(block, 1, size)
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

returned = faults()
assert keep_freed_memory()
faults()
print(returned, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc")
def test_freed_memory_is_used_again():
    command = [sys.executable, "-c", COUNT_FAULTS, str(Path(allocator.__file__))]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    returned, kept = map(int, ran.stdout.split())
    assert kept < returned / 20


def test_elsewhere_it_does_nothing(monkeypatch):
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    assert allocator.keep_freed_memory() is False
