"""Tables of components, recipes and machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from snnctl.ui.console import table
from snnctl.ui.words import size


def show_components(console: Console, document: Mapping[str, Any]) -> None:
    """Kinds, names, summaries; the source only where it is not snnctl."""
    shown = table("kind", "name", "what it is")
    last = ""
    for row in document["components"]:
        kind = row["kind"] if row["kind"] != last else ""
        last = row["kind"]
        source = "" if row["source"] == "snnctl" else f"  [dim]({escape(row['source'])})[/]"
        shown.add_row(f"[bold]{kind}[/]", f"[key]{escape(row['name'])}[/]", escape(row["summary"]) + source)
    console.print(shown)
    console.print("\n[dim]snnctl show KIND NAME shows equation, knobs and YAML to paste[/]")


def show_recipes(console: Console, document: Mapping[str, Any]) -> None:
    """The shipped recipes."""
    rows = ((f"[key]{row['name']}[/]", escape(row["summary"])) for row in document["recipes"])
    console.print(table("recipe", "what it does", rows=rows))
    console.print("\n[dim]snnctl init NAME copies one here[/]")


def show_component(console: Console, document: Mapping[str, Any]) -> None:
    """One component: summary, equation, knobs, YAML."""
    console.print(f"[bold]{document['kind']} {escape(document['name'])}[/]  {escape(document['summary'])}")
    for part in ("details", "equation", "shape"):
        if document[part]:
            title = "" if part == "details" else f"[bold]{part}[/]\n"
            console.print(f"\n{title}{_indented(escape(document[part]), part)}", soft_wrap=True)
    if document["knobs"]:
        shown = table("knob", "type", "default", "bounds", "what it does")
        for knob in document["knobs"]:
            default = "[bad]required[/]" if knob["required"] else escape(_short(knob["default"]))
            others = (escape(knob["type"]), default, escape(knob["bounds"]), escape(knob["doc"]))
            shown.add_row(f"[key]{knob['name']}[/]", *others)
        console.print()
        console.print(shown)
    console.print(f"\n[bold]paste[/]\n{escape(document['yaml'])}", soft_wrap=True)
    if document["kernel"] is not None:
        console.print(f"\n[bold]kernel[/]  {_kernel(document['kernel'])}")
    if document["reference"]:
        console.print(f"\n[dim]source: {escape(document['reference'])}[/]")
    if document["source"] != "snnctl":
        console.print(f"[dim]from plug-in {escape(document['source'])}[/]")


def _kernel(found: Mapping[str, Any]) -> str:
    """Whether a neuron is compiled, and if not, why."""
    if found["compiled"]:
        return "compiled from its step"
    return f"none is made from its step: {escape(found['reason'])}"


def _indented(text: str, part: str) -> str:
    return text if part == "details" else "\n".join(f"  {line}" for line in text.splitlines())


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def show_origins(console: Console, document: Mapping[str, Any]) -> None:
    """Every value of a recipe and where it comes from; defaults are dim."""
    shown = table("key", "value", "from")
    for row in document["origins"]:
        style = "dim" if row["origin"] == "default" else ""
        shown.add_row(escape(row["path"]), escape(_short(row["value"])), escape(row["origin"]), style=style)
    console.print(shown)


def show_doctor(console: Console, document: Mapping[str, Any]) -> None:
    """The machine, kernels, extras."""
    facts = document["environment"]
    shown = table("", "")
    for key in ("snnctl", "python", "torch", "system", "processor", "cpu_capability", "cores", "threads"):
        shown.add_row(f"[key]{key.replace('_', ' ')}[/]", str(facts[key]))
    shown.add_row("[key]memory[/]", size(facts["memory_bytes"]))
    shown.add_row("[key]gpus[/]", ", ".join(facts["gpus"]) or "none")
    for kernel in document["kernels"]:
        used = "[good]used[/]" if kernel["used"] else "not used"
        shown.add_row(f"[key]kernel {kernel['name']}[/]", f"{used}: {escape(kernel['reason'])}")
    neurons = {name: found for name, found in document["neurons"].items() if found is not None}
    compiled = ", ".join(escape(name) for name, found in neurons.items() if found["compiled"])
    shown.add_row("[key]compiled neurons[/]", compiled or "none")
    for name, found in neurons.items():
        if not found["compiled"]:
            shown.add_row(f"[key]neuron {escape(name)}[/]", _kernel(found))
    for extra, present in document["extras"].items():
        state = "[good]installed[/]" if present else f"not installed: pip install 'snnctl\\[{extra}]'"
        shown.add_row(f"[key]extra {extra}[/]", state)
    shown.add_row("[key]data cache[/]", escape(document["cache"]))
    shown.add_row("[key]prepared data[/]", ", ".join(document["prepared"]) or "none")
    console.print(shown)
