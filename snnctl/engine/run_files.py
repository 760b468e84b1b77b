"""Reading back what a run wrote about itself: files that a kill, a disk or a hand may have damaged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError

_MOST_BYTES = 1 << 28  # of one document; those of real runs have kilobytes


class DamagedError(Exception):
    """Text that is no JSON object; `line` is where, counted from 1, 0 where that cannot be said."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True)
class Lines:
    """The records of a `.jsonl` file.

    Args:
        found: those that are whole, in order.
        lost: numbers of the lines that are not, from 1; a last line cut off by a kill is none of them.
    """

    found: list[dict[str, Any]]
    lost: list[int]


def read_object(path: Path, code: str, what: str) -> dict[str, Any]:
    """The JSON object that a file holds.

    Args:
        code: of the error where it holds none.
        what: the file is called.

    Raises:
        DiagnosticError: `code`, with file and line.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DamagedError(f"it is larger than {_MOST_BYTES:,} bytes")
        return parsed(path.read_bytes())
    except DamagedError as error:
        raise damaged(path, code, what, str(error), error.line) from error
    except OSError as error:
        raise damaged(path, code, what, error.strerror or type(error).__name__) from error


def damaged(path: Path, code: str, what: str, reason: str, line: int = 0) -> DiagnosticError:
    """That a file is damaged, why and where."""
    return DiagnosticError(Diagnostic(code, f"{what} is damaged: {reason}", file=str(path), line=line))


def parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object that `raw` is.

    Raises:
        DamagedError: it is something else.
    """
    try:
        found = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DamagedError("it is not UTF-8 text", raw.count(b"\n", 0, error.start) + 1) from None
    except json.JSONDecodeError as error:
        raise DamagedError(f"it is no JSON, {error.msg}", error.lineno) from None
    except RecursionError:
        raise DamagedError("it is nested too deeply", 1) from None
    except ValueError:  # a number of more digits than Python reads
        raise DamagedError("it holds a number that is too long") from None
    if not isinstance(found, dict):
        raise DamagedError("it is not a JSON object", 1)
    return found


def read_lines(path: Path) -> Lines:
    """The records of a `.jsonl` file of one record per epoch, each with its `epoch`; none where there is no file.

    Raises:
        DiagnosticError: U413, it cannot be read at all.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Lines([], [])
    except OSError as error:
        raise damaged(path, "U413", f"`{path.name}` of the run", error.strerror or type(error).__name__) from error
    found: list[dict[str, Any]] = []
    lost: list[int] = []
    texts = raw.split(b"\n")
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        try:
            record = parsed(text)
            if not is_count(record.get("epoch")):
                raise DamagedError("it names no epoch")
            found.append(record)
        except DamagedError:
            if number < len(texts):  # what ends without a line break was being written
                lost.append(number)
    return Lines(found, lost)


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_figures(value: Any) -> bool:
    """Whether it is a mapping of finite numbers, or of None where there is none."""
    return isinstance(value, Mapping) and all(map(is_number, value.values()))


def is_number(value: Any) -> bool:
    """Whether it is a finite number or None."""
    return value is None or is_finite(value)


def is_finite(value: Any) -> bool:
    """Whether it is a finite number."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value)
    )


# What readers of results rely on; beside it stands more, which differs between versions.
_RESULTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "metrics": (is_figures, "a mapping of numbers"),
    "split": (lambda one: isinstance(one, str), "text"),
    "baselines": (lambda one: isinstance(one, Mapping) and all(map(is_figures, one.values())), "mappings of numbers"),
    "parameters": (is_count, "a whole number"),
    "spikes": (
        lambda one: isinstance(one, Mapping) and is_number(one.get("mean_rate", "")),
        "a mapping with `mean_rate`",
    ),
    "leaks": (lambda one: isinstance(one, list) and all(isinstance(text, str) for text in one), "a list of text"),
}
_PLUGIN = ("path", "sha256")


def refuse_results(results: Mapping[str, Any], path: Path) -> None:
    """Results without what every reader of them relies on are damaged.

    Raises:
        DiagnosticError: U413.
    """
    for name, (fits, wanted) in _RESULTS.items():
        if not fits(results.get(name)):
            raise damaged(path, "U413", "`results.json` of the run", f"its `{name}` is not {wanted}")


def refuse_manifest(manifest: Mapping[str, Any], path: Path) -> None:
    """Likewise a manifest, of which all may be missing, but not be something else.

    Raises:
        DiagnosticError: U413.
    """
    plugins = manifest.get("plugins", [])
    told = isinstance(plugins, list) and all(
        isinstance(one, Mapping) and all(isinstance(one.get(key), str) for key in _PLUGIN) for one in plugins
    )
    texts = [key for key in ("created", "updated", "status", "digest") if not isinstance(manifest.get(key, ""), str)]
    for key in [*texts, *([] if told else ["plugins"])]:
        raise damaged(path, "U413", "manifest of the run", f"its `{key}` is not what a run writes there")
