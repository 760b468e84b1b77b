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
    """A table on the page; its first column is a name, the others are right-aligned."""

    head: Sequence[str]  # one title per column
    # one cell per column; text stands as it is, whole numbers get thousands marks, other numbers four digits, None
    # and NaN a dash
    rows: Sequence[Sequence[Cell]]
    title: str = ""  # heading above it, or none


@dataclass(frozen=True)
class Animation:
    """A moving picture with words as those of a `Picture`."""

    name: str
    title: str
    caption: str
    data: bytes  # an animated GIF
    width: int  # in pixels of the page


@dataclass(frozen=True)
class Section:
    """A part of the page, in this order: title, sentences, tables, pictures, animations."""

    title: str  # its heading, also in the list of contents
    pictures: Sequence[Picture] = ()
    sentences: Sequence[str] = ()  # plain text, an item of a list each
    tables: Sequence[Table] = ()
    animations: Sequence[Animation] = ()


@dataclass(frozen=True)
class Page:
    """What stands on a page; all of it is plain text and is escaped."""

    title: str  # of the page and of the window
    lead: str  # one or two sentences below it
    sections: Sequence[Section]
    provenance: Mapping[str, Any] = field(default_factory=dict)  # from `provenance`; filled in when a report is written
    sentences: Sequence[str] = ()  # said before the first section, below `tables`
    tables: Sequence[Table] = ()  # shown before the first section

    @property
    def pictures(self) -> list[Picture]:
        return [picture for section in self.sections for picture in section.pictures]

    @property
    def animations(self) -> list[Animation]:
        return [animation for section in self.sections for animation in section.animations]


def html(page: Page, images: Mapping[str, bytes], files: Sequence[str]) -> str:
    """The page as text, with `images` (picture name -> PNG) in it and links to the `files` beside it."""
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
    if value is None or value != value:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
