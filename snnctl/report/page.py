"""One HTML page that needs nothing beside itself: words, tables, figures, provenance, files."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
        name: of its file, without ending.
        title: heading on the page.
        caption: what is drawn and what it shows, for the page and for people who cannot see it.
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
        provenance: from `snnctl.report.provenance`.
        sentences: said before the first section, below `tables`.
        tables: shown before the first section.
    """

    title: str
    lead: str
    sections: Sequence[Section]
    provenance: Mapping[str, Any]
    sentences: Sequence[str] = ()
    tables: Sequence[Table] = field(default=())

    @property
    def pictures(self) -> list[Picture]:
        """All pictures in the order of the page."""
        return [picture for section in self.sections for picture in section.pictures]

    @property
    def animations(self) -> list[Animation]:
        """All animations in the order of the page."""
        return [animation for section in self.sections for animation in section.animations]


_CSS = """
:root { --ink: #1d2327; --soft: #59636b; --line: #d9dfe4; --paper: #fff; --tint: #f4f6f8; --accent: #0072b2; }
* { box-sizing: border-box; }
html { color-scheme: light; scroll-behavior: smooth; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.55 Charter, "Bitstream Charter",
  "Sitka Text", Cambria, Georgia, serif; }
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1, h2, h3, nav, table, figcaption, .facts { font-family: ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial,
  sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 3.2rem 0 .6rem; padding-top: 1rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1rem; margin: 2rem 0 .3rem; }
p.lead { color: var(--soft); margin: 0 0 1.4rem; }
p, li { max-width: 44rem; }
ul { padding-left: 1.2rem; margin: .4rem 0 1rem; }
nav { font-size: .86rem; margin: 1.2rem 0 2rem; display: flex; flex-wrap: wrap; gap: .35rem 1.1rem; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .35rem .8rem .35rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; border-bottom: 1.5px solid var(--ink); vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1.2rem 0 2.2rem; }
figure img { display: block; max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px; }
figcaption { font-size: .86rem; line-height: 1.45; color: var(--soft); margin-top: .5rem; max-width: 50rem; }
code, pre { font: .84rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { background: var(--tint); padding: .8rem 1rem; border-radius: 4px; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; font-size: .88rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
ul.files { columns: 17rem; font-size: .84rem; list-style: none; padding: 0; }
@media print { nav { display: none; } h2 { break-after: avoid; } figure { break-inside: avoid; } main { padding: 0; } }
"""


def html(page: Page, images: Mapping[str, bytes], files: Sequence[str]) -> str:
    """The page as text.

    Args:
        images: picture name -> PNG.
        files: names beside the page, which it links to.
    """
    title = escape(page.title)
    titles = [section.title for section in page.sections] + ["Provenance", "Files"]
    links = "".join(f'<a href="#s{number}">{escape(name)}</a>' for number, name in enumerate(titles))
    body = [f"<h1>{title}</h1>", f'<p class="lead">{escape(page.lead)}</p>', f"<nav>{links}</nav>"]
    body += [*map(_table, page.tables), _list(page.sentences)]
    for number, section in enumerate(page.sections):
        body += [f'<h2 id="s{number}">{escape(section.title)}</h2>', _list(section.sentences)]
        body += map(_table, section.tables)
        body += [_figure(picture, images[picture.name]) for picture in section.pictures]
        body += map(_animation, section.animations)
    body.append(f'<h2 id="s{len(page.sections)}">Provenance</h2>{_provenance(page.provenance)}')
    body.append(f'<h2 id="s{len(page.sections) + 1}">Files</h2>{_files(files)}')
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    title = f"<h3>{escape(table.title)}</h3>" if table.title else ""
    return f'{title}<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(value: Cell) -> str:
    if value is None or value != value:
        return "–"
    if isinstance(value, str):
        return escape(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _list(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _figure(picture: Picture, image: bytes) -> str:
    data = base64.b64encode(image).decode("ascii")
    caption = escape(picture.caption)
    width = round(96 * picture.figure.get_figwidth())  # text of the same size in all figures
    return (
        f"<h3>{escape(picture.title)}</h3>"
        f'<figure><img src="data:image/png;base64,{data}" width="{width}" alt="{caption}"><figcaption>{caption} '
        f'<a href="{escape(picture.name)}.svg">SVG</a></figcaption></figure>'
    )


def _animation(animation: Animation) -> str:
    data = base64.b64encode(animation.data).decode("ascii")
    caption = escape(animation.caption)
    return (
        f"<h3>{escape(animation.title)}</h3>"
        f'<figure><img src="data:image/gif;base64,{data}" width="{animation.width}" alt="{caption}"><figcaption>'
        f'{caption} <a href="{escape(animation.name)}.gif">GIF</a></figcaption></figure>'
    )


def _provenance(facts: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {found}" for name, found in facts["versions"].items())
    rows = (("made", facts["created"]), ("versions", versions), ("system", facts["system"]))
    listed = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    knobs = "\n".join(f"{name}: {json.dumps(config)}" for name, config in facts["knobs"].items())
    shown = f"<h3>Knobs</h3><pre>{escape(knobs)}</pre>" if knobs else ""
    return f'<pre>{escape(facts["command"])}</pre><dl class="facts">{listed}</dl>{shown}'


def _files(names: Sequence[str]) -> str:
    items = "".join(f'<li><a href="{escape(name)}">{escape(name)}</a></li>' for name in names)
    return f'<ul class="files">{items}</ul>'
