"""How fast and how hungry: snnctl beside its own definition and beside other libraries, measured side by side."""

from __future__ import annotations

import os


def silence_native_logs() -> None:
    """Keep the lines that torch's allocator and profiler write to stderr below Python out of the output.

    Has to be called before torch is imported.
    """
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
