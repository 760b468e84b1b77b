"""A report's way into a folder: every file is written under a temporary name, then renamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snnctl.core.diagnostic import Diagnostic, DiagnosticError
from snnctl.core.files import write_atomically, write_json, write_text
from snnctl.report.page import Page, html
from snnctl.report.style import render

Tell = Callable[[str, float], None]


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Failures to write into `out` become U453.

    Raises:
        DiagnosticError: U453, the folder cannot be made or written to.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DiagnosticError(
            Diagnostic("U453", f"`{out}` cannot be written: {reason}", help="name another --out")
        ) from error


def prepare(out: Path) -> None:
    """Make the folder: before hours are spent on what is to lie in it.

    Raises:
        DiagnosticError: U453, as `writing`.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)


def save(
    out: Path,
    page: Page,
    tables: Mapping[str, str | bytes],
    document: Mapping[str, Any],
    *,
    page_name: str = "report.html",
    document_name: str,
    tell: Tell = lambda *_: None,
    start: float = 0.1,
) -> dict[str, Any]:
    """Write tables, pictures (PNG and SVG), animations (GIF), page and document into `out`.

    Files of the same names are replaced, and what an earlier report of the same document has left there is removed:
    a figure that is no longer drawn must not be taken for one of these.

    Args:
        out: made if it is missing.
        tables: file name -> CSV text, or the bytes of arrays that pictures can be drawn from anew.
        document: written as JSON with `provenance`, `out`, `page` and `files` added.
        page_name, document_name: file names.
        tell: told what is being done, and which share of it is.
        start: the share done before this call, 0..1.

    Returns:
        The document as written.

    Raises:
        DiagnosticError: U453, as `writing`.
    """
    prepare(out)
    earlier = _files_of(out / document_name)
    names = [page_name, document_name]
    with writing(out):

        def put(name: str, data: bytes) -> None:
            names.append(name)
            write_atomically(out / name, lambda path: _fill(path, data))

        for name, text in tables.items():
            put(name, text if isinstance(text, bytes) else text.encode())
        images: dict[str, bytes] = {}
        for number, picture in enumerate(page.pictures):
            tell(f"figure {picture.name}", start + (0.95 - start) * number / len(page.pictures))
            images[picture.name], drawing = render(picture)
            put(f"{picture.name}.png", images[picture.name])
            put(f"{picture.name}.svg", drawing)
        for animation in page.animations:
            put(f"{animation.name}.gif", animation.data)
        write_text(out / page_name, html(page, images, names))
        places = {"out": str(out), "page": str(out / page_name), "files": [str(out / name) for name in names]}
        written = {**document, "provenance": page.provenance, **places}
        write_json(out / document_name, written)
        for name in earlier - set(names):
            (out / name).unlink(missing_ok=True)
    tell("done", 1.0)
    return written


def _files_of(document: Path) -> set[str]:
    """Names of the files that a report's document lists; none if there is no such document."""
    try:
        listed = json.loads(document.read_text(encoding="utf-8"))["files"]
        return {Path(name).name for name in listed}
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def _fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)
