"""One HTML page that needs nothing beside itself: words, table, figures, provenance."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnctl.analysis.figures.style import Picture


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Args:
        title: its heading.
        pictures: in order.
        sentences: said before them.
    """

    title: str
    pictures: Sequence[Picture]
    sentences: Sequence[str]


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

_COLUMNS = (
    ("length", "rows"),
    ("neurons", "neurons"),
    ("unique", "distinct codes"),
    ("collisions", "colliding pairs"),
    ("longest_prefix", "longest prefix without collision"),
    ("unique_tokens", "tokens told apart"),
    ("tokens", "of tokens L"),
    ("constant_neurons", "constant neurons"),
    ("firing_rate", "firing rate"),
)


def page(
    document: Mapping[str, Any], sections: Sequence[Section], images: Mapping[str, bytes], files: Sequence[str]
) -> str:
    """The page as text.

    Args:
        document: as `Analysis.document`, with `provenance`.
        sections: in order.
        images: picture name -> PNG.
        files: names beside the page, which it links to.
    """
    name = escape(document["name"])
    titles = [section.title for section in sections] + ["Provenance", "Files"]
    links = "".join(f'<a href="#s{number}">{escape(title)}</a>' for number, title in enumerate(titles))
    body = [
        f"<h1>Positional encoding: {name}</h1>",
        f'<p class="lead">T = {document["steps"]} steps, L = {document["tokens"]} tokens. A row p of a code belongs to '
        f"one token at one step (index TL) or to one token (index L).</p>",
        f"<nav>{links}</nav>",
        _table(document["encodings"]),
        _list(document["notes"]),
    ]
    for number, section in enumerate(sections):
        body.append(f'<h2 id="s{number}">{escape(section.title)}</h2>')
        body.append(_list(section.sentences))
        body += [_figure(picture, images[picture.name]) for picture in section.pictures]
    body.append(f'<h2 id="s{len(sections)}">Provenance</h2>{_provenance(document["provenance"])}')
    body.append(f'<h2 id="s{len(sections) + 1}">Files</h2>{_files(files)}')
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Positional encoding: {name}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _table(encodings: Mapping[str, Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for _, title in (("", "encoding"), *_COLUMNS))
    rows = ""
    for name, facts in encodings.items():
        cells = "".join(f"<td>{_number(facts[key])}</td>" for key, _ in _COLUMNS)
        rows += f"<tr><td>{escape(name)}</td>{cells}</tr>"
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


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
        f'<a href="{picture.name}.svg">SVG</a></figcaption></figure>'
    )


def _provenance(facts: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {found}" for name, found in facts["versions"].items())
    rows = (("made", facts["created"]), ("versions", versions), ("system", facts["system"]))
    listed = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    knobs = "\n".join(f"{name}: {json.dumps(config)}" for name, config in facts["knobs"].items())
    return (
        f'<pre>{escape(facts["command"])}</pre><dl class="facts">{listed}</dl><h3>Knobs</h3><pre>{escape(knobs)}</pre>'
    )


def _files(names: Sequence[str]) -> str:
    items = "".join(f'<li><a href="{escape(name)}">{escape(name)}</a></li>' for name in names)
    return f'<ul class="files">{items}</ul>'
