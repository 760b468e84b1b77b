"""What made a report: command, time, versions, knobs."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from snnctl import __version__


def provenance(command: str, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Facts for the page and the document.

    Args:
        command: so that a reader can repeat it.
        knobs: name of a part -> its settings; may be empty.
    """
    return {
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "snnctl": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "numpy", "matplotlib")},
        },
        "system": f"{platform.system()} {platform.machine()}",
        "knobs": dict(knobs),
    }
