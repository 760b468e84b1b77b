"""What a recipe says about reading a file, and choosing columns by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snnctl.core.diagnostic import choices
from snnctl.data.problems import data_error


@dataclass(frozen=True)
class ReadOptions:
    """How to read one source.

    Args:
        columns: names of the channels to keep, in this order; None = all numeric ones.
        key: the array inside an NPZ or HDF5 file; None = the only one.
        header: whether the first line of a text file names its columns; None = look and decide.
    """

    columns: tuple[str, ...] | None = None
    key: str | None = None
    header: bool | None = None


def select(names: Sequence[str], wanted: Sequence[str] | None, file: Path | str) -> list[int]:
    """Positions of the `wanted` columns among `names`; all of them when `wanted` is None.

    Raises:
        DiagnosticError: D204, one for the first name that is not there.
    """
    if wanted is None:
        return list(range(len(names)))
    for name in wanted:
        if name not in names:
            shown = [*names[:20], "..."] if len(names) > 20 else list(names)
            near = choices(name, names) if len(names) <= 20 else choices(name, shown)
            raise data_error("D204", f"no column `{name}`", file=file, path="data.columns", help=near)
    return [list(names).index(name) for name in wanted]


def numbered(count: int) -> tuple[str, ...]:
    """Names for columns that have none: c0, c1, ..."""
    return tuple(f"c{i}" for i in range(count))


def distinct(names: Sequence[str]) -> list[str]:
    """The names with `.1`, `.2` after repeated ones, as pandas does; empty names become their position."""
    seen: dict[str, int] = {}
    result = []
    for position, name in enumerate(names):
        name = name.strip() or f"c{position}"
        count = seen.get(name, 0)
        seen[name] = count + 1
        result.append(f"{name}.{count}" if count else name)
    return result
