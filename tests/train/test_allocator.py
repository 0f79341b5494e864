"""Memory freed after a step is there for the next one, without the system clearing it again."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ns4d.train import allocator, loop
from train.tiny import tiny_dataset, tiny_recipe

# In a process of its own, because the setting stays. Page faults count what the system provides;
# glibc's own limits never grow beyond blocks of 32 MiB.
COUNT_FAULTS = """
import ctypes, resource, runpy, sys
keep_freed_memory = runpy.run_path(sys.argv[1])["keep_freed_memory"]
libc, size = ctypes.CDLL(None), 96 << 20
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
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


def test_every_training_asks_for_it(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: asked.append(True))
    loop.train(tiny_recipe(), tiny_dataset(), tmp_path, show=False)
    assert asked == [True]


def test_elsewhere_it_does_nothing(monkeypatch):
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    assert allocator.keep_freed_memory() is False
