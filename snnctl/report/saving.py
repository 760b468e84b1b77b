"""What a study leaves (document, tables, figures, page), and its way into a folder: each file whole or not at all."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snnctl import __version__
from snnctl.core.files import whole_folder, write_bytes, write_json, write_text, writing
from snnctl.core.owned import scratch
from snnctl.report.page import Page, html
from snnctl.report.style import render

Tell = Callable[[str, float], None]


@dataclass(frozen=True)
class Report:
    """What a study leaves: the one value that `write` makes a folder of.

    A study is a folder of four steps: `collect.py` measures, `tables.py` makes the document and CSV of what was found,
    `figures.py` draws it where there is much to draw, and `page.py` puts all together: `report(found) -> Report`.
    """

    document: Mapping[str, Any]  # what `--json` prints; `provenance`, `out`, `page` and `files` are added
    # makes file name -> CSV text, or the bytes of arrays that pictures can be drawn from anew
    tables: Callable[[], Mapping[str, str | bytes]]
    page: Callable[[], Page]  # draws the page, when a folder is there to take it
    document_name: str
    page_name: str = "report.html"
    knobs: Mapping[str, Any] = field(default_factory=dict)  # name of a part -> its settings, for the provenance
    begun: float = 0.1  # the share of all work that is done before, 0..1
    told: tuple[str, ...] = ()  # of `tables` and `figures`, those that take so long that their beginning is told


def write(
    report: Report, out: Path, command: str, tell: Tell = lambda *_: None, named: Path | None = None
) -> dict[str, Any]:
    """Write document, tables, pictures (PNG and SVG), animations (GIF) and page into `out`; the document as written.

    Files of the same names are replaced, and what an earlier report of the same document has left there is removed:
    a figure that is no longer drawn must not be taken for one of these.

    Args:
        command: for the page, so that a reader can repeat it.
        tell: told what is being done, and which share of it, 0..1, is.
        named: what the folder will be called, if `out` is not its name yet.

    Raises:
        DiagnosticError: U453, the folder cannot be made or written to; E412, there is no room.
    """
    final = named or out
    if "tables" in report.told:
        tell("tables", report.begun)
    tables = report.tables()
    if "figures" in report.told:
        tell("figures", report.begun)
    page = replace(report.page(), provenance=provenance(command, report.knobs))
    earlier = _files_of(out / report.document_name)
    names = [report.page_name, report.document_name]
    with writing(final), _folder(out) as folder:

        def put(name: str, data: bytes) -> None:
            names.append(name)
            write_bytes(folder / name, data)

        for name, text in tables.items():
            put(name, text if isinstance(text, bytes) else text.encode())
        images: dict[str, bytes] = {}
        for number, picture in enumerate(page.pictures):
            tell(f"figure {picture.name}", report.begun + (0.95 - report.begun) * number / len(page.pictures))
            images[picture.name], drawing = render(picture)
            put(f"{picture.name}.png", images[picture.name])
            put(f"{picture.name}.svg", drawing)
        for animation in page.animations:
            put(f"{animation.name}.gif", animation.data)
        write_text(folder / report.page_name, html(page, images, names))
        files = [str(final / name) for name in names]
        places = {"out": str(final), "page": str(final / report.page_name), "files": files}
        written = {**report.document, "provenance": page.provenance, **places}
        write_json(folder / report.document_name, written)
        for name in earlier - set(names):
            (folder / name).unlink(missing_ok=True)
    tell("done", 1.0)
    return written


def _folder(out: Path) -> AbstractContextManager[Path]:
    """Where files go: a folder that is not there yet, or empty, is made whole or not at all."""
    if out.is_dir() and any(out.iterdir()):
        return nullcontext(out)
    return whole_folder(out)


def prepare(out: Path) -> None:
    """See that the folder can be made and written to, before hours are spent on what is to lie in it; leaves nothing.

    Raises:
        DiagnosticError: U453, it is no place for a folder; E412, nothing can be written there.
    """
    with writing(out):
        place = out
        while not place.exists() and place != place.parent:
            place = place.parent
        with scratch(".probe-", place) as probe:
            (probe / "probe").write_bytes(b"?")


def provenance(command: str, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Facts for the page and the document; `knobs` are the settings of each part."""
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


def _files_of(document: Path) -> set[str]:
    """Names of the files that a report's document lists; none if there is no such document."""
    try:
        listed = json.loads(document.read_text(encoding="utf-8"))["files"]
        return {Path(name).name for name in listed}
    except (OSError, ValueError, LookupError, TypeError):
        return set()
