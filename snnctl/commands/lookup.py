"""Looking up components and recipes: which there are, what each can be told, where the values of a recipe come from."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from snnctl.core.catalog import REGISTRIES
from snnctl.core.diagnostic import Diagnostic, DiagnosticError, choices
from snnctl.core.docs import read_doc
from snnctl.core.files import system_fault, write_text
from snnctl.recipe import Recipe, shipped
from snnctl.recipe.describe import knob_rows, paste_ready
from snnctl.recipe.source import path_text

_CHANNELS = 64  # of a neuron that is built to see whether it can be compiled: circuits want groups of several


def list_components(kind: str | None = None, glob: str = "*") -> list[dict[str, Any]]:
    """`{kind, name, summary, source}` of each.

    Args:
        kind: of component, also in the plural; None: all kinds.
        glob: only names that match.

    Raises:
        DiagnosticError: U409, unknown kind.
    """
    if kind is not None and kind not in REGISTRIES:
        if kind.rstrip("s") not in REGISTRIES:
            help = choices(kind, [*REGISTRIES, "recipes"])
            raise DiagnosticError(Diagnostic("U409", f"unknown kind `{kind}`", help=help))
        kind = kind.rstrip("s")
    return [
        {
            "kind": one,
            "name": name,
            "summary": read_doc(REGISTRIES[one].get(name)).summary,
            "source": REGISTRIES[one].source(name),
        }
        for one in ([kind] if kind else REGISTRIES)
        for name in REGISTRIES[one].names()
        if fnmatch(name, glob)
    ]


def show_component(what: str, name: str = "") -> dict[str, Any]:
    """One component: summary, equation, shape, source, knobs, YAML to paste.

    Args:
        what: its name, or its kind if the name follows.

    Raises:
        DiagnosticError: U409, unknown kind; U410, unknown name; U411, several components are called so.
    """
    kind, name = _find(what, name)
    component = REGISTRIES[kind].get(name)
    doc = read_doc(component)
    return {
        "kind": kind,
        "name": name,
        "summary": doc.summary,
        "details": doc.details,
        "equation": doc.equation,
        "shape": doc.shape,
        "reference": doc.source,
        "source": REGISTRIES[kind].source(name),
        "knobs": knob_rows(component),
        "kernel": kernel_of(name) if kind == "neuron" else None,
        "yaml": paste_ready(kind, name),
    }


def kernel_of(name: str) -> dict[str, Any] | None:
    """`{compiled, reason}` of a registered neuron with its defaults: whether a kernel is made of its step, or why not.

    None where it cannot be built without being told more.
    """
    from snnctl.bench.neurons import make_neuron  # torch is for neurons only

    try:
        reason = make_neuron(name, (4, 2, _CHANNELS)).why_not_compiled(0)
    except ValueError:
        return None
    return {"compiled": not reason, "reason": reason}


def _find(what: str, name: str) -> tuple[str, str]:
    if name:
        if what not in REGISTRIES:
            raise DiagnosticError(Diagnostic("U409", f"unknown kind `{what}`", help=choices(what, REGISTRIES)))
        if name not in REGISTRIES[what]:
            known = REGISTRIES[what].names()
            raise DiagnosticError(Diagnostic("U410", f"unknown {what} `{name}`", help=choices(name, known)))
        return what, name
    homes = [kind for kind, registry in REGISTRIES.items() if what in registry]
    if len(homes) == 1:
        return homes[0], what
    if homes:
        help = ", ".join(f"snnctl show {kind} {what}" for kind in homes)
        raise DiagnosticError(Diagnostic("U411", facts={"what": what}, help=help))
    every = sorted({n for registry in REGISTRIES.values() for n in registry.names()})
    near = choices(what, every) if what not in REGISTRIES else f"snnctl list {what}"
    raise DiagnosticError(Diagnostic("U410", f"no component is called `{what}`", help=near))


def list_recipes(glob: str = "*") -> list[dict[str, Any]]:
    """`{name, summary, path}` of each that ships and whose name matches."""
    return [row for row in shipped.shipped_recipes() if fnmatch(row["name"], glob)]


def copy_recipe(name: str, out: Path | None = None, *, force: bool = False) -> dict[str, str]:
    """Copy a shipped recipe, ready to edit: `{recipe, file}`.

    Args:
        name: as `list_recipes` gives it, or its last part.
        out: where to; None: its own name, in the working directory.
        force: overwrite an existing file.

    Raises:
        DiagnosticError: U415, no such recipe; U416, the file exists; U417, it cannot be written.
    """
    paths = shipped.shipped_paths()
    wanted = name.removesuffix(".yaml")
    found = [one for one in paths if wanted in (one, one.split("/")[-1])]
    if not found:
        message = f"no recipe called `{name}` ships with snnctl"
        raise DiagnosticError(Diagnostic("U415", message, help=choices(wanted, list(paths))))
    source = paths[found[0]]
    target = out or Path(source.name)
    if target.exists() and not force:
        raise DiagnosticError(Diagnostic("U416", facts={"target": target}, help="--force overwrites it, --out renames"))
    write(target, source.read_text(encoding="utf-8"))
    return {"recipe": found[0], "file": str(target)}


def origins(recipe: Recipe) -> list[dict[str, Any]]:
    """`{path, value, origin}` of every value: where it comes from."""
    return [{"path": path_text(path), "value": value, "origin": recipe.origin(path)} for path, value in recipe.leaves()]


def write(target: Path, text: str, *, parents: bool = True) -> None:
    """Write a file that was asked for.

    Raises:
        DiagnosticError: U417, it cannot be written there; E412, there is no room.
    """
    try:
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, text)
    except OSError as error:
        fault = system_fault(error, target)
        if fault is not None:
            raise DiagnosticError(fault) from error
        raise DiagnosticError(Diagnostic("U417", facts={"target": target, "strerror": error.strerror})) from error
