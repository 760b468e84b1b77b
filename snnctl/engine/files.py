"""Records of a run, a line of JSON each; whole files are written by `snnctl.core.files`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snnctl.core.documents import finite


def append_json(path: Path, document: Any) -> None:
    """Add one line of JSON."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(finite(document)) + "\n")


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """All complete lines; a line cut off by a kill ends the list."""
    found: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return found
