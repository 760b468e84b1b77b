"""`python -m snnctl` and the console script."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    _open_streams()
    from snnctl.engine.parent import watch_parent

    watch_parent()  # before anything that takes long
    try:
        from snnctl.cli.app import run
    except (ImportError, MemoryError) as error:
        from snnctl.core.memory import no_memory

        fault = no_memory(f"{type(error).__name__}: {error}")
        if fault is None:
            raise
        sys.stderr.write(f"{fault.to_line()}\n")
        sys.exit(4)
    sys.exit(run(sys.argv[1:]))


def _open_streams() -> None:
    """Streams that came closed (`>&-`) lead nowhere: else the next file opened gets their number and their text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # takes the lowest that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


if __name__ == "__main__":
    main()
