"""What a run runs on: versions, machine, threads, nothing that names a person; and freed memory kept for training."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil
import torch

from snnctl import __version__

PACKAGES = ("numpy", "pandas", "pydantic", "safetensors", "accelerate", "llvmlite", "datasets")

# Parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_NEVER_TRIM, _GROW_BY, _NO_MMAP = -1, 64 << 20, 0


def environment() -> dict[str, Any]:
    """Facts that a reader needs to judge or repeat a result."""
    return {
        "snnctl": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "packages": {name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_bytes": psutil.virtual_memory().total,
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


@cache
def keep_freed_memory() -> bool:
    """Ask the C library to keep freed memory for this process; whether it will.

    By default it gives large blocks back to the system when they are freed, and the next training step pays for every
    page of them again: about as much as the arithmetic of a neuron.

    Only glibc has the switch; elsewhere nothing changes. Whoever sets one of glibc's own MALLOC_ variables has
    decided already, and keeps their setting.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_MMAP_MAX, _NO_MMAP), (_TRIM_THRESHOLD, _NEVER_TRIM), (_TOP_PAD, _GROW_BY))
    taken = [mallopt(parameter, value) for parameter, value in settings]
    return all(taken)
