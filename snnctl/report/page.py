"""One HTML page that needs nothing beside itself: words, tables, figures, provenance, files."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

    from snnctl.report.style import Picture

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A table on the page; its first column is a name, the others are right-aligned.

    Args:
        head: one title per column.
        rows: one cell per column; text stands as it is, whole numbers get thousands marks, other numbers four
            digits, None and NaN a dash.
        title: heading above it, or none.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""


@dataclass(frozen=True)
class Animation:
    """A moving picture with its words.

    Args:
        name, title, caption: as those of a `Picture`.
        data: an animated GIF.
        width: in pixels of the page.
    """

    name: str
    title: str
    caption: str
    data: bytes
    width: int


@dataclass(frozen=True)
class Section:
    """A part of the page, in this order: title, sentences, tables, pictures, animations.

    Args:
        title: its heading, also in the list of contents.
        pictures: in order.
        sentences: plain text, an item of a list each.
        tables: in order.
        animations: in order.
    """

    title: str
    pictures: Sequence[Picture] = ()
    sentences: Sequence[str] = ()
    tables: Sequence[Table] = ()
    animations: Sequence[Animation] = ()


@dataclass(frozen=True)
class Page:
    """What stands on a page; all of it is plain text and is escaped.

    Args:
        title: of the page and of the window.
        lead: one or two sentences below it.
        sections: in order.
        provenance: from `provenance`; filled in when a report is written.
        sentences: said before the first section, below `tables`.
        tables: shown before the first section.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    sentences: Sequence[str] = ()
    tables: Sequence[Table] = ()

    @property
    def titles(self) -> list[str]:
        """What the list of contents leads to."""
        return [*(section.title for section in self.sections), "Provenance", "Files"]

    @property
    def pictures(self) -> list[Picture]:
        """All pictures in the order of the page."""
        return [picture for section in self.sections for picture in section.pictures]

    @property
    def animations(self) -> list[Animation]:
        """All animations in the order of the page."""
        return [animation for section in self.sections for animation in section.animations]


def html(page: Page, images: Mapping[str, bytes], files: Sequence[str]) -> str:
    """The page as text.

    Args:
        images: picture name -> PNG.
        files: names beside the page, which it links to.
    """
    made = page.provenance
    versions = ", ".join(f"{name} {found}" for name, found in made["versions"].items())
    return _template().render(
        page=page,
        images=images,
        files=files,
        facts=(("made", made["created"]), ("versions", versions), ("system", made["system"])),
        knobs="\n".join(f"{name}: {json.dumps(config)}" for name, config in made["knobs"].items()),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def escaped(value: Any) -> Markup:  # the standard library's entities, also for quotes
        return value if isinstance(value, Markup) else Markup(escape(str(value)))

    room = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    room.filters |= {"shown": _shown, "base64": lambda data: base64.b64encode(data).decode("ascii")}
    return room.get_template("page.html.jinja")


def _shown(value: Cell) -> str:
    """A cell as it stands in a table."""
    if value is None or value != value:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
