"""Analyses of parts on a terminal: positional encodings with the code as a picture, gradients against lag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from snnctl.ui.console import show_sentences, table
from snnctl.ui.report import show_files
from snnctl.ui.words import figure, spread

if TYPE_CHECKING:
    from snnctl.inspect.positions.encoding import Encoding

_SHADES = " ░▒▓█"
_LOW, _HIGH = (0, 32, 81), (253, 231, 55)  # the ends of a scale from dark blue to yellow
_MOST_NEURONS = 48


def show_analysis(console: Console, document: Mapping[str, Any], first: Encoding) -> None:
    """The first encoding's code, all encodings in a table, what follows from it, and the files."""
    head = f"[bold]{escape(document['name'])}[/]  T={document['steps']} L={document['tokens']}"
    console.print(head, soft_wrap=True)
    if first.code.size:
        console.print()
        console.print(code_picture(first, console))
    console.print()
    _comparison(console, document["encodings"])
    console.print()
    show_sentences(console, document["sentences"][first.name], document["notes"])
    if document["trained"] is not None:
        _trained(console, document["trained"])
    show_files(console, document)


def code_picture(encoding: Encoding, console: Console) -> Text:
    """The code as characters: a column per position, two neurons per line where half blocks can show them."""
    code = encoding.code[: max(8, console.width - 8), :_MOST_NEURONS]
    rows, neurons = code.shape
    of = len(encoding.code)
    cut = f"first {rows} of {of} positions" if rows < of else f"{rows} positions"
    more = f", first {neurons} of {encoding.code.shape[1]} neurons" if neurons < encoding.code.shape[1] else ""
    text = Text(f"{encoding.name}: {cut}{more}, position p to the right, neuron k downwards\n", no_wrap=True)
    if encoding.kind != "real":
        _half_blocks(text, (code > 0).T.tolist())
    elif console.color_system in ("256", "truecolor"):
        _coloured(text, _scaled(code))
    else:
        for k, line in enumerate(_scaled(code)):
            text.append(f"{k:>4} ", "dim")
            text.append("".join(_SHADES[min(4, int(value * 5))] for value in line) + "\n")
    text.rstrip()
    return text


def _half_blocks(text: Text, fires: Sequence[Sequence[bool]]) -> None:
    for k in range(0, len(fires), 2):
        below = fires[k + 1] if k + 1 < len(fires) else [False] * len(fires[k])
        line = "".join(" ▀▄█"[up + 2 * low] for up, low in zip(fires[k], below, strict=True))
        text.append(f"{k:>4} ", "dim").append("│", "dim").append(line, "spike").append("│\n", "dim")


def _coloured(text: Text, values: Sequence[Sequence[float]]) -> None:
    for k in range(0, len(values), 2):
        text.append(f"{k:>4} ", "dim")
        for column, up in enumerate(values[k]):
            style = _colour(up)
            if k + 1 < len(values):
                style += f" on {_colour(values[k + 1][column])}"
            text.append("▀", style)
        text.append("\n")


def _scaled(code: Any) -> list[list[float]]:
    """Columns of values in 0..1, [n][rows]."""
    low, high = float(code.min()), float(code.max())
    return [[float(v) for v in line] for line in ((code.T - low) / ((high - low) or 1.0))]


def _colour(value: float) -> str:
    red, green, blue = (round(a + (b - a) * value) for a, b in zip(_LOW, _HIGH, strict=True))
    return f"rgb({red},{green},{blue})"


def _comparison(console: Console, encodings: Mapping[str, Mapping[str, Any]]) -> None:
    columns = (">rows", ">neurons", ">distinct", ">colliding pairs", ">free prefix", ">tokens", ">constant", ">rate")
    shown = table("encoding", *columns)
    for number, (name, facts) in enumerate(encodings.items()):
        label = f"[bold]{escape(name)}[/]" if number == 0 else escape(name)
        pairs = f"{facts['collisions']:,}"
        shown.add_row(
            label,
            f"{facts['length']:,}",
            str(facts["neurons"]),
            f"{facts['unique']:,}",
            pairs if facts["collisions"] else f"[good]{pairs}[/]",
            f"{facts['longest_prefix']:,}",
            f"{facts['unique_tokens']:,}/{facts['tokens']:,}",
            str(facts["constant_neurons"]),
            figure(facts["firing_rate"], 3),
        )
    console.print(shown)


def _trained(console: Console, found: Mapping[str, Any]) -> None:
    console.print()
    if found["disturbance"]:
        metrics = list(found["disturbance"][0]["metrics"])
        rows = ((row["kind"], *(spread(row["metrics"][name]) for name in metrics)) for row in found["disturbance"])
        console.print(table(f"position, {found['split']} split", *[f">{name}" for name in metrics], rows=rows))
        console.print()
    if found["probe"]["layers"]:
        chance = figure(found["probe"]["chance"], 3)
        shown = table("position read back from", ">accuracy", ">without position", f">chance {chance}")
        for row in found["probe"]["layers"]:
            without = figure(row["accuracy_removed"], 3)
            shown.add_row(row["layer"], figure(row["accuracy"], 3), without, "")
        console.print(shown)
        console.print()
    show_sentences(console, found["sentences"])


def show_lags(console: Console, document: Mapping[str, Any]) -> None:
    """Everything that fits."""
    setting, lags = document["setting"], document["lags"]
    seeds = ", ".join(map(str, setting["seeds"]))
    size = f"{setting['channels']} channels, {setting['size']} x {setting['size']}, T={setting['steps']}"
    console.print(f"[bold]gradient against lag[/]  {size}, batch {setting['batch']}, seeds {seeds}\n", soft_wrap=True)
    steps = list(document["neurons"][0]["largest_membrane"])
    named = [(escape(one["name"]), one) for one in document["neurons"]]
    membranes = (
        (name, *(figure(each["mean"], 3) for each in (one["rate"], *(one["largest_membrane"][t] for t in steps))))
        for name, one in named
    )
    console.print(table("neuron", ">rate", *(f">max |u| t={t}" for t in steps), rows=membranes))
    console.print()
    at_lags = [f">lag {lag}" for lag in lags]
    slopes = (
        (name, *(f"{_short(one, 'mean', lag)} / {_short(one, 'median', lag)}" for lag in lags)) for name, one in named
    )
    console.print(table("mean / median of |dU/dU|", *at_lags, rows=slopes))
    console.print()
    seen = ((name, *(_short(one, "effective", lag) for lag in lags)) for name, one in named)
    console.print(table("seen by a loss on spikes", *at_lags, rows=seen))
    console.print(
        "[dim]dU[T-1] / dU[T-1-lag], over all neurons, means over seeds; seen by a loss: times the surrogate's "
        "derivative at the last membrane[/]\n",
        soft_wrap=True,
    )
    show_sentences(console, document["sentences"], document["notes"])
    show_files(console, document)


def _short(one: Mapping[str, Any], which: str, lag: int) -> str:
    return figure(one[which][str(lag)]["mean"], 2)
